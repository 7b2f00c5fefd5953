// One file in the log: what it is, from or to whom, how far it has come, what can be done.

import { el, icon } from '../assets/ui/dom.js';
import { setText, t } from '../assets/ui/i18n.js';

export function sizeText(bytes) {
  const units = ['B', 'kB', 'MB', 'GB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return t('unit.size', { n: Number(value.toFixed(value < 10 && power > 0 ? 1 : 0)), unit: units[power] });
}

const failures = ['declined', 'cancelled', 'checksum_mismatch', 'no_such_peer'];

/** The line of one transfer: to whom, bar, state, buttons. */
export class TransferLine {
  #state = el('span', { class: 'transfer-state small' });
  #bar = el('progress', { max: '1', value: '0', hidden: true });
  #buttons = el('span', { class: 'transfer-buttons' });

  constructor({ key, name, file }) {
    this.#bar.setAttribute('aria-label', file);
    this.element = el('div', { class: 'transfer' },
      el('div', { class: 'transfer-head small' }, el('span', { class: 'soft', t: [key, { name }] }), this.#state),
      this.#bar, this.#buttons);
  }

  say(key, values) {
    setText(this.#state, key, values);
  }

  offer(...buttons) {
    this.#buttons.replaceChildren(...buttons);
  }

  showProgress({ done, total }) {
    this.#bar.hidden = false;
    this.#bar.value = total > 0 ? done / total : 1;
    this.say('files.progress', { n: total > 0 ? Math.floor((done / total) * 100) : 100 });
  }

  finish(key) {
    this.#bar.hidden = true;
    this.offer();
    this.say(key);
  }

  fail(error) {
    this.finish(failures.includes(error.code) ? `files.${error.code}` : 'files.failed');
    this.element.classList.add('failed');
  }
}

export const fileButton = (key, onclick, picture, kind = '') =>
  el('button', { class: `button slim ${kind}`, type: 'button', onclick }, picture && icon(picture), el('span', { t: key }));

/** The card with the lines below it. */
export function fileCard({ name, size, isOwn }, lines) {
  return el('div', { class: `message file${isOwn ? ' own' : ''}` },
    el('div', { class: 'file-head' }, icon('file'), el('div', {}, el('p', { class: 'file-name' }, name), el('p', { class: 'soft small' }, sizeText(size)))),
    ...lines.map(({ element }) => element));
}
