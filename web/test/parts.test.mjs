// The smaller parts: events, delays, chat, devices.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { loudness } from '../client/devices.js';
import { backoff } from '../client/timers.js';
import { Emitter, listDevices, openMedia, watchDevices } from '../turnpike.js';
import { next, record, until } from './lib/events.mjs';
import { FakeDevices } from './lib/fake_rtc.mjs';
import { peerOf, World } from './lib/world.mjs';

describe('An emitter', () => {
  it('calls in order, until it is told to stop', () => {
    const emitter = new Emitter();
    const heard = [];
    const stop = emitter.on('x', (value) => heard.push(['first', value]));
    emitter.on('x', (value) => heard.push(['second', value]));
    emitter.emit('x', 1);
    stop();
    stop();
    emitter.emit('x', 2);
    assert.deepEqual(heard, [['first', 1], ['second', 1], ['second', 2]]);
  });

  it('keeps two subscriptions of one function apart', () => {
    const emitter = new Emitter();
    let calls = 0;
    const listener = () => { calls += 1; };
    const stop = emitter.on('x', listener);
    emitter.on('x', listener);
    emitter.emit('x');
    stop();
    emitter.emit('x');
    assert.equal(calls, 3);
  });

  it('calls once who wants to be called once', () => {
    const emitter = new Emitter();
    const heard = record(emitter, 'never');
    emitter.once('x', (value) => heard.push(value));
    emitter.emit('x', 1);
    emitter.emit('x', 2);
    assert.deepEqual(heard, [1]);
  });

  it('is not confused by listeners that come and go while it calls', () => {
    const emitter = new Emitter();
    const heard = [];
    const stop = emitter.on('x', () => {
      stop();
      emitter.on('x', () => heard.push('new'));
      heard.push('old');
    });
    emitter.emit('x');
    emitter.emit('x');
    assert.deepEqual(heard, ['old', 'new']);
  });

  it('reports what a listener throws, and calls the next', (t) => {
    t.mock.method(console, 'error', () => {});
    const emitter = new Emitter();
    const error = new Error('mine');
    emitter.on('x', () => { throw error; });
    const heard = record(emitter, 'x');
    emitter.emit('x');
    assert.equal(heard.length, 1);
    assert.equal(console.error.mock.calls[0].arguments[0], error);
  });
});

describe('A delay', () => {
  const limits = { minMs: 500, maxMs: 15_000 };
  it('doubles up to its limit, and half of it is chance', () => {
    assert.deepEqual([0, 1, 4, 5, 60].map((attempt) => backoff(attempt, limits, () => 0)), [250, 500, 4000, 7500, 7500]);
    assert.deepEqual([0, 1, 4, 5, 60].map((attempt) => backoff(attempt, limits, () => 1)), [500, 1000, 8000, 15_000, 15_000]);
  });
});

describe('Chat', () => {
  let world;
  beforeEach(async () => {
    world = await World.begin();
  });
  afterEach(() => world.end());

  const overTheRoom = () => world.server.heard.filter(([, { type }]) => type === 'message').length;
  const open = (...sides) => until('open channels', () => sides.every(({ chatChannel }) => chatChannel.readyState === 'open'));

  it('goes straight to the peer where there is a way', async () => {
    const { early, late } = await world.pair();
    await open(early, late);
    const heard = next(early.call.chat, 'message');
    assert.deepEqual(await late.call.chat.send('hi'), { delivered: 1 });
    const { peer, text, at, private: isPrivate } = await heard;
    assert.deepEqual([peer, text, isPrivate], [peerOf(early), 'hi', false]);
    assert.ok(Math.abs(at - Date.now()) < 10_000);
    assert.equal(overTheRoom(), 0);
  });

  it('goes through the room where there is none, once for all', async () => {
    const early = await world.enter('early');
    const rooms = [await world.join('b'), await world.join('c')];
    await until('both', () => early.room.peers.size === 2);
    const heard = rooms.map((room) => next(room, 'message', ({ event }) => event === 'chat'));
    assert.deepEqual(await early.call.chat.send('hi'), { delivered: 2 });
    for (const message of await Promise.all(heard)) {
      assert.deepEqual([message.data.text, message.private], ['hi', false]);
    }
    assert.equal(overTheRoom(), 1);
  });

  it('reaches each by its own way, and is no private message for that', async () => {
    const { early, late } = await world.pair();
    await open(early, late);
    const room = await world.join('c');
    await until('all three', () => late.room.peers.size === 2);
    const heard = [next(early.call.chat, 'message'), next(room, 'message', ({ event }) => event === 'chat')];
    assert.deepEqual(await late.call.chat.send('hi'), { delivered: 2 });
    const [direct, viaRoom] = await Promise.all(heard);
    assert.equal(direct.private, false);
    assert.equal(viaRoom.data.private, false);
  });

  it('is private to some', async () => {
    const { early, late } = await world.pair();
    const heard = next(early.call.chat, 'message');
    await late.call.chat.send('psst', { to: peerOf(late) });
    assert.equal((await heard).private, true);
    await assert.rejects(late.call.chat.send('x', { to: 'p_none' }), { code: 'no_such_peer' });
  });

  it('understands clients that know only the room', async () => {
    const early = await world.enter('early');
    const room = await world.join('b');
    const heard = next(early.call.chat, 'message');
    await room.send('chat', { text: 'plain' });
    const { text, at } = await heard;
    assert.equal(text, 'plain');
    assert.ok(Number.isFinite(at));
  });

  it('passes over what is no text, and refuses what is too long', async () => {
    const { early, late } = await world.pair();
    await open(early, late);
    const heard = record(early.call.chat, 'message');
    for (const nonsense of ['', 'null', '{"text":1}', 'x']) late.chatChannel.send(nonsense);
    late.chatChannel.send(new Uint8Array(3));
    await late.call.chat.send('fine');
    await until('the text', () => heard.length > 0);
    assert.deepEqual(heard.map(([, { text }]) => text), ['fine']);
    await assert.rejects(late.call.chat.send('한'.repeat(11_000)), { code: 'too_large' });
  });

  it('with nobody there reaches nobody', async () => {
    const early = await world.enter('early');
    assert.deepEqual(await early.call.chat.send('hello?'), { delivered: 0 });
  });
});

describe('Devices', () => {
  let mediaDevices;
  beforeEach(() => {
    mediaDevices = new FakeDevices();
  });

  const fails = (name, isTheOne) => (kind, deviceId) => {
    if (isTheOne(kind, deviceId)) throw Object.assign(new Error(name), { name });
  };
  const kindsOf = (stream) => stream.getTracks().map(({ kind }) => kind);

  it('are listed by what they are', async () => {
    const { cameras, microphones, speakers } = await listDevices({ mediaDevices });
    assert.deepEqual([cameras, microphones, speakers].map((list) => list.map(({ deviceId }) => deviceId)),
      [['d0', 'd3'], ['d1'], ['d2']]);
  });

  it('are watched until that is enough', async () => {
    const lists = [];
    const stop = watchDevices((list) => lists.push(list), { mediaDevices });
    mediaDevices.fire('devicechange');
    await until('the list', () => lists.length === 1);
    stop();
    mediaDevices.fire('devicechange');
    assert.equal(lists[0].cameras.length, 2);
  });

  it('are opened both at once, as chosen', async () => {
    const stream = await openMedia({ camera: 'cam 2', mediaDevices });
    assert.deepEqual(kindsOf(stream), ['audio', 'video']);
    assert.equal(mediaDevices.asked.length, 1);
    assert.deepEqual(mediaDevices.asked[0].video.deviceId, { exact: 'cam 2' });
    assert.equal('deviceId' in mediaDevices.asked[0].audio, false);
  });

  it('are left out when they are not wanted', async () => {
    assert.deepEqual(kindsOf(await openMedia({ camera: false, mediaDevices })), ['audio']);
  });

  it('are left out when they cannot be opened', async () => {
    mediaDevices.fail = fails('NotFoundError', (kind) => kind === 'video');
    assert.deepEqual(kindsOf(await openMedia({ mediaDevices })), ['audio']);
  });

  it('are replaced by others when the chosen ones are gone', async () => {
    mediaDevices.fail = fails('OverconstrainedError', (kind, deviceId) => deviceId === 'gone');
    const stream = await openMedia({ camera: 'gone', mediaDevices });
    assert.deepEqual(stream.getTracks().map(({ deviceId }) => deviceId), ['default audio', 'default video']);
  });

  it('are none when nothing could be opened, and the first reason is told', async () => {
    mediaDevices.fail = fails('NotAllowedError', () => true);
    await assert.rejects(openMedia({ mediaDevices }), { name: 'NotAllowedError' });
  });

  it('are missing where the context is not secure, and that is said', async () => {
    await assert.rejects(openMedia(), { code: 'unsupported', message: /https/ });
    await assert.rejects(listDevices(), { code: 'unsupported' });
    assert.throws(() => watchDevices(() => {}), { code: 'unsupported' });
  });

  it('are as loud as they sound', () => {
    const sine = (amplitude) => Float32Array.from({ length: 1024 }, (_, i) => amplitude * Math.sin(i / 3));
    assert.equal(loudness(sine(0)), 0);
    assert.ok(loudness(sine(1)) > 0.9 && loudness(sine(1)) <= 1);
    assert.ok(Math.abs(loudness(sine(0.1)) - (loudness(sine(1)) - 1 / 3)) < 0.01);
  });
});
