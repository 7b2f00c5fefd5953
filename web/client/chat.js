// Text: over the data channel where one is open, else through the room.

import { Emitter } from './emitter.js';
import { TurnpikeError } from './errors.js';
import { findPeer } from './peers.js';

const roomEvent = 'chat';
/** What any data channel and the room's own limit let through with room to spare. */
const maxBytes = 32 * 1024;
const utf8 = new TextEncoder();

function readText(data) {
  if (typeof data !== 'string') return null;
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}

export class Chat extends Emitter {
  #room;
  #timers;
  #channels = new Map();
  #stop;

  constructor(room, { timers }) {
    super();
    this.#room = room;
    this.#timers = timers;
    this.#stop = room.on('message', (message) => {
      if (message.event === roomEvent) this.#onMessage(message.peer, message.data, message.private);
    });
  }

  /** Uses `channel` for this peer from now on. */
  attach(peer, channel) {
    this.#channels.set(peer, channel);
    channel.addEventListener('message', ({ data }) => this.#onMessage(peer, readText(data), false));
    channel.addEventListener('close', () => {
      if (this.#channels.get(peer) === channel) this.#channels.delete(peer);
    });
  }

  async send(text, { to } = {}) {
    if (utf8.encode(text).length > maxBytes) {
      throw new TurnpikeError('too_large', `a chat message must not exceed ${maxBytes} bytes`);
    }
    const everybody = [...this.#room.peers.values()];
    const receivers = to === undefined ? everybody : [to].flat().map((ref) => findPeer(this.#room, ref));
    const message = { text, at: this.#timers.now(), private: to !== undefined };
    const direct = receivers.filter((peer) => this.#sendDirectly(peer, message));
    const rest = receivers.filter((peer) => !direct.includes(peer));
    if (rest.length === 0) return { delivered: direct.length };
    const isForAll = to === undefined && direct.length === 0;
    const { delivered } = await this.#room.send(roomEvent, message, isForAll ? {} : { to: rest });
    return { delivered: direct.length + delivered };
  }

  close() {
    this.#stop();
  }

  #sendDirectly(peer, message) {
    const channel = this.#channels.get(peer);
    if (channel?.readyState !== 'open') return false;
    try {
      channel.send(JSON.stringify(message));
      return true;
    } catch {
      return false; // its buffer is full
    }
  }

  /** @param isPrivate what the room says; the message itself knows better, for it may come in parts */
  #onMessage(peer, message, isPrivate) {
    if (!peer || typeof message?.text !== 'string') return;
    const { text } = message;
    const at = Number.isFinite(message.at) ? message.at : this.#timers.now();
    this.emit('message', { peer, text, at, private: message.private ?? isPrivate });
  }
}
