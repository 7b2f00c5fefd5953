// Requests to the server: numbered, in order, not faster than it allows, kept over broken
// connections where that does no harm.

import { errorFromServer, TurnpikeError } from './errors.js';
import { Timer } from './timers.js';

const utf8 = new TextEncoder();

/** Spends what the server allows: `perSecond` in the long run, twice that at once. */
class Pace {
  #perMs;
  #most;
  #left;
  #at;

  /** @param perSecond 0: no limit */
  constructor(perSecond, now) {
    this.#perMs = perSecond > 0 ? perSecond / 1000 : Infinity;
    this.#most = perSecond > 0 ? perSecond * 2 : Infinity;
    this.#left = this.#most;
    this.#at = now;
  }

  /** Takes one and returns 0, or returns how many milliseconds to wait for it. */
  take(now) {
    if (this.#most === Infinity) return 0;
    this.#left = Math.min(this.#most, this.#left + (now - this.#at) * this.#perMs);
    this.#at = now;
    if (this.#left < 1) return Math.ceil((1 - this.#left) / this.#perMs);
    this.#left -= 1;
    return 0;
  }
}

export class Requests {
  #entries = new Map();
  #lastId = 0;
  #sendText;
  #timers;
  #wakeUp;
  #connection = null;

  constructor(sendText, timers) {
    this.#sendText = sendText;
    this.#timers = timers;
    this.#wakeUp = new Timer(timers);
  }

  /**
   * Sends what `compose()` returns as soon as there is a connection, and resolves to the answer.
   * `compose` is called just before each sending; what it throws rejects the promise.
   *
   * @param isRepeatable The server may be told twice. Then it is sent again after a broken
   *   connection and when the server had too much to do; other requests reject.
   */
  add(compose, { isRepeatable = false } = {}) {
    return new Promise((resolve, reject) => {
      this.#lastId += 1;
      this.#entries.set(this.#lastId, { compose, isRepeatable, isSent: false, resolve, reject });
      this.#flush();
    });
  }

  /** There is a connection that has joined. */
  resume({ maxMessage, perSecond }) {
    this.#connection = { maxMessage, pace: new Pace(perSecond, this.#timers.now()) };
    this.#flush();
  }

  /** The connection is lost. */
  pause() {
    this.#connection = null;
    this.#wakeUp.clear();
    for (const [id, entry] of [...this.#entries]) {
      if (!entry.isSent) continue;
      if (entry.isRepeatable) entry.isSent = false;
      else this.#reject(id, new TurnpikeError('connection_lost', 'the connection broke before the answer'));
    }
  }

  /** Gives an answer to its request. Returns false if there is none with that id. */
  answer(message) {
    const entry = this.#entries.get(message.id);
    if (!entry?.isSent) return false;
    if (message.type !== 'error') {
      this.#entries.delete(message.id);
      entry.resolve(message);
    } else if (message.code === 'rate_limited' && entry.isRepeatable && !message.fatal) {
      this.#repeatLater(message.retryAfterMs ?? 1000);
    } else {
      this.#reject(message.id, errorFromServer(message));
    }
    return true;
  }

  rejectAll(error) {
    this.#connection = null;
    this.#wakeUp.clear();
    for (const id of [...this.#entries.keys()]) this.#reject(id, error);
  }

  /** All that is repeatable and unanswered, not only what was refused: the order must stay. */
  #repeatLater(ms) {
    for (const entry of this.#entries.values()) {
      if (entry.isRepeatable) entry.isSent = false;
    }
    this.#wakeUp.set(ms, () => this.#flush());
  }

  #flush() {
    if (!this.#connection || this.#wakeUp.isSet) return;
    for (const [id, entry] of [...this.#entries]) {
      if (entry.isSent) continue;
      const wait = this.#connection.pace.take(this.#timers.now());
      if (wait > 0) {
        this.#wakeUp.set(wait, () => this.#flush());
        return;
      }
      this.#sendOne(id, entry);
    }
  }

  #sendOne(id, entry) {
    let text;
    try {
      text = JSON.stringify({ ...entry.compose(), id });
      this.#checkSize(text);
    } catch (error) {
      this.#reject(id, error);
      return;
    }
    entry.isSent = true;
    this.#sendText(text);
  }

  #checkSize(text) {
    const { maxMessage } = this.#connection;
    if (text.length * 3 > maxMessage && utf8.encode(text).length > maxMessage) {
      throw new TurnpikeError('too_large', `a message must not exceed ${maxMessage} bytes`);
    }
  }

  #reject(id, error) {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    entry.reject(error);
  }
}
