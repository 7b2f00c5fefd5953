// Short messages that pass: seen as toasts, heard from screen readers.

import { byId, el, icon } from '../assets/ui/dom.js';

const shownMs = 6000;
const mostAtOnce = 3;

function show(region, picture, text, button) {
  const toast = el('div', { class: 'toast' }, icon(picture), el('p', { t: text }), button);
  region.append(toast);
  while (region.childElementCount > mostAtOnce) region.firstElementChild.remove();
  return toast;
}

/** Says something: a key of the strings, and what to fill in. */
export function announce(key, values, picture = 'info') {
  const toast = show(byId('toasts'), picture, [key, values]);
  setTimeout(() => toast.remove(), shownMs);
}

/** Says that something went wrong; interrupts what a screen reader is saying. */
export function warn(key, values) {
  const toast = show(byId('urgent'), 'alert', [key, values]);
  setTimeout(() => toast.remove(), shownMs * 2);
}

/** Says something that waits for an answer: one button, and the toast goes with it. */
export function propose(key, values, { picture = 'info', label, onAccept }) {
  const button = el('button', { class: 'button slim', type: 'button', t: label });
  const toast = show(byId('toasts'), picture, [key, values], button);
  button.addEventListener('click', () => {
    toast.remove();
    onAccept();
  });
  return () => toast.remove();
}
