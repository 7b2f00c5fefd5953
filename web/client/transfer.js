// What both directions of a file transfer have in common: who, what, how far, how it ends.
//
// On the channel: control messages are JSON texts, file bytes are binary messages of a chunk behind
// the transfer's number. The digest of a file is the SHA-256 of the SHA-256s of its blocks, since
// browsers cannot hash what does not fit into memory.

import { callSafely } from './emitter.js';
import { TurnpikeError } from './errors.js';

export const chunkBytes = 16 * 1024;
export const blockBytes = 1024 * 1024;
export const headerBytes = 4;

/** Progress and end of one transfer; Outgoing and Incoming add how it goes on. */
export class Transfer {
  state = 'offered';
  progress;
  done;

  #onProgress;
  #settle;

  constructor({ id, peer, name, size, type }) {
    Object.assign(this, { id, peer, name, size, type });
    this.progress = { done: 0, total: size };
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.done.catch(() => {}); // who does not look at it is not to be told by the browser
  }

  get isOver() {
    return this.state === 'done' || this.state === 'failed';
  }

  listenForProgress(onProgress) {
    this.#onProgress = onProgress;
  }

  advanceTo(done) {
    this.progress = { done, total: this.size };
    callSafely(this.#onProgress, this.progress);
  }

  succeed(result) {
    if (this.isOver) return;
    this.state = 'done';
    this.#settle.resolve(result);
  }

  fail(code, message = `${this.name}: ${code}`) {
    if (this.isOver) return;
    this.state = 'failed';
    this.#settle.reject(new TurnpikeError(code, message));
  }

  /** For reasons of our own side: a file that cannot be read, a browser that cannot hash. */
  failWith(error) {
    this.fail(error instanceof TurnpikeError ? error.code : 'cancelled', `${this.name}: ${error.message}`);
  }
}

/** Collects the digests of blocks in their order, and makes the file's digest of them. */
export class Digests {
  #ofBlocks = [];

  async add(index, block) {
    this.#ofBlocks[index] ??= new Uint8Array(await sha256(block));
  }

  async finish() {
    const digest = await sha256(await new Blob(this.#ofBlocks).arrayBuffer());
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  }
}

function sha256(bytes) {
  const { subtle } = globalThis.crypto;
  if (!subtle) throw new TurnpikeError('unsupported', 'files need a secure context: https, or localhost');
  return subtle.digest('SHA-256', bytes);
}

export function makeChunk(number, bytes) {
  const message = new Uint8Array(headerBytes + bytes.length);
  new DataView(message.buffer).setUint32(0, number);
  message.set(bytes, headerBytes);
  return message;
}

/** null if it is too short to be one. */
export function readChunk(message) {
  if (message.byteLength < headerBytes) return null;
  return {
    number: new DataView(message).getUint32(0),
    bytes: new Uint8Array(message, headerBytes),
  };
}
