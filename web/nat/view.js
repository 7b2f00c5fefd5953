// What the NAT page shows of a test, while it runs and after.

import { byId, el, icon, setIcon } from '../assets/ui/dom.js';
import { setPlain, setText } from '../assets/ui/i18n.js';

const verdictIcons = { idle: 'gate-wait', busy: 'gate-wait', good: 'gate-open', fair: 'gate-open', bad: 'gate-closed' };

/** @param {'idle'|'busy'|'good'|'fair'|'bad'} tone */
export function showVerdict(tone, key, values) {
  const section = byId('verdict');
  section.dataset.tone = tone;
  setIcon(section.querySelector('.gate'), verdictIcons[tone]);
  setText(byId('verdict-text'), key, values);
}

export function showProblem(key, remedy, values) {
  byId('problem').replaceChildren(...(key ? [
    el('div', { class: 'notice bad' }, icon('alert'),
      el('p', {}, el('b', { t: [key, values] }), el('span', { t: [remedy, values] }))),
  ] : []));
}

function candidateRow({ type, protocol, address, port, relayProtocol }) {
  return el('tr', {},
    el('th', { scope: 'row' }, el('span', { class: `kind ${type}`, t: `nat.type.${type}` })),
    el('td', { class: 'mono' }, `${address}:${port}`),
    relayProtocol
      ? el('td', { t: ['nat.relayedOver', { protocol: relayProtocol.toUpperCase() }] })
      : el('td', {}, (protocol ?? '').toUpperCase()));
}

function candidateTable(candidates) {
  const head = ['type', 'address', 'transport'].map((name) => el('th', { scope: 'col', t: `nat.column.${name}` }));
  return el('table', {}, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...candidates.map(candidateRow)));
}

const errorItem = ({ code, text, address }) =>
  el('li', { class: 'mono' }, [code, text, address].filter(Boolean).join(' · '));

/** One server: a lane with a gate that opens or stays shut. */
export class Lane {
  constructor(server) {
    this.gate = icon('gate-wait');
    this.state = el('span', { class: 'state', t: 'nat.state.waiting' });
    this.why = el('p', { class: 'why' });
    this.numbers = el('p', { class: 'numbers', hidden: true });
    this.more = el('details', { hidden: true });
    this.element = el('li', { class: 'lane', data: { tone: 'busy' } },
      el('div', { class: 'lane-head' },
        el('span', { class: 'transport', 'aria-hidden': 'true' }, server.transport.toUpperCase()),
        el('h3', { class: 'mono' }, server.url),
        el('span', { class: 'road', 'aria-hidden': 'true' }),
        el('span', { class: 'gate-state' }, this.gate, this.state)),
      this.why, this.numbers, this.more);
  }

  showTesting() {
    setText(this.state, 'nat.state.testing');
  }

  showResult({ found, verdict }) {
    this.element.dataset.tone = verdict.works ? 'good' : 'bad';
    setIcon(this.gate, verdict.works ? 'gate-open' : 'gate-closed');
    setText(this.state, verdict.works ? 'nat.state.works' : 'nat.state.fails');
    this.why.replaceChildren(
      el('span', { t: [verdict.why, verdict.values] }),
      verdict.remedy ? el('span', { class: 'remedy', t: [verdict.remedy, verdict.values] }) : '');
    this.more.hidden = false;
    this.more.replaceChildren(
      el('summary', { t: ['nat.candidates', { n: found.candidates.length, ms: found.ms }] }),
      found.candidates.length > 0 ? candidateTable(found.candidates) : el('p', { class: 'soft small', t: 'nat.candidates.none' }),
      found.errors.length > 0 ? el('ul', { class: 'errors small' }, ...found.errors.map(errorItem)) : '');
  }

  showCalling() {
    setText(this.state, 'nat.state.calling');
  }

  showLoop(loop) {
    setText(this.state, 'nat.state.works');
    this.numbers.hidden = false;
    if (loop.problem) {
      this.element.dataset.tone = 'fair';
      this.numbers.replaceChildren(el('span', { t: loop.problem }));
    } else {
      this.numbers.replaceChildren(
        el('span', { class: 'number', t: ['nat.loop.speed', { kbps: loop.kbps }] }),
        el('span', { class: 'number', t: ['nat.loop.rtt', { rttMs: loop.rttMs }] }),
        el('span', { class: 'soft small', t: 'nat.loop.note' }));
    }
  }
}

const fact = (name, key) =>
  el('div', { class: 'fact' }, el('dt', { t: name }), el('dd', {}, el('b', { t: `${key}` }), el('span', { class: 'soft', t: `${key}.note` })));

/** Makes a lane for each server and returns them. */
export function showServers(servers) {
  const lanes = servers.map((server) => new Lane(server));
  byId('servers').replaceChildren(...lanes.map(({ element }) => element));
  byId('facts').replaceChildren();
  byId('promises').hidden = true;
  byId('results').hidden = false;
  byId('report-section').hidden = true;
  return lanes;
}

export function showFacts({ mapping, ipv6 }) {
  byId('facts').replaceChildren(
    fact('nat.mapping', `nat.mapping.${mapping.kind}`),
    fact('nat.ipv6', `nat.ipv6.${ipv6}`));
}

export function showReport(text) {
  setPlain(byId('report'), text);
  byId('report-section').hidden = false;
}
