// A file that we send: offered, then read block by block and sent as fast as the channel takes it.

import { blockBytes, chunkBytes, Digests, makeChunk, Transfer } from './transfer.js';

/** Above the first we wait until the channel has sent down to the second. */
const mostBuffered = 1024 * 1024;
const lowBuffered = 256 * 1024;

/** Resolves when the channel has sent most of what it was given, or has closed. */
function drained(channel) {
  return new Promise((resolve) => {
    const finish = () => {
      channel.removeEventListener('bufferedamountlow', finish);
      channel.removeEventListener('close', finish);
      resolve();
    };
    channel.addEventListener('bufferedamountlow', finish);
    channel.addEventListener('close', finish);
  });
}

export class Outgoing extends Transfer {
  #say;
  #number;
  #file;
  #digests = new Digests();
  #channel = null;
  /** Which sending is going on. A new connection begins a new one, and the one before gives up. */
  #run = 0;

  /**
   * @param number names the transfer on the channel
   * @param say `(message)` to the receiver
   */
  constructor(number, say, file, about) {
    super({ ...about, id: String(number) });
    this.#number = number;
    this.#say = (message) => say({ ...message, id: number });
    this.#file = file;
  }

  /** There is an open channel: the receiver is asked, or asked again how much it has. */
  offerOn(channel) {
    this.#channel = channel;
    channel.bufferedAmountLowThreshold = lowBuffered;
    const { name, size, type } = this;
    this.#say({ type: 'offer', name, size, mime: type });
  }

  pause() {
    this.#run += 1;
    this.#channel = null;
    if (this.state === 'active') this.state = 'paused';
  }

  cancel() {
    if (this.isOver) return;
    this.#say({ type: 'withdraw' });
    this.fail('cancelled');
  }

  /** @param code why */
  fail(code, message) {
    this.#run += 1;
    super.fail(code, message);
  }

  /** What the receiver says. */
  receive(message) {
    switch (message.type) {
      case 'accept':
        this.#onAccept(message.offset);
        break;
      case 'decline':
        this.fail('declined');
        break;
      case 'done':
        this.succeed();
        break;
      case 'failed':
        this.fail('checksum_mismatch');
        break;
      case 'stop':
        this.fail('cancelled');
        break;
      default: // of a newer client
    }
  }

  #onAccept(offset) {
    if (!this.#channel || this.isOver || !Number.isInteger(offset) || offset < 0 || offset > this.size) return;
    this.state = 'active';
    this.#run += 1;
    const channel = this.#channel;
    this.#sendFrom(offset, channel, this.#run).catch((error) => {
      if (channel.readyState !== 'open') return; // it goes on over the next one
      // The file cannot be read (any more), or the browser cannot hash.
      this.#say({ type: 'withdraw' });
      this.failWith(error);
    });
  }

  async #sendFrom(offset, channel, run) {
    const isCurrent = () => run === this.#run;
    const firstBlock = Math.floor(offset / blockBytes);
    for (let index = firstBlock; index * blockBytes < this.size; index += 1) {
      const start = index * blockBytes;
      const block = new Uint8Array(await this.#file.slice(start, start + blockBytes).arrayBuffer());
      await this.#digests.add(index, block);
      const from = Math.max(offset - start, 0);
      if (!(await this.#sendBlock(channel, block, { start, from, isCurrent }))) return;
    }
    const sha256 = await this.#digests.finish();
    if (isCurrent()) this.#say({ type: 'end', sha256 });
  }

  /** Returns false when this sending is not the current one any more. */
  async #sendBlock(channel, block, { start, from, isCurrent }) {
    for (let at = from; at < block.length; at += chunkBytes) {
      while (isCurrent() && channel.bufferedAmount > mostBuffered) await drained(channel);
      if (!isCurrent()) return false;
      const chunk = block.subarray(at, at + chunkBytes);
      channel.send(makeChunk(this.#number, chunk));
      this.advanceTo(start + at + chunk.length);
    }
    return isCurrent();
  }
}
