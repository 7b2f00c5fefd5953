// Files from peer to peer, over data channel 1: who offers what, and which message belongs where.

import { Emitter } from './emitter.js';
import { Incoming } from './incoming.js';
import { Outgoing } from './outgoing.js';
import { findPeer } from './peers.js';
import { readChunk } from './transfer.js';

const maxWaitingOffers = 100;
const maxNameLength = 255;

function readControl(text) {
  try {
    const message = JSON.parse(text);
    return Number.isInteger(message?.id) ? message : null;
  } catch {
    return null;
  }
}

const isOffer = ({ name, size }) => typeof name === 'string' && Number.isSafeInteger(size) && size >= 0;

/** A name without a path: it comes from a stranger. */
const plainName = (name) => name.replace(/[\\/\u0000-\u001f\u007f]/g, '_').slice(0, maxNameLength) || 'file';

/** All transfers with one peer, and the channel to it. */
class Counterpart {
  outgoing = new Map();
  incoming = new Map();
  #channel = null;
  #unsaid = [];

  get all() {
    return [...this.outgoing.values(), ...this.incoming.values()];
  }

  get hasChannel() {
    return this.#channel?.readyState === 'open';
  }

  /** All else that could not be said is made up for when transfers are offered again. */
  say(message) {
    if (this.hasChannel) this.#channel.send(JSON.stringify(message));
    else if (message.type === 'withdraw') this.#unsaid.push(message);
  }

  use(channel) {
    this.release();
    this.#channel = channel;
    channel.addEventListener('open', () => this.#onOpen(channel));
    channel.addEventListener('close', () => {
      if (this.#channel === channel) this.release();
    });
  }

  release() {
    this.#channel = null;
    for (const transfer of this.all) transfer.pause();
  }

  #onOpen(channel) {
    if (this.#channel !== channel) return;
    for (const message of this.#unsaid.splice(0)) this.say(message);
    for (const transfer of this.outgoing.values()) transfer.offerOn(channel);
  }

  offer(transfer) {
    if (this.hasChannel) transfer.offerOn(this.#channel);
  }
}

export class Files extends Emitter {
  #room;
  #counterparts = new Map();
  #stop;

  constructor(room) {
    super();
    this.#room = room;
    this.#stop = room.on('peer-left', ({ peer }) => this.#forget(peer, 'no_such_peer'));
  }

  send(ref, file, { name = file.name ?? 'file', onProgress } = {}) {
    const peer = findPeer(this.#room, ref);
    const counterpart = this.#with(peer);
    const number = globalThis.crypto.getRandomValues(new Uint32Array(1))[0];
    const about = { peer, name, size: file.size, type: file.type };
    const transfer = new Outgoing(number, (message) => counterpart.say(message), file, about);
    transfer.listenForProgress(onProgress);
    counterpart.outgoing.set(number, transfer);
    transfer.done.catch(() => {}).then(() => counterpart.outgoing.delete(number));
    counterpart.offer(transfer);
    return transfer;
  }

  /** Uses `channel` for this peer from now on. */
  attach(peer, channel) {
    const counterpart = this.#with(peer);
    channel.binaryType = 'arraybuffer';
    channel.addEventListener('message', ({ data }) => this.#onMessage(peer, counterpart, data));
    counterpart.use(channel);
  }

  /** The connection to the peer is closed; there may be another one. */
  detach(peer) {
    this.#counterparts.get(peer)?.release();
  }

  close() {
    this.#stop();
    for (const peer of [...this.#counterparts.keys()]) this.#forget(peer, 'closed');
  }

  #with(peer) {
    if (!this.#counterparts.has(peer)) this.#counterparts.set(peer, new Counterpart());
    return this.#counterparts.get(peer);
  }

  #forget(peer, code) {
    const counterpart = this.#counterparts.get(peer);
    this.#counterparts.delete(peer);
    for (const transfer of counterpart?.incoming.values() ?? []) this.#withdraw(transfer);
    for (const transfer of counterpart?.all ?? []) transfer.fail(code);
  }

  #onMessage(peer, counterpart, data) {
    if (typeof data !== 'string') {
      const chunk = readChunk(data);
      if (chunk) counterpart.incoming.get(chunk.number)?.take(chunk.bytes);
      return;
    }
    const message = readControl(data);
    if (!message) return;
    if (message.type === 'offer') this.#onOffer(peer, counterpart, message);
    else if (message.type === 'end') counterpart.incoming.get(message.id)?.finish(message.sha256);
    else if (message.type === 'withdraw') this.#onWithdraw(counterpart.incoming.get(message.id));
    else counterpart.outgoing.get(message.id)?.receive(message);
  }

  #onOffer(peer, counterpart, message) {
    if (!isOffer(message)) return;
    const known = counterpart.incoming.get(message.id);
    if (known) {
      known.onOfferedAgain();
      return;
    }
    const waiting = [...counterpart.incoming.values()].filter(({ state }) => state === 'offered');
    if (waiting.length >= maxWaitingOffers) {
      counterpart.say({ type: 'decline', id: message.id });
      return;
    }
    const { size, mime } = message;
    const about = { peer, name: plainName(message.name), size, type: typeof mime === 'string' ? mime : '' };
    const transfer = new Incoming(message.id, (reply) => counterpart.say(reply), about);
    counterpart.incoming.set(message.id, transfer);
    this.emit('offer', this.#offerOf(transfer));
  }

  #offerOf(transfer) {
    const { id, peer, name, size, type } = transfer;
    return {
      id, peer, name, size, type,
      accept({ onProgress } = {}) {
        transfer.listenForProgress(onProgress);
        if (transfer.state === 'offered') transfer.acceptFrom();
        return transfer;
      },
      decline: () => transfer.decline(),
    };
  }

  #onWithdraw(transfer) {
    if (!transfer) return;
    this.#withdraw(transfer);
    transfer.fail('cancelled');
  }

  #withdraw({ state, id, peer }) {
    if (state === 'offered') this.emit('withdrawn', { id, peer });
  }
}
