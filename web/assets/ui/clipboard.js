// Copying, with the answer on the button itself.

import { setIcon } from './dom.js';
import { setText } from './i18n.js';

const shownMs = 2000;

/** `button` copies what `read()` returns, and says so for a moment. Its text is in a [data-t]. */
export function copyButton(button, read, announce) {
  const text = button.querySelector('[data-t]');
  const key = text.dataset.t;
  let timer;
  const show = (name, said) => {
    setIcon(button, name);
    setText(text, said);
    clearTimeout(timer);
    timer = setTimeout(() => {
      setIcon(button, 'copy');
      setText(text, key);
    }, shownMs);
    announce(said);
  };
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(read());
      show('check', 'copy.done');
    } catch {
      show('alert', 'copy.failed');
    }
  });
}
