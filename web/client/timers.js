// Time and chance, as the rest of the client gets them: tests put others in their place.

export const systemTimers = {
  setTimeout: (callback, ms) => globalThis.setTimeout(callback, ms),
  clearTimeout: (handle) => globalThis.clearTimeout(handle),
  now: () => Date.now(),
  random: () => Math.random(),
};

/** One timer that can be set again: setting it forgets what it was set to before. */
export class Timer {
  #timers;
  #handle = null;

  constructor(timers) {
    this.#timers = timers;
  }

  get isSet() {
    return this.#handle !== null;
  }

  set(ms, callback) {
    this.clear();
    this.#handle = this.#timers.setTimeout(() => {
      this.#handle = null;
      callback();
    }, ms);
  }

  clear() {
    if (this.#handle !== null) this.#timers.clearTimeout(this.#handle);
    this.#handle = null;
  }
}

/** How long to wait before attempt number `attempt` (from 0), in milliseconds. Half of it is chance,
 *  so that the clients of a restarted server do not come back all at once. */
export function backoff(attempt, { minMs, maxMs }, random) {
  const longest = Math.min(maxMs, minMs * 2 ** attempt);
  return Math.round(longest * (0.5 + random() / 2));
}
