// Events: the base of everything here that others listen to.

/** Tells the page about an exception that is not ours, without being stopped by it. */
function report(error) {
  if (typeof globalThis.reportError === 'function') globalThis.reportError(error);
  else console.error(error);
}

/** Calls a function that the application gave us. What it throws is reported and goes no further. */
export function callSafely(callback, ...values) {
  try {
    callback?.(...values);
  } catch (error) {
    report(error);
  }
}

export class Emitter {
  #listeners = new Map();

  on(event, listener) {
    // A wrapper of its own for each: the same function may be subscribed twice.
    const entry = { listener };
    if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
    this.#listeners.get(event).add(entry);
    return () => {
      this.#listeners.get(event)?.delete(entry);
    };
  }

  once(event, listener) {
    const stop = this.on(event, (payload) => {
      stop();
      listener(payload);
    });
    return stop;
  }

  /** Calls the listeners that there are now. For the owner of the events only. */
  emit(event, payload) {
    for (const { listener } of [...(this.#listeners.get(event) ?? [])]) callSafely(listener, payload);
  }

  hasListeners(event) {
    return (this.#listeners.get(event)?.size ?? 0) > 0;
  }
}
