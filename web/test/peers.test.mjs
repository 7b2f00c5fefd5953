// Who is who, after the server has given new names.

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Peers, withClientId } from '../client/peers.js';
import { VirtualTimers } from './lib/timers.mjs';

let events;
let timers;
let peers;

beforeEach(() => {
  events = [];
  timers = new VirtualTimers();
  peers = new Peers((event, { peer, reason, isFresh }) =>
    events.push([event, peer.id, reason ?? isFresh].filter((part) => part !== undefined)), timers.functions);
});

const view = (peer, name, clientId, more = {}) =>
  ({ peer, n: 1, name, meta: clientId ? withClientId({}, clientId) : {}, polite: false, offer: true, ...more });

describe('After we have joined anew, a peer', () => {
  beforeEach(() => peers.begin([view('p_1', 'Jun', 'c1')]));

  it('with another name on the wire and the same client is the same, with new roles', () => {
    const before = peers.byId.get('p_1');
    peers.rejoin([view('p_9', 'Jun', 'c1', { n: 7, polite: true, offer: false })], 30_000);
    assert.equal(peers.byId.get('p_1'), before);
    assert.deepEqual([before.wireId, before.n, before.polite, before.offer], ['p_9', 7, true, false]);
    assert.equal(peers.onWire('p_9'), before);
    assert.equal(peers.onWire('p_1'), undefined);
    assert.deepEqual(events, [['peer-restored', 'p_1', false]]);
  });

  it('with the same name on the wire has seen us go', () => {
    peers.rejoin([view('p_1', 'Jun', 'c1')], 30_000);
    assert.deepEqual(events, [['peer-restored', 'p_1', true]]);
  });

  it('may come later, and is away until then', () => {
    peers.rejoin([], 30_000);
    assert.deepEqual(events, [['peer-away', 'p_1']]);
    timers.advance(29_999);
    peers.joined(view('p_9', 'Jun', 'c1'));
    assert.deepEqual(events.slice(1), [['peer-back', 'p_1'], ['peer-restored', 'p_1', false]]);
    timers.advance(60_000);
    assert.equal(events.length, 3);
  });

  it('has left when it did not come in time', () => {
    peers.rejoin([], 30_000);
    timers.advance(30_000);
    assert.deepEqual(events, [['peer-away', 'p_1'], ['peer-left', 'p_1', 'timeout']]);
    assert.equal(peers.byId.size, 0);
    peers.joined(view('p_9', 'Jun', 'c1'));
    assert.deepEqual(events.at(-1), ['peer-joined', 'p_9']);
  });

  it('is not one who took its client but has another name for people', () => {
    peers.rejoin([view('p_9', 'Mallory', 'c1')], 30_000);
    assert.deepEqual(events, [['peer-joined', 'p_9'], ['peer-away', 'p_1']]);
  });

  it('whose client does not tell who it is has left at once', () => {
    peers.joined(view('p_2', 'Sol'));
    events.length = 0;
    peers.rejoin([view('p_9', 'Jun', 'c1')], 30_000);
    assert.deepEqual(events, [['peer-restored', 'p_1', false], ['peer-left', 'p_2', 'timeout']]);
  });

  it('is waited for once, whatever happens meanwhile', () => {
    peers.rejoin([], 30_000);
    timers.advance(20_000);
    peers.rejoin([], 30_000);
    timers.advance(10_000);
    assert.deepEqual(events, [['peer-away', 'p_1'], ['peer-left', 'p_1', 'timeout']]);
  });

  it('is waited for no more when the room is over', () => {
    peers.rejoin([], 30_000);
    peers.end();
    assert.deepEqual(timers.due, []);
  });
});

describe('A peer', () => {
  it('does not show its client in its meta', () => {
    peers.begin([view('p_1', 'Jun', 'c1')]);
    peers.updated('p_1', withClientId({ hand: true }, 'c1'));
    assert.deepEqual(peers.byId.get('p_1').meta, { hand: true });
  });

  it('that is announced twice is one', () => {
    peers.joined(view('p_1', 'Jun', 'c1'));
    peers.joined(view('p_1', 'Jun', 'c1'));
    assert.deepEqual(events, [['peer-joined', 'p_1']]);
  });

  it('gets an id of its own where its name is one that another bore before', () => {
    peers.begin([view('p_1', 'Jun', 'c1')]);
    peers.rejoin([view('p_9', 'Jun', 'c1')], 30_000);
    peers.joined(view('p_1', 'Sol', 'c2'));
    assert.deepEqual([...peers.byId.keys()], ['p_1', "p_1'"]);
  });
});
