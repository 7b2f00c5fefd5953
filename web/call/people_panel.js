// Everybody in the room, the way to each in full, and for owners a way to put somebody out.

import { byId, el, icon } from '../assets/ui/dom.js';
import { t } from '../assets/ui/i18n.js';
import { kindOf, lossOf, pathText, rateText } from './badge.js';

const entry = (key, text) => el('div', {}, el('dt', { t: key }), el('dd', {}, text));

function measurements(stats) {
  if (!stats) return null;
  const { rttMs, kbpsIn, kbpsOut, incoming } = stats;
  const loss = lossOf(stats);
  const video = incoming.video;
  return el('dl', { class: 'measurements small' },
    rttMs !== null && entry('stats.rtt', t('unit.ms', { n: Math.round(rttMs) })),
    loss !== null && entry('stats.loss', `${Number(loss.toFixed(1))} %`),
    kbpsIn !== null && entry('stats.in', rateText(kbpsIn)),
    kbpsOut !== null && entry('stats.out', rateText(kbpsOut)),
    video?.width && entry('stats.picture', `${video.width} × ${video.height}`));
}

export class PeoplePanel {
  #stats = new Map();

  /** @param {import('../turnpike.js').Call} call @param {() => boolean} isOpen */
  constructor(call, isOpen, onKick) {
    Object.assign(this, { call, isOpen, onKick });
  }

  update(stats) {
    this.#stats.set(stats.peer.id, stats);
    this.refresh();
  }

  /** Draws it anew, but not below the reader's hand: a focused button stays. */
  refresh() {
    if (!this.isOpen() || byId('people').contains(document.activeElement)) return;
    this.show();
  }

  show() {
    const { self, peers } = this.call.room;
    const own = el('li', {}, el('p', { class: 'person' }, el('b', { t: ['tile.self', { name: self.name }] }), el('span', { class: 'soft small', t: `role.${self.role}` })));
    byId('people').replaceChildren(own, ...[...peers.values()].map((peer) => this.#row(peer)));
  }

  #row(peer) {
    const path = this.call.pathOf(peer);
    const state = this.call.stateOf(peer);
    const isConnected = state === 'connected';
    const canKick = this.call.room.self.role === 'owner';
    return el('li', {},
      el('div', { class: 'person' },
        el('b', {}, peer.name),
        canKick && el('button', { class: 'button slim', type: 'button', label: ['owner.kick.label', { name: peer.name }], onclick: () => this.onKick(peer) }, icon('remove'), el('span', { t: 'owner.kick' }))),
      el('p', { class: 'way small', data: { path: isConnected ? kindOf(path) : 'none' } },
        el('span', { t: isConnected ? pathText(path) : [`state.${state}`] })),
      isConnected && path && el('p', { class: 'soft small', t: [`path.${kindOf(path)}.note`] }),
      isConnected && measurements(this.#stats.get(peer.id)));
  }
}
