// As much of a page as compat/openvidu-browser.js needs: elements that hold each other, a document,
// and the fake platform of fake_rtc.mjs in the places where a browser has its own.

import { WebSocket } from 'ws';
import { FakeConnection, FakeDevices, FakeStream, FakeTrack } from './fake_rtc.mjs';

export class FakeElement extends EventTarget {
  children = [];
  parent = null;
  style = {};

  #place(child, index) {
    child.remove();
    child.parent = this;
    this.children.splice(index, 0, child);
  }

  get #index() {
    return this.parent.children.indexOf(this);
  }

  append(child) {
    this.#place(child, this.children.length);
  }

  prepend(child) {
    this.#place(child, 0);
  }

  before(child) {
    this.parent.#place(child, this.#index);
  }

  after(child) {
    this.parent.#place(child, this.#index + 1);
  }

  replaceWith(child) {
    this.before(child);
    this.remove();
  }

  remove() {
    if (this.parent) this.parent.children.splice(this.#index, 1);
    this.parent = null;
  }
}

/** Puts everything in place, for a script at `src`. Its elements are found by the names in `elements`. */
export function installPage(src) {
  const elements = new Map();
  const devices = new FakeDevices();
  const globals = {
    document: {
      currentScript: { src },
      createElement: () => new FakeElement(),
      getElementById: (id) => elements.get(id) ?? null,
    },
    navigator: { mediaDevices: devices },
    reportError: (error) => page.errors.push(error),
    RTCPeerConnection: FakeConnection,
    MediaStream: FakeStream,
    MediaStreamTrack: FakeTrack,
    WebSocket,
  };
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  const page = { elements, devices, errors: [] };
  return page;
}
