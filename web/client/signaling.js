// The session with the server: join, resume, reconnect. It outlives its WebSockets. What the
// messages mean for the room is not known here.

import { endingOf, endsRoom, errorFromServer, TurnpikeError } from './errors.js';
import { Requests } from './requests.js';
import { Socket } from './socket.js';
import { backoff, Timer } from './timers.js';

const joinId = 'join';
const attemptTimeoutMs = 10_000;
const leaveTimeoutMs = 2_000;
/** Added to the server's own patience before we call its connection dead. */
const silenceMarginMs = 5_000;

/** Close codes of ours. The server takes all but 1000 for a broken connection. */
const closeCodes = { leaving: 1000, moving: 4001, silent: 4002, tooSlow: 4003 };

export class Signaling {
  #settings;
  #handlers;
  #timers;
  #requests;

  /** 'idle', 'connecting', 'joined', 'waiting' (to connect again) or 'closed'. */
  #state = 'idle';
  #socket = null;
  #firstJoin = null;
  #hasJoined = false;
  #isLeaving = false;

  #token;
  #ticket = null;
  #lastSeq = 0;
  #silenceMs = Infinity;

  #url;
  #otherUrl = null;
  #attempt = 0;
  #brokenSince = null;
  /** The server's own wish, and nothing shorter. */
  #notBeforeMs = 0;

  #attemptTimer;
  #retryTimer;
  #silenceTimer;
  #goawayTimer;
  #onOnline = () => this.#retryNow();

  /**
   * @param settings `url`, `room`, `askToken()`, `name()`, `meta()`, `client`, `timeoutMs`,
   *   `reconnect` (null or `{ minMs, maxMs, giveUpAfterMs }`), `WebSocket`, `timers`
   * @param handlers `joined(message, 'first' | 'resumed' | 'rejoined')`, `received(message)`,
   *   `reconnecting({ attempt, delayMs, reason })`, `goaway(message)`, `closed(code, error)`,
   *   `failed(error)` for errors that belong to no request
   */
  constructor(settings, handlers) {
    this.#settings = settings;
    this.#handlers = handlers;
    this.#timers = settings.timers;
    this.#url = String(settings.url);
    this.#requests = new Requests((text) => this.#socket.sendText(text), this.#timers);
    this.#attemptTimer = new Timer(this.#timers);
    this.#retryTimer = new Timer(this.#timers);
    this.#silenceTimer = new Timer(this.#timers);
    this.#goawayTimer = new Timer(this.#timers);
  }

  get state() {
    return this.#state;
  }

  /** Connects and joins, once. Rejects with what went wrong. */
  start() {
    return new Promise((resolve, reject) => {
      this.#firstJoin = { resolve, reject };
      globalThis.addEventListener?.('online', this.#onOnline);
      this.#connect();
    });
  }

  /** See Requests.add(). */
  request(compose, options) {
    if (this.#state === 'closed') return Promise.reject(new TurnpikeError('closed', 'the room is closed'));
    return this.#requests.add(compose, options);
  }

  /** Leaves. Resolves once the server knows, or cannot be told. */
  async leave() {
    this.#isLeaving = true;
    if (this.#state === 'joined') {
      const patience = new Timer(this.#timers);
      const tooLate = new Promise((resolve) => patience.set(leaveTimeoutMs, resolve));
      const told = this.request(() => ({ type: 'leave' })).catch(() => {});
      await Promise.race([told, tooLate]);
      patience.clear();
    }
    this.#end('left', null);
  }

  /** As `leave`, for when there is no time to wait for an answer. */
  leaveAtOnce() {
    if (this.#state === 'joined') this.#socket.send({ type: 'leave' });
    this.#end('left', null);
  }

  // --- One connection ----------------------------------------------------------------------------

  #connect() {
    this.#state = 'connecting';
    this.#attemptTimer.set(this.#hasJoined ? attemptTimeoutMs : this.#settings.timeoutMs, () => {
      this.#socket?.close(closeCodes.tooSlow);
      this.#onBroken('no answer in time');
    });
    try {
      this.#socket = new Socket(this.#url, this.#settings.WebSocket, {
        opened: () => this.#sayJoin(this.#ticket),
        received: (message) => this.#onMessage(message),
        ended: (how) => this.#onEnded(how),
      });
    } catch (error) {
      this.#onBroken(error.message, error);
    }
  }

  /** @param ticket of the session to resume; null: join anew */
  async #sayJoin(ticket) {
    const socket = this.#socket;
    if (ticket === null) {
      try {
        const token = await this.#settings.askToken();
        if (socket !== this.#socket) return;
        this.#token = token;
      } catch (error) {
        if (socket !== this.#socket) return;
        socket.close(closeCodes.moving);
        this.#onBroken('no token', error);
        return;
      }
    }
    socket.send({
      type: 'join',
      id: joinId,
      room: this.#settings.room,
      token: this.#token,
      name: this.#settings.name,
      meta: this.#settings.meta(),
      client: this.#settings.client,
      ...(ticket === null ? {} : { resume: ticket, lastSeq: this.#lastSeq }),
    });
  }

  #onMessage(message) {
    this.#listenForSilence();
    switch (message.type) {
      case 'ping':
        // In order: whatever came before it has been dealt with.
        this.#socket.send({ type: 'pong', ts: message.ts });
        return;
      case 'joined':
        this.#onJoined(message);
        return;
      case 'error':
        this.#onError(message);
        return;
      case 'ack':
        this.#requests.answer(message);
        return;
      case 'goaway':
        this.#onGoaway(message);
        return;
      case 'closed':
        this.#end(String(message.code), null);
        return;
      default:
        if (Number.isInteger(message.seq)) this.#lastSeq = Math.max(this.#lastSeq, message.seq);
        this.#requests.answer(message);
        this.#handlers.received(message);
    }
  }

  #onJoined(message) {
    const how = message.resumed ? 'resumed' : this.#hasJoined ? 'rejoined' : 'first';
    if (how !== 'resumed') this.#lastSeq = 0;
    this.#attemptTimer.clear();
    this.#state = 'joined';
    this.#hasJoined = true;
    this.#ticket = message.resume.ticket;
    this.#silenceMs = message.ping.intervalMs + message.ping.timeoutMs + silenceMarginMs;
    this.#listenForSilence();
    this.#attempt = 0;
    this.#brokenSince = null;
    this.#notBeforeMs = 0;
    this.#handlers.joined(message, how);
    this.#requests.resume(message.limits);
    this.#firstJoin?.resolve();
    this.#firstJoin = null;
  }

  #onError(message) {
    if (message.id === joinId && message.code === 'resume_failed') {
      this.#ticket = null;
      this.#sayJoin(null);
      return;
    }
    const isAnswer = this.#requests.answer(message);
    const error = errorFromServer(message);
    if (message.id === joinId && !error.fatal) {
      // Something about our join is wrong, and will be the next time.
      this.#end(error.code, error);
    } else if (!error.fatal) {
      if (!isAnswer) this.#handlers.failed(error);
    } else if (endsRoom(error.code)) {
      this.#end(error.code, error);
    } else {
      this.#notBeforeMs = error.retryAfterMs ?? 0;
      this.#socket.close(closeCodes.moving);
      this.#onBroken(error.code, error);
    }
  }

  #onGoaway({ reason, reconnectAfterMs, url }) {
    if (typeof url === 'string' && this.#mayMoveTo(url)) {
      this.#otherUrl = this.#url;
      this.#url = url;
    }
    this.#goawayTimer.set(reconnectAfterMs, () => {
      this.#socket.close(closeCodes.moving);
      this.#onBroken('goaway');
    });
    this.#handlers.goaway({ reason, reconnectAfterMs, url: url ?? null });
  }

  /** A server may not lead us from wss to plain ws. */
  #mayMoveTo(url) {
    return url.startsWith('wss:') || (url.startsWith('ws:') && this.#url.startsWith('ws:'));
  }

  /** The server pings; when it does not, the connection is dead though no one said so. */
  #listenForSilence() {
    if (this.#state !== 'joined') return;
    this.#silenceTimer.set(this.#silenceMs, () => {
      this.#socket.close(closeCodes.silent);
      this.#onBroken('silence');
    });
  }

  // --- Between connections -----------------------------------------------------------------------

  #onEnded(how) {
    const code = endingOf(how);
    if (code !== null) {
      this.#end(code, new TurnpikeError(code, `the server closed the connection: ${code}`, { fatal: true }));
    } else {
      this.#onBroken(how.reason || `closed with code ${how.code}`);
    }
  }

  /** The connection, or the attempt to make one, has ended in a way that may get better. */
  #onBroken(reason, cause) {
    this.#forgetSocket();
    if (this.#isLeaving) {
      this.#end('left', null);
      return;
    }
    if (!this.#hasJoined) {
      this.#end('unreachable', this.#unreachable(reason, cause));
      return;
    }
    this.#requests.pause();
    const now = this.#timers.now();
    this.#brokenSince ??= now;
    const { reconnect } = this.#settings;
    if (!reconnect || now - this.#brokenSince >= reconnect.giveUpAfterMs) {
      this.#end('unreachable', this.#unreachable(reason, cause));
      return;
    }
    if (this.#otherUrl && this.#attempt > 0) {
      [this.#url, this.#otherUrl] = [this.#otherUrl, this.#url];
    }
    this.#state = 'waiting';
    const delayMs = Math.max(this.#notBeforeMs, backoff(this.#attempt, reconnect, this.#timers.random));
    this.#attempt += 1;
    this.#notBeforeMs = 0;
    this.#retryTimer.set(delayMs, () => this.#connect());
    this.#handlers.reconnecting({ attempt: this.#attempt, delayMs, reason });
  }

  /** Errors that already are ours say more than 'unreachable'. */
  #unreachable(reason, cause) {
    if (cause instanceof TurnpikeError) return cause;
    return new TurnpikeError('unreachable', `cannot reach ${this.#url}: ${reason}`, { fatal: true, cause });
  }

  #retryNow() {
    if (!this.#retryTimer.isSet) return;
    this.#retryTimer.clear();
    this.#connect();
  }

  #forgetSocket() {
    this.#socket = null;
    this.#attemptTimer.clear();
    this.#silenceTimer.clear();
    this.#goawayTimer.clear();
  }

  #end(code, error) {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    globalThis.removeEventListener?.('online', this.#onOnline);
    this.#retryTimer.clear();
    this.#socket?.close(closeCodes.leaving);
    this.#forgetSocket();
    this.#requests.rejectAll(new TurnpikeError('closed', `the room is closed: ${code}`));
    if (this.#firstJoin) {
      this.#firstJoin.reject(error ?? new TurnpikeError(code, `the room closed: ${code}`, { fatal: true }));
      this.#firstJoin = null;
      return;
    }
    this.#handlers.closed(code, error);
  }
}
