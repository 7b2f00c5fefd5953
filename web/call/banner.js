// The strip above the stage that stays as long as what it tells is so.

import { byId, el, icon } from '../assets/ui/dom.js';

/** @param {string | null} key null takes it away */
export function showBanner(key, values) {
  const banner = byId('banner');
  banner.hidden = key === null;
  banner.replaceChildren(...(key === null ? [] : [icon('refresh'), el('span', { t: [key, values] })]));
}
