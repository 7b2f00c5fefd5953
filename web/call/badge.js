// The way to a peer, and how good it is.

import { el, icon, setIcon } from '../assets/ui/dom.js';
import { setPlain, setText, t } from '../assets/ui/i18n.js';

/**
 * @param {import('../turnpike.js').CallPath | null} path
 * @returns {'none'|'direct'|'nat'|'relay'}
 */
export function kindOf(path) {
  if (!path) return 'none';
  const ends = [path.local, path.remote];
  if (ends.includes('relay')) return 'relay';
  return ends.every((end) => end === 'host') ? 'direct' : 'nat';
}

/** The string and its values that name the way: "Relayed (UDP)". */
export function pathText(path) {
  const kind = kindOf(path);
  if (kind === 'relay' && path.relayProtocol) return ['path.relay.over', { protocol: path.relayProtocol.toUpperCase() }];
  return [`path.${kind}`];
}

/** The worst of what comes in, in percent; null: not measured yet. */
export function lossOf({ incoming }) {
  const losses = [incoming.audio, incoming.video].map((flow) => flow?.lossPercent).filter((loss) => loss != null);
  return losses.length > 0 ? Math.max(...losses) : null;
}

const rounded = (value, digits) => Number(value.toFixed(digits));

export const rateText = (kbps) => (kbps >= 1000
  ? t('unit.mbps', { n: rounded(kbps / 1000, 1) })
  : t('unit.kbps', { n: Math.round(kbps) }));

/** The measurements as short texts, those there are. */
export function numbersOf({ rttMs, kbpsIn, ...stats }) {
  const loss = lossOf(stats);
  return [
    rttMs !== null && { name: 'rtt', text: t('unit.ms', { n: Math.round(rttMs) }) },
    loss !== null && { name: 'loss', text: t('unit.loss', { n: rounded(loss, 1) }) },
    kbpsIn !== null && { name: 'rate', text: rateText(kbpsIn) },
  ].filter(Boolean);
}

/** The badge of one tile. */
export class Badge {
  #picture = icon('path-none');
  #name = el('span', { class: 'path-name', t: 'path.none' });
  #numbers = el('span', { class: 'path-numbers' });

  constructor() {
    this.#picture.classList.add('path-icon');
    this.element = el('p', { class: 'badge', data: { path: 'none' } }, this.#picture, this.#name, this.#numbers);
  }

  showPath(path) {
    const kind = kindOf(path);
    this.element.dataset.path = kind;
    setIcon(this.#picture, `path-${kind}`);
    setText(this.#name, ...pathText(path));
  }

  showState(state) {
    if (state === 'connected') return;
    this.element.dataset.path = 'none';
    setIcon(this.#picture, 'path-none');
    setText(this.#name, `state.${state}`);
    setPlain(this.#numbers, '');
  }

  showStats(stats) {
    this.showPath(stats.path);
    this.#numbers.replaceChildren(...numbersOf(stats).map(({ name, text }) => el('span', { data: { number: name } }, text)));
  }
}
