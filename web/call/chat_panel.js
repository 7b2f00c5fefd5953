// The chat: a log of messages and files, and how many of them are unread.

import { byId, el } from '../assets/ui/dom.js';
import { language, setLabel, setPlain } from '../assets/ui/i18n.js';
import { announce } from './announce.js';

const timeText = (at) => new Date(at).toLocaleTimeString(language(), { hour: '2-digit', minute: '2-digit' });

export class ChatPanel {
  #unread = 0;
  #log = byId('chat-log');

  /** `isOpen()` tells whether the chat is on the screen. */
  constructor(isOpen) {
    this.isOpen = isOpen;
    this.#log.replaceChildren(el('div', { class: 'chat-empty soft', t: 'chat.empty' }));
    this.showRead();
  }

  /** Sends with `send(text)`; the field is emptied at once. */
  start(send, signal) {
    const field = byId('chat-text');
    byId('chat-form').addEventListener('submit', async (event) => {
      event.preventDefault();
      const text = field.value.trim();
      if (!text) return;
      field.value = '';
      const entry = this.add({ text, at: Date.now(), isOwn: true });
      try {
        await send(text);
      } catch {
        entry.append(el('p', { class: 'failed small', t: 'chat.failed' }));
      }
    }, { signal });
  }

  /** A message of ours or of another; returns its element. */
  add({ name, text, at, isOwn = false }) {
    const entry = el('div', { class: `message${isOwn ? ' own' : ''}` },
      el('p', { class: 'message-head' }, isOwn ? el('span', { t: 'chat.you' }) : el('b', {}, name), el('time', { datetime: new Date(at).toISOString() }, timeText(at))),
      el('p', { class: 'message-text' }, text));
    this.addEntry(entry, isOwn);
    if (!isOwn && !this.isOpen()) announce('chat.arrived', { name, text: text.slice(0, 120) }, 'chat');
    return entry;
  }

  /** Somebody came or went. */
  addNote(key, values) {
    this.addEntry(el('div', { class: 'note soft small', t: [key, values] }), true);
  }

  /** Anything that belongs in the log: files are shown here, too. */
  addEntry(element, isOwn) {
    const isAtEnd = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 80;
    this.#log.querySelector('.chat-empty')?.remove();
    this.#log.append(element);
    if (isOwn || isAtEnd) this.#log.scrollTop = this.#log.scrollHeight;
    if (!isOwn && !this.isOpen()) this.#showUnread(this.#unread + 1);
  }

  showRead() {
    this.#showUnread(0);
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  #showUnread(count) {
    this.#unread = count;
    const mark = byId('unread');
    mark.hidden = count === 0;
    setPlain(mark, count > 9 ? '9+' : String(count));
    if (count === 0) setLabel(byId('chat'), 'control.chat');
    else setLabel(byId('chat'), 'control.chat.unread', { n: count });
  }
}
