// One connection alone: what it says to what it hears.

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Link } from '../client/link.js';
import { record, until } from './lib/events.mjs';
import { FakeConnection, FakeStream } from './lib/fake_rtc.mjs';
import { VirtualTimers } from './lib/timers.mjs';

const local = { stream: new FakeStream(), track: () => null };
const offer = (version = 1) => ({
  type: 'offer',
  sdp: JSON.stringify({ from: 999, to: null, version, generation: 0, kinds: ['audio', 'video'], streams: [] }),
});

let said;
let connection;

beforeEach(() => {
  said = [];
});

function makeLink({ polite, begins }) {
  connection = new FakeConnection();
  return new Link({
    peer: { polite },
    local,
    say: (data) => said.push(data),
    makeConnection: () => connection,
    MediaStream: FakeStream,
    timers: new VirtualTimers().functions,
    begins,
  });
}

const descriptions = () => said.filter(({ description }) => description).map(({ description }) => description);
const offered = () => until('an offer', () => descriptions().length > 0);
/** Everything before it has been dealt with once this candidate has. */
async function atRest(link) {
  link.receive({ candidate: { candidate: 'the last' } });
  await until('the last candidate', () => connection.candidates.some((candidate) => candidate?.candidate === 'the last'));
}

describe('When offers collide', () => {
  it('the polite side takes its own back and answers', async () => {
    const link = makeLink({ polite: true, begins: true });
    await offered();
    link.receive({ description: offer(), pc: 'x' });
    await atRest(link);
    assert.deepEqual(descriptions().map(({ type }) => type).slice(0, 2), ['offer', 'answer']);
  });

  it('the other side stays with its own, and with silence about what belongs to the other', async () => {
    const link = makeLink({ polite: false, begins: true });
    const errors = record(link, 'error');
    await offered();
    connection.addIceCandidate = () => Promise.reject(new Error('unknown ufrag'));
    connection.remoteDescription = { sdp: '{"from":999}' };
    link.receive({ description: offer(), pc: 'x' });
    link.receive({ candidate: { candidate: 'of the ignored offer' }, pc: 'x' });
    link.repeatOffer();
    await until('the repeated offer', () => descriptions().length === 2);
    assert.deepEqual(descriptions().map(({ type }) => type), ['offer', 'offer']);
    assert.deepEqual(errors, []);
    assert.equal(connection.signalingState, 'have-local-offer');
  });
});

describe('A link', () => {
  it('keeps candidates that come before the description', async () => {
    const link = makeLink({ polite: true, begins: false });
    link.receive({ candidate: { candidate: 'early' }, pc: 'x' });
    link.receive({ description: offer(), pc: 'x' });
    await atRest(link);
    assert.equal(connection.candidates[0].candidate, 'early');
  });

  it('says an unanswered offer again when it is to look for another way', async () => {
    const link = makeLink({ polite: true, begins: true });
    await offered();
    link.restart();
    await until('the offer again', () => descriptions().length === 2);
    assert.deepEqual(descriptions()[1], descriptions()[0]);
  });

  it('says nothing before the first offer of a newcomer', async () => {
    const link = makeLink({ polite: true, begins: false });
    link.restart();
    link.repeatOffer();
    link.receive({ description: offer(), pc: 'x' });
    await atRest(link);
    assert.deepEqual(descriptions().map(({ type }) => type), ['answer']);
  });

  it('tells candidates that it cannot use', async () => {
    const link = makeLink({ polite: true, begins: false });
    const errors = record(link, 'error');
    link.receive({ description: offer(), pc: 'x' });
    await atRest(link);
    connection.addIceCandidate = () => Promise.reject(new Error('nonsense'));
    link.receive({ candidate: { candidate: '!' }, pc: 'x' });
    await until('the error', () => errors.length === 1);
  });

  it('does not care for answers that nobody waits for', async () => {
    const link = makeLink({ polite: true, begins: false });
    const errors = record(link, 'error');
    link.receive({ description: offer(), pc: 'x' });
    link.receive({ description: { type: 'answer', sdp: '{}' }, pc: 'x' });
    await atRest(link);
    assert.deepEqual(errors, []);
  });

  it('ends what it had begun when it is closed', async () => {
    const link = makeLink({ polite: true, begins: true });
    const events = record(link, 'state', 'error');
    link.close();
    link.close();
    link.receive({ description: offer(), pc: 'x' });
    await new Promise(setImmediate);
    assert.deepEqual(events, [['state', 'closed']]);
    assert.deepEqual(descriptions(), []);
  });
});
