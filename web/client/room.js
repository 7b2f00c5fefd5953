// The room as the application sees it: who is there, what they say, what may be asked.

import { Emitter } from './emitter.js';
import { TurnpikeError } from './errors.js';
import { findPeer, Peers, withClientId } from './peers.js';
import { Signaling } from './signaling.js';
import { systemTimers } from './timers.js';

const clientName = 'turnpike-js/0.1';
const defaultTimeoutMs = 15_000;
/** Signals that come before there is a `Call`. A peer sends some twenty to begin with. */
const maxUnheard = 1024;

const defaultReconnect = { minMs: 500, maxMs: 15_000, giveUpAfterMs: Infinity };

function reconnectSettings(wanted) {
  if (wanted === false) return null;
  return { ...defaultReconnect, ...(typeof wanted === 'object' ? wanted : {}) };
}

function webSocketFrom(options) {
  const WebSocket = options.WebSocket ?? globalThis.WebSocket;
  if (!WebSocket) {
    throw new TurnpikeError('unsupported', 'no WebSocket here: pass one as options.WebSocket (Node before 22: ws)');
  }
  return WebSocket;
}

/** Tells this client from others, for as long as the room is joined. */
function makeClientId() {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((byte) => byte.toString(36).padStart(2, '0')).join('');
}

export async function join(url, options) {
  const room = new Room(url, options);
  await room.open();
  return room;
}

export class Room extends Emitter {
  #signaling;
  #peers;
  #clientId = makeClientId();
  #meta;
  #unheard = [];
  #stopPageHide = null;
  #leaveOnPageHide;

  /** Use join(). */
  constructor(url, options) {
    super();
    const timers = options.timers ?? systemTimers;
    const { token = '' } = options;
    this.#meta = options.meta ?? {};
    this.#leaveOnPageHide = options.leaveOnPageHide ?? true;
    this.#peers = new Peers((event, payload) => this.#onPeer(event, payload), timers);
    const settings = {
      url,
      room: options.room,
      askToken: async () => (typeof token === 'function' ? token() : token),
      name: options.name ?? '',
      meta: () => withClientId(this.#meta, this.#clientId),
      client: clientName,
      timeoutMs: options.timeoutMs ?? defaultTimeoutMs,
      reconnect: reconnectSettings(options.reconnect),
      WebSocket: webSocketFrom(options),
      timers,
    };
    this.#signaling = new Signaling(settings, {
      joined: (message, how) => this.#onJoined(message, how),
      received: (message) => this.#onMessage(message),
      reconnecting: (event) => this.emit('reconnecting', event),
      goaway: (event) => this.emit('goaway', event),
      closed: (code, error) => this.#onClosed(code, error),
      failed: (error) => this.emit('error', error),
    });
  }

  /** Joins. Once, by join(). */
  async open() {
    await this.#signaling.start();
    if (this.#leaveOnPageHide && typeof globalThis.addEventListener === 'function') {
      const leave = () => this.#signaling.leaveAtOnce();
      globalThis.addEventListener('pagehide', leave);
      this.#stopPageHide = () => globalThis.removeEventListener('pagehide', leave);
    }
  }

  get peers() {
    return this.#peers.byId;
  }

  get state() {
    const { state } = this.#signaling;
    return state === 'joined' || state === 'closed' ? state : 'reconnecting';
  }

  on(event, listener) {
    const stop = super.on(event, listener);
    // Who joined after us has called already; what it said has waited for this.
    if (event === 'signal' && this.#unheard.length > 0) queueMicrotask(() => this.#hearUnheard());
    return stop;
  }

  // --- Requests ----------------------------------------------------------------------------------

  async send(event, data = null, { to } = {}) {
    const receivers = to === undefined ? null : [to].flat().map((peer) => findPeer(this, peer));
    const { delivered } = await this.#signaling.request(() => ({
      type: 'message',
      ...(receivers && { to: receivers.map((peer) => this.#wireIdOf(peer)) }),
      event,
      data,
    }));
    return { delivered };
  }

  async signal(peer, data) {
    const to = findPeer(this, peer);
    await this.#signaling.request(
      () => ({ type: 'signal', to: this.#wireIdOf(to), data }),
      { isRepeatable: true },
    );
  }

  async update(meta) {
    this.#meta = meta;
    this.self = { ...this.self, meta };
    await this.#signaling.request(
      () => ({ type: 'update', meta: withClientId(meta, this.#clientId) }),
      { isRepeatable: true },
    );
  }

  async refreshIce() {
    await this.#signaling.request(() => ({ type: 'ice' }), { isRepeatable: true });
    const { iceServers, iceExpiresAt, iceTransportPolicy } = this;
    return { iceServers, iceExpiresAt, iceTransportPolicy };
  }

  async reportPath(peer, { local, remote, protocol, relayProtocol, rttMs }) {
    const about = findPeer(this, peer);
    await this.#signaling.request(
      () => ({ type: 'path', peer: this.#wireIdOf(about), local, remote, protocol, relayProtocol, rttMs }),
      { isRepeatable: true },
    );
  }

  async kick(peer) {
    const target = findPeer(this, peer);
    await this.#signaling.request(() => ({ type: 'kick', peer: this.#wireIdOf(target) }));
  }

  async lock(locked = true) {
    await this.#signaling.request(() => ({ type: 'lock', locked }), { isRepeatable: true });
    this.locked = locked;
  }

  async end() {
    await this.#signaling.request(() => ({ type: 'end' }));
  }

  leave() {
    return this.#signaling.leave();
  }

  /** What the server calls it at the moment of sending. */
  #wireIdOf(peer) {
    if (this.#peers.onWire(peer.wireId) !== peer) {
      throw new TurnpikeError('no_such_peer', `peer ${peer.id} is not in the room now`);
    }
    return peer.wireId;
  }

  // --- What the server says ----------------------------------------------------------------------

  #onJoined(message, how) {
    this.id = message.room.id;
    this.max = message.room.max;
    this.locked = message.room.locked;
    this.meta = message.room.meta;
    this.limits = message.limits;
    this.server = message.server;
    const { peer, n, name, role } = message.self;
    this.self = { id: peer, n, name, role, meta: this.#meta };
    this.iceTransportPolicy = message.iceTransportPolicy;
    this.#takeIce(message);
    if (how === 'first') {
      this.#peers.begin(message.peers);
      return;
    }
    if (how === 'resumed') this.#peers.resume(message.peers);
    else this.#peers.rejoin(message.peers, message.resume.windowMs);
    this.#emitIce();
    this.emit('resumed', { rejoined: how === 'rejoined' });
  }

  #onMessage(message) {
    switch (message.type) {
      case 'signal':
        this.#onSignal(message);
        break;
      case 'message': {
        const { from, event, data, seq, ts } = message;
        const peer = this.#peers.onWire(from);
        this.emit('message', { from: peer?.id ?? from, peer, event, data, seq, ts, private: message.private === true });
        break;
      }
      case 'peer-joined':
        this.#peers.joined(message.peer);
        break;
      case 'peer-left':
        this.#peers.left(message.peer, message.reason);
        break;
      case 'peer-updated':
        this.#peers.updated(message.peer, message.meta);
        break;
      case 'peer-away':
      case 'peer-back':
        this.#peers.setAway(message.peer, message.type === 'peer-away');
        break;
      case 'ice':
        this.#takeIce(message);
        this.#emitIce();
        break;
      default: // of a newer server
    }
  }

  #onSignal({ from, data, seq }) {
    const peer = this.#peers.onWire(from);
    const signal = { from: peer?.id ?? from, peer, data, seq };
    if (this.hasListeners('signal')) this.emit('signal', signal);
    else if (this.#unheard.length < maxUnheard) this.#unheard.push(signal);
  }

  #hearUnheard() {
    for (const signal of this.#unheard.splice(0)) this.emit('signal', signal);
  }

  #onPeer(event, payload) {
    if (event === 'peer-left') this.#unheard = this.#unheard.filter(({ peer }) => peer !== payload.peer);
    this.emit(event, payload);
  }

  #takeIce({ iceServers, iceExpiresAt }) {
    this.iceServers = iceServers;
    this.iceExpiresAt = iceExpiresAt;
  }

  #emitIce() {
    const { iceServers, iceExpiresAt, iceTransportPolicy } = this;
    this.emit('ice', { iceServers, iceExpiresAt, iceTransportPolicy });
  }

  #onClosed(code, error) {
    this.#stopPageHide?.();
    this.#peers.end();
    this.emit('closed', { code, error });
  }
}
