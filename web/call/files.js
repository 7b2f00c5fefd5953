// Files: sending them to everybody, taking or refusing what is offered.

import { byId, el } from '../assets/ui/dom.js';
import { announce, propose } from './announce.js';
import { fileButton, fileCard, TransferLine } from './file_card.js';

export class FilesInCall {
  /** Offers that nobody has answered yet. */
  #offers = new Map();
  #links = [];

  /** @param {import('../turnpike.js').Call} call @param {import('./chat_panel.js').ChatPanel} chat */
  constructor(call, chat, openChat) {
    Object.assign(this, { call, chat, openChat });
    call.files.on('offer', (offer) => this.#onOffer(offer));
    call.files.on('withdrawn', ({ id, peer }) => this.#onWithdrawn(id, peer));
  }

  start(signal) {
    const input = byId('file-input');
    byId('attach').addEventListener('click', () => input.click(), { signal });
    input.addEventListener('change', () => {
      this.send([...input.files]);
      input.value = '';
    }, { signal });
  }

  /** Offers each file to everyone who is connected. */
  send(files) {
    const peers = [...this.call.room.peers.values()].filter((peer) => this.call.stateOf(peer) !== 'closed');
    if (peers.length === 0) {
      announce('files.nobody', {}, 'file');
      return;
    }
    for (const file of files) this.#sendOne(file, peers);
    if (files.length > 0) this.openChat();
  }

  #sendOne(file, peers) {
    const lines = peers.map((peer) => this.#sendTo(peer, file));
    this.chat.addEntry(fileCard({ name: file.name, size: file.size, isOwn: true }, lines), true);
  }

  #sendTo(peer, file) {
    const line = new TransferLine({ key: 'files.to', name: peer.name, file: file.name });
    const transfer = this.call.files.send(peer, file, { onProgress: (progress) => line.showProgress(progress) });
    line.say('files.waiting');
    line.offer(fileButton('files.cancel', () => transfer.cancel()));
    transfer.done.then(() => line.finish('files.sent'), (error) => line.fail(error));
    return line;
  }

  #onOffer(offer) {
    const { peer, name, size } = offer;
    const line = new TransferLine({ key: 'files.from', name: peer.name, file: name });
    const dismiss = this.chat.isOpen() ? () => {} : this.#propose(peer, name);
    const answered = () => {
      this.#offers.delete(offer.id);
      dismiss();
    };
    line.offer(
      fileButton('files.accept', () => {
        answered();
        this.#receive(offer, line);
      }, 'download', 'primary'),
      fileButton('files.decline', () => {
        answered();
        offer.decline();
        line.finish('files.declinedByUs');
      }));
    this.#offers.set(offer.id, { line, answered, dismiss });
    this.chat.addEntry(fileCard({ name, size, isOwn: false }, [line]), false);
  }

  #propose(peer, name) {
    const values = { name: peer.name, file: name };
    return propose('files.offered', values, { picture: 'file', label: 'files.show', onAccept: this.openChat });
  }

  /** The chat is open: the offers are in sight there. */
  hideProposals() {
    for (const { dismiss } of this.#offers.values()) dismiss();
  }

  async #receive(offer, line) {
    const transfer = offer.accept({ onProgress: (progress) => line.showProgress(progress) });
    line.offer(fileButton('files.cancel', () => transfer.cancel()));
    try {
      this.#showReceived(await transfer.done, line);
    } catch (error) {
      line.fail(error);
    }
  }

  #showReceived(file, line) {
    const link = URL.createObjectURL(file);
    this.#links.push(link);
    line.finish('files.received');
    const save = el('a', { class: 'button slim primary', href: link, download: file.name, t: 'files.save' });
    line.offer(save);
    announce('files.arrived', { file: file.name }, 'file');
  }

  #onWithdrawn(id, peer) {
    const offer = this.#offers.get(id);
    if (!offer) return;
    offer.answered();
    offer.line.finish('files.withdrawn');
    announce('files.withdrawn.by', { name: peer.name }, 'file');
  }

  close() {
    for (const link of this.#links) URL.revokeObjectURL(link);
  }
}
