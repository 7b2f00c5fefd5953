// Calls: who offers, what survives, what begins anew. The platform is a fake, the rest is real.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Call } from '../turnpike.js';
import { next, record, until } from './lib/events.mjs';
import { FakeStream, FakeTrack } from './lib/fake_rtc.mjs';
import { TestServer } from './lib/test_server.mjs';
import { VirtualTimers } from './lib/timers.mjs';
import { descriptionsSent, peerOf, World } from './lib/world.mjs';

let world;
beforeEach(async () => {
  world = await World.begin();
});
afterEach(() => world.end());

/** Lets everything that has begun come to rest: what is asked of the server is answered in order. */
async function settle(...sides) {
  for (let round = 0; round < 3; round += 1) {
    for (const { room } of sides) await room.refreshIce();
  }
}

describe('A call', () => {
  it('is offered by who comes later, once, and connects both', async () => {
    const early = await world.enter('early');
    const states = record(early.call, 'state', 'stream');
    const late = await world.enter('late');
    await world.connected(early, late);
    await settle(early, late);
    const said = world.server.heard.filter(([, { data }]) => data?.description);
    assert.deepEqual(said.map(([{ name }, { data }]) => [name, data.description.type]), [['late', 'offer'], ['early', 'answer']]);
    assert.deepEqual(states.map(([name, { state }]) => state ?? name), ['connecting', 'stream', 'connected']);
  });

  it('gives each the media of the other, once', async () => {
    const { early, late } = await world.pair();
    for (const side of [early, late]) {
      const stream = side.call.streams.get(peerOf(side).id);
      assert.deepEqual(stream.getTracks().map(({ kind }) => kind), ['audio', 'video']);
    }
    assert.equal(late.call.streams.get(peerOf(late).id).id, early.call.local.stream.id);
  });

  it('carries candidates both ways, and says when there are no more', async () => {
    const { early, late } = await world.pair();
    await until('the end of candidates', () =>
      [early, late].every(({ connections }) => connections[0].candidates.at(-1) === null));
    assert.match(early.connections[0].candidates[0].candidate, /^candidate of/);
  });

  it('connects three with each other', async () => {
    const sides = [await world.enter('a'), await world.enter('b'), await world.enter('c')];
    await world.connected(...sides);
    assert.equal(descriptionsSent(world.server, 'offer'), 3);
  });

  it('answers who called before it was there', async () => {
    const room = await world.join('early');
    const late = await world.enter('late');
    await until('the offer', () => descriptionsSent(world.server, 'offer') === 1);
    const early = world.call(room);
    await world.connected(early, late);
  });

  it('can be ended and begun again while the room goes on', async () => {
    const { early, late } = await world.pair();
    const hungUp = next(late.call, 'state', ({ state }) => state === 'closed');
    early.call.close();
    await hungUp;
    assert.equal(late.call.stateOf(peerOf(late)), 'closed');
    await world.connected(world.call(early.room), late);
  });

  it('goes on without a stream, and takes a camera later without negotiation', async () => {
    const early = await world.enter('early', { call: { stream: null } });
    const late = await world.enter('late');
    await world.connected(early, late);
    assert.deepEqual([early.call.local.mic, early.call.local.cam], [false, false]);
    await early.call.switchCamera('cam 7');
    const sent = early.connections[0].getTransceivers()[1].sender.track;
    assert.equal(sent.deviceId, 'cam 7');
    await settle(early, late);
    assert.equal(descriptionsSent(world.server), 2);
  });

  it('is relayed only, where that is asked for or the token demands it', async () => {
    const early = await world.enter('early', { call: { iceTransportPolicy: 'relay' } });
    const late = await world.enter('late');
    await world.connected(early, late);
    assert.equal(early.connections[0].getConfiguration().iceTransportPolicy, 'relay');
    assert.equal(late.connections[0].getConfiguration().iceTransportPolicy, 'all');
    late.room.iceTransportPolicy = 'relay';
    late.call.setIceTransportPolicy('all');
    assert.equal(late.connections.at(-1).getConfiguration().iceTransportPolicy, 'relay');
  });

  it('begins anew when it is to be relayed only, and nobody is hung up for that', async () => {
    const { early, late } = await world.pair();
    const states = record(early.call, 'state', 'stream');
    late.call.setIceTransportPolicy('relay');
    await until('a new connection', () => early.connections.length === 2);
    await world.connected(early, late);
    assert.deepEqual(states.map(([name, { state }]) => state ?? name), ['connecting', 'stream', 'connected']);
    assert.deepEqual([early, late].map(({ connections }) => connections.map(({ connectionState }) => connectionState)),
      [['closed', 'connected'], ['closed', 'connected']]);
    assert.equal(early.call.streams.size, 1);
  });

  it('comes right when both begin anew at once', async () => {
    const { early, late } = await world.pair();
    early.call.setIceTransportPolicy('relay');
    late.call.setIceTransportPolicy('relay');
    await settle(early, late);
    await world.connected(early, late);
    await settle(early, late);
    await world.connected(early, late);
  });

  it('closes what it had with who leaves', async () => {
    const { early, late } = await world.pair();
    const peer = peerOf(early);
    const closed = next(early.call, 'state', ({ state }) => state === 'closed');
    await late.room.leave();
    assert.equal((await closed).peer, peer);
    assert.equal(early.connections[0].connectionState, 'closed');
    assert.equal(early.call.streams.size, 0);
    await assert.rejects(early.call.stats(peer), { code: 'no_such_peer' });
  });

  it('closes with the room, stopping only the tracks that it opened', async () => {
    const stream = new FakeStream([new FakeTrack('audio'), new FakeTrack('video')]);
    const early = await world.enter('early', { call: { stream } });
    await early.call.switchMicrophone('mic 2');
    const closed = next(early.call, 'closed');
    await early.room.leave();
    await closed;
    assert.equal(early.devices.opened[0].readyState, 'ended');
    assert.equal(stream.getVideoTracks()[0].readyState, 'live');
  });

  it('needs WebRTC and an open room, and says so', async () => {
    const room = await world.join('early');
    assert.throws(() => new Call(room, { MediaStream: FakeStream }), { code: 'unsupported' });
    await room.leave();
    assert.throws(() => new Call(room, {}), { code: 'closed' });
  });
});

describe('Our own media', () => {
  it('is switched to another camera without negotiation, and the old one is let go', async () => {
    const { early, late } = await world.pair();
    const [before] = early.call.local.stream.getVideoTracks();
    const { stream } = early.call.local;
    await early.call.switchCamera('cam 2');
    const { sender } = early.connections[0].getTransceivers()[1];
    assert.equal(sender.track.deviceId, 'cam 2');
    assert.equal(before.readyState, 'ended');
    assert.equal(early.call.local.stream, stream);
    assert.deepEqual(stream.getVideoTracks().map(({ deviceId }) => deviceId), ['cam 2']);
    assert.equal(early.call.local.cameraId, 'cam 2');
    await settle(early, late);
    assert.equal(descriptionsSent(world.server), 2);
  });

  it('stays off through a switch', async () => {
    const { early } = await world.pair();
    early.call.setCam(false);
    await early.call.switchCamera('cam 2');
    assert.equal(early.call.local.cam, false);
    assert.equal(early.devices.opened[0].enabled, false);
    early.call.setCam(true);
    assert.equal(early.devices.opened[0].enabled, true);
  });

  it('frees the camera first where only one can be open', async () => {
    const { early } = await world.pair();
    const [before] = early.call.local.stream.getVideoTracks();
    early.devices.fail = () => {
      if (before.readyState === 'live') throw Object.assign(new Error('busy'), { name: 'NotReadableError' });
    };
    await early.call.switchCamera('cam 2');
    assert.equal(early.call.local.cameraId, 'cam 2');
  });

  it('is let go if it was opened too late for the call', async () => {
    const { early } = await world.pair();
    const switching = early.call.switchCamera('cam 2');
    early.call.close();
    await switching;
    assert.equal(early.devices.opened[0].readyState, 'ended');
  });

  it('stays as it is when a device cannot be opened', async () => {
    const { early } = await world.pair();
    early.devices.fail = () => {
      throw Object.assign(new Error('no'), { name: 'NotAllowedError' });
    };
    await assert.rejects(early.call.switchCamera('cam 2'), { name: 'NotAllowedError' });
    assert.equal(early.call.local.cameraId, 'cam 1');
  });

  it('is the screen in place of the camera, until that ends by itself', async () => {
    const { early, late } = await world.pair();
    const { sender } = early.connections[0].getTransceivers()[1];
    await early.call.shareScreen();
    const [screen, sound] = early.devices.opened;
    assert.equal(sender.track, screen);
    assert.equal(screen.contentHint, 'detail');
    assert.equal(sound.readyState, 'ended');
    assert.equal(early.call.local.screen, true);
    await early.call.switchCamera('cam 2');
    assert.equal(sender.track, screen);
    const changed = next(early.call, 'local');
    screen.end();
    assert.equal((await changed).screen, false);
    assert.equal(sender.track.deviceId, 'cam 2');
    await settle(early, late);
    assert.equal(descriptionsSent(world.server), 2);
  });

  it('comes back from the screen when asked', async () => {
    const { early } = await world.pair();
    await early.call.shareScreen();
    await early.call.stopScreen();
    await early.call.stopScreen();
    assert.equal(early.devices.opened[0].readyState, 'ended');
    assert.equal(early.connections[0].getTransceivers()[1].sender.track.deviceId, 'cam 1');
  });

  it('is gone when its device is, and says so', async () => {
    const { early } = await world.pair();
    const changed = next(early.call, 'local');
    early.call.local.stream.getAudioTracks()[0].end();
    assert.equal((await changed).mic, false);
    assert.equal(early.connections[0].getTransceivers()[0].sender.track, null);
  });

  it('is announced to the others beside what the application says', async () => {
    const early = await world.enter('early', { room: { meta: { hand: true } } });
    const late = await world.enter('late');
    await until('the meta', () => peerOf(late)?.meta.mic === true);
    early.call.setMic(false);
    await until('the new meta', () => peerOf(late).meta.mic === false);
    assert.deepEqual(peerOf(late).meta, { hand: true, mic: false, cam: true, screen: false });
  });
});

describe('The way to a peer', () => {
  it('is looked for again at once when it has failed', async () => {
    const { early, late } = await world.pair();
    const states = record(late.call, 'state');
    late.connections[0].become('failed');
    await until('another offer', () => descriptionsSent(world.server, 'answer') === 2);
    await until('a new connection', () => late.call.stateOf(peerOf(late)) === 'connected');
    assert.match(early.connections[0].candidates.at(-2)?.candidate ?? '', /generation 1/);
    assert.deepEqual(states.map(([, { state }]) => state), ['failed', 'connected']);
    assert.equal(late.connections.length, 1);
  });

  it('is given 4 seconds to heal', async () => {
    const timers = new VirtualTimers();
    const { early, late } = await world.pair({ call: { timers: timers.functions } });
    late.connections[0].become('disconnected');
    assert.equal(late.call.stateOf(peerOf(late)), 'reconnecting');
    timers.advance(3999);
    late.connections[0].become('connected');
    timers.advance(10_000);
    await settle(early, late);
    assert.equal(descriptionsSent(world.server, 'offer'), 1);
    late.connections[0].become('disconnected');
    timers.advance(4000);
    await until('another offer', () => descriptionsSent(world.server, 'offer') === 2);
  });

  it('is looked for again every 15 seconds until there is one', async () => {
    const timers = new VirtualTimers();
    const { late } = await world.pair({ call: { timers: timers.functions } });
    const [connection] = late.connections;
    let searches = 0;
    connection.restartIce = () => (searches += 1);
    connection.become('failed');
    assert.equal(searches, 1);
    timers.advance(14_999);
    assert.equal(searches, 1);
    timers.advance(1);
    assert.equal(searches, 2);
    timers.advance(15_000);
    assert.equal(searches, 3);
    connection.become('connected');
    timers.advance(60_000);
    assert.equal(searches, 3);
  });

  it('can be looked for by both sides at once: one offer yields', async () => {
    const { early, late } = await world.pair();
    const errors = [...record(early.call, 'error'), ...record(late.call, 'error')];
    for (let round = 0; round < 5; round += 1) {
      early.call.restart();
      late.call.restart();
      const isAtRest = ({ connections }) => connections[0].signalingState === 'stable';
      await settle(early, late);
      await until('both at rest', () => isAtRest(early) && isAtRest(late));
    }
    assert.deepEqual(errors, []);
    const generation = ({ connections }) => JSON.parse(connections[0].remoteDescription.sdp).version;
    assert.ok(generation(early) > 1 && generation(late) > 1);
  });

  it('uses ICE servers as they come', async () => {
    const { early } = await world.pair();
    const fresh = [{ urls: ['turn:fresh'], username: 'u', credential: 'c' }];
    early.room.iceServers = fresh;
    early.room.emit('ice', { iceServers: fresh });
    assert.deepEqual(early.connections[0].getConfiguration().iceServers, fresh);
  });

  it('gets ICE servers before they expire even if the server forgets to send some', async () => {
    const timers = new VirtualTimers();
    const room = await world.join('early');
    room.iceExpiresAt = timers.now() + 600_000;
    world.call(room, { timers: timers.functions });
    await new Promise(setImmediate); // a call begins after its constructor
    timers.advance(569_999);
    assert.equal(world.server.heard.filter(([, { type }]) => type === 'ice').length, 0);
    const fresh = next(room, 'ice');
    timers.advance(1);
    await fresh;
  });
});

describe('When signaling is away', () => {
  it('the call goes on, and nothing is negotiated when we are back', async () => {
    const { early, late } = await world.pair();
    const away = next(early.room, 'peer-away');
    const resumed = next(late.room, 'resumed');
    world.server.cut('late');
    await away;
    assert.equal(early.call.stateOf(peerOf(early)), 'connected');
    assert.deepEqual(await resumed, { rejoined: false });
    await settle(early, late);
    assert.equal(descriptionsSent(world.server), 2);
    assert.equal(early.connections.length, 1);
  });

  it('a way that was lost meanwhile is looked for again when we are back', async () => {
    const { early, late } = await world.pair();
    const broken = next(late.room, 'reconnecting');
    const resumed = next(late.room, 'resumed');
    world.server.cut('late');
    await broken;
    late.connections[0].become('failed');
    await until('an offer for later', () => late.connections[0].signalingState === 'have-local-offer', { everyMs: 0 });
    await resumed;
    await world.connected(early, late);
    await until('a second search', () => /generation 2/.test(early.connections[0].candidates.at(-2)?.candidate));
  });

  it('what is said meanwhile arrives later', async () => {
    const { early, late } = await world.pair();
    const away = next(early.room, 'peer-away');
    world.server.cut('late');
    await away;
    early.call.restart();
    await until('the second answer', () => descriptionsSent(world.server, 'answer') === 2);
    await world.connected(early, late);
  });

  it('because the server was restarted, all recognise each other and the call goes on', async () => {
    const { early, late } = await world.pair();
    const events = [early, late].flatMap(({ room, call }) =>
      [record(room, 'peer-left', 'peer-joined'), record(call, 'state', 'stream')]);
    const ids = [early, late].map((side) => peerOf(side).id);
    await world.restartServer();
    await until('both to be back', () => [early, late].every((side) => !peerOf(side).away));
    await settle(early, late);
    assert.deepEqual(events.flat(), []);
    assert.deepEqual([early, late].map((side) => peerOf(side).id), ids);
    assert.equal(descriptionsSent(world.server), 0);
    // And they can speak to each other under their new names.
    early.call.restart();
    await until('an answer', () => descriptionsSent(world.server, 'answer') === 1);
    const heard = next(late.room, 'message');
    assert.deepEqual(await early.room.send('hi', 1, { to: peerOf(early) }), { delivered: 1 });
    assert.equal((await heard).peer, peerOf(late));
  });

  for (const who of [['early'], ['late'], ['early', 'late']]) {
    it(`because the server was restarted, and with it went the relay, as ${who.join(' and ')} noticed: both begin anew`, async () => {
      const sides = await world.pair();
      const { early, late } = sides;
      const events = [early, late].map(({ room }) => record(room, 'peer-left', 'peer-joined'));
      await settle(early, late); // what still arrives would make them connected again
      for (const name of who) sides[name].connections[0].become('disconnected');
      await world.restartServer();
      await until('new connections', () => [early, late].every(({ connections }) => connections.length === 2));
      await world.connected(early, late);
      await settle(early, late);
      assert.deepEqual([early.connections.length, late.connections.length], [2, 2]);
      assert.equal(early.connections[0].connectionState, 'closed');
      assert.deepEqual(events.flat(), []);
    });
  }

  it('an offer that the restarted server has lost is made again', async () => {
    const { early, late } = await world.pair();
    const [connection] = early.connections;
    const isWaiting = new Promise((resolve) => {
      connection.setLocalDescription = async () => {
        delete connection.setLocalDescription;
        await connection.setLocalDescription();
        resolve();
      };
    });
    early.call.restart();
    await isWaiting;
    await world.restartServer();
    await until('both at rest', () => [early, late].every(({ connections }) => connections[0].signalingState === 'stable'));
    assert.equal(JSON.parse(late.connections[0].remoteDescription.sdp).generation, 1);
  });

  it('who does not come back after a restart has left when the time is over', async () => {
    await world.end();
    world = await World.begin({ windowMs: 50 });
    const { early, late } = await world.pair();
    const left = next(early.room, 'peer-left');
    const closed = next(early.call, 'state', ({ state }) => state === 'closed');
    const { port } = world.server;
    await world.server.stop();
    await late.room.leave();
    world.server = await TestServer.start({ port, windowMs: 50 });
    assert.equal((await left).reason, 'timeout');
    await closed;
  });

  it('for too long, both begin anew', async () => {
    const { early, late } = await world.pair();
    const resumed = next(late.room, 'resumed');
    world.server.forget('late');
    assert.deepEqual(await resumed, { rejoined: true });
    await world.connected(early, late);
    assert.deepEqual([early.connections.length, late.connections.length], [2, 2]);
    assert.equal(early.connections[0].connectionState, 'closed');
    assert.equal(late.connections[0].connectionState, 'closed');
  });
});

describe('A peer that begins anew', () => {
  it('is followed when it offers with another connection', async () => {
    const { early, late } = await world.pair();
    const offer = { type: 'offer', sdp: JSON.stringify({ from: 999, to: null, version: 1, generation: 0, kinds: [], streams: [] }) };
    await late.room.signal(peerOf(late), { description: offer, pc: 'another' });
    await until('an answer by a new connection', () => descriptionsSent(world.server, 'answer') >= 2);
    assert.equal(early.connections[0].connectionState, 'closed');
    await world.connected(early, late); // the real one of `late` has no part in this, and recovers
  });

  it('is called again when it answers with another connection', async () => {
    const { early, late } = await world.pair();
    await late.room.signal(peerOf(late), { description: { type: 'answer', sdp: '{}' }, pc: 'another' });
    await until('a new connection', () => early.connections.length === 2);
    await world.connected(early, late);
  });

  it('is not disturbed by late candidates of its old one', async () => {
    const { early, late } = await world.pair();
    const before = early.connections[0].candidates.length;
    await late.room.signal(peerOf(late), { candidate: { candidate: 'old' }, pc: 'another' });
    await settle(early, late);
    assert.equal(early.connections.length, 1);
    assert.ok(early.connections[0].candidates.every((candidate) => candidate?.candidate !== 'old'), String(before));
  });

  it('gets the same answer to the same offer', async () => {
    const { early, late } = await world.pair();
    const [, { data }] = world.server.heard.find(([, message]) => message.data?.description?.type === 'offer');
    await late.room.signal(peerOf(late), data);
    await until('the answer', () => descriptionsSent(world.server, 'answer') === 2);
    assert.equal(early.connections[0].descriptionsSet, 1);
    await settle(early, late);
    await world.connected(early, late);
  });

  it('is not stopped by what is no description at all', async () => {
    const { early, late } = await world.pair();
    const failed = next(early.call, 'error');
    const [, { data }] = world.server.heard.find(([, message]) => message.data?.description?.type === 'offer');
    await late.room.signal(peerOf(late), { description: { type: 'offer', sdp: 'nonsense' }, pc: data.pc });
    assert.equal((await failed).peer, peerOf(early));
    early.call.restart();
    await until('an answer', () => descriptionsSent(world.server, 'answer') >= 2);
  });
});
