// Time that stands still until a test moves it.

/** Timers for the client, and `advance(ms)`: what is due runs in its order, each at its own time. */
export class VirtualTimers {
  #now = 1_800_000_000_000;
  #pending = new Map();
  #lastHandle = 0;

  /** What random() returns. */
  chance = 1;

  setTimeout(callback, ms) {
    this.#lastHandle += 1;
    this.#pending.set(this.#lastHandle, { at: this.#now + ms, callback });
    return this.#lastHandle;
  }

  clearTimeout(handle) {
    this.#pending.delete(handle);
  }

  now() {
    return this.#now;
  }

  random() {
    return this.chance;
  }

  /** In how many ms each pending timer is due, soonest first. */
  get due() {
    return [...this.#pending.values()].map(({ at }) => at - this.#now).sort((a, b) => a - b);
  }

  advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#pending].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at);
      if (!next) break;
      const [handle, { at, callback }] = next;
      this.#pending.delete(handle);
      this.#now = at;
      callback();
    }
    this.#now = end;
  }

  /** As the client wants them: plain functions. */
  get functions() {
    return {
      setTimeout: (callback, ms) => this.setTimeout(callback, ms),
      clearTimeout: (handle) => this.clearTimeout(handle),
      now: () => this.now(),
      random: () => this.random(),
    };
  }
}
