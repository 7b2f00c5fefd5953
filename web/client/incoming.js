// A file that we receive: accepted or declined, put together, and checked.

import { blockBytes, Digests, Transfer } from './transfer.js';

export class Incoming extends Transfer {
  #say;
  #digests = new Digests();
  #block = null;
  #received = 0;
  #parts = [];
  #hashing = Promise.resolve();

  /** @param say `(message)` to the sender, if there is a way to it now */
  constructor(number, say, about) {
    super({ ...about, id: String(number) });
    this.#say = (message) => say({ ...message, id: number });
  }

  /** Begins, or goes on over a new connection. */
  acceptFrom() {
    this.state = 'active';
    this.#say({ type: 'accept', offset: this.#received });
  }

  decline() {
    if (this.isOver) return;
    this.#say({ type: 'decline' });
    this.fail('declined');
  }

  cancel() {
    if (this.isOver) return;
    this.#say({ type: 'stop' });
    this.fail('cancelled');
  }

  pause() {
    if (this.state === 'active') this.state = 'paused';
  }

  fail(code, message) {
    this.#parts = [];
    this.#block = null;
    super.fail(code, message);
  }

  /** The sender offers it again, over a new connection. */
  onOfferedAgain() {
    if (this.state === 'done') this.#say({ type: 'done' });
    else if (this.state === 'failed') this.#say({ type: 'stop' });
    else if (this.state !== 'offered') this.acceptFrom();
  }

  /** The next bytes of the file. */
  take(bytes) {
    if (this.state !== 'active') return;
    if (this.#received + bytes.length > this.size) {
      this.#refuse();
      return;
    }
    for (let rest = bytes; rest.length > 0; ) rest = this.#fill(rest);
    this.advanceTo(this.#received);
  }

  /** The sender has sent all; `sha256` is what it should be. */
  async finish(sha256) {
    if (this.state !== 'active') return;
    try {
      this.#closeBlock();
      await this.#hashing;
      const isWhole = this.#received === this.size && (await this.#digests.finish()) === sha256;
      if (this.isOver) return;
      if (isWhole) this.#complete();
      else this.#refuse();
    } catch (error) {
      this.#say({ type: 'stop' });
      this.failWith(error);
    }
  }

  #complete() {
    const file = new File(this.#parts, this.name, { type: this.type });
    this.#parts = [];
    this.#say({ type: 'done' });
    this.succeed(file);
  }

  #refuse() {
    this.#say({ type: 'failed' });
    this.fail('checksum_mismatch');
  }

  /** Takes as much as fits into the present block and returns the rest. */
  #fill(bytes) {
    this.#block ??= { bytes: new Uint8Array(Math.min(blockBytes, this.size - this.#received)), used: 0 };
    const block = this.#block;
    const part = bytes.subarray(0, block.bytes.length - block.used);
    block.bytes.set(part, block.used);
    block.used += part.length;
    this.#received += part.length;
    if (block.used === block.bytes.length) this.#closeBlock();
    return bytes.subarray(part.length);
  }

  #closeBlock() {
    if (!this.#block) return;
    const bytes = this.#block.bytes.subarray(0, this.#block.used);
    const index = this.#parts.length;
    this.#block = null;
    this.#parts.push(new Blob([bytes])); // which the browser may move out of memory
    this.#hashing = this.#hashing.then(() => this.#digests.add(index, bytes));
    this.#hashing.catch(() => {}); // finish() meets it
  }
}
