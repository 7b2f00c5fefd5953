// One WebSocket that carries JSON objects, and nothing about what they mean.

import { TurnpikeError } from './errors.js';

const subprotocol = 'turnpike.v1';
const openState = 1;

export class Socket {
  #socket;
  #handlers;

  /**
   * @param handlers `opened()`, `received(object)`, `ended({ code, reason })`. None is called after
   *   `ended`, nor after `close()`.
   * Throws 'unreachable' if the URL is none for WebSockets.
   */
  constructor(url, WebSocket, handlers) {
    this.#handlers = handlers;
    try {
      this.#socket = new WebSocket(String(url), subprotocol);
    } catch (cause) {
      throw new TurnpikeError('unreachable', `cannot connect to ${url}: ${cause.message}`, { cause });
    }
    this.#socket.addEventListener('open', () => this.#handlers?.opened());
    this.#socket.addEventListener('message', ({ data }) => this.#read(data));
    this.#socket.addEventListener('close', ({ code, reason }) => this.#end({ code, reason }));
    // Says nothing that `close` does not say; without a listener `ws` throws.
    this.#socket.addEventListener('error', () => {});
  }

  sendText(text) {
    if (this.#socket.readyState === openState) this.#socket.send(text);
  }

  send(message) {
    this.sendText(JSON.stringify(message));
  }

  /** Forgets the connection at once, whether or not the other side ever answers the close. Code 1000
   *  tells the server that we leave; any other that we shall be back. */
  close(code) {
    this.#handlers = null;
    try {
      this.#socket.close(code);
    } catch {
      // It never opened.
    }
  }

  #read(data) {
    if (!this.#handlers) return;
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      message = null;
    }
    if (typeof message?.type === 'string') {
      this.#handlers.received(message);
    } else {
      this.#end({ code: 1007, reason: 'not a message of turnpike.v1' });
    }
  }

  #end(how) {
    const handlers = this.#handlers;
    this.close(4000);
    handlers?.ended(how);
  }
}
