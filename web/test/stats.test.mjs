// Numbers and paths from reports as browsers give them.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isSamePath, measure, pathOf } from '../client/stats.js';
import { next, record, until } from './lib/events.mjs';
import { VirtualTimers } from './lib/timers.mjs';
import { peerOf, World } from './lib/world.mjs';

const report = (...entries) => new Map(entries.map((entry) => [entry.id, entry]));

const candidate = (id, type, more = {}) =>
  ({ id, type: `${id.startsWith('L') ? 'local' : 'remote'}-candidate`, candidateType: type, protocol: 'udp', ...more });

const pair = (more = {}) =>
  ({ id: 'P', type: 'candidate-pair', localCandidateId: 'L', remoteCandidateId: 'R', currentRoundTripTime: 0.0384, ...more });

const chromium = { id: 'T', type: 'transport', selectedCandidatePairId: 'P' };

describe('The path', () => {
  for (const [local, remote, expected] of [
    [candidate('L', 'host'), candidate('R', 'host'), { local: 'host', remote: 'host', protocol: 'udp', relayProtocol: null }],
    [candidate('L', 'srflx'), candidate('R', 'prflx'), { local: 'srflx', remote: 'prflx', protocol: 'udp', relayProtocol: null }],
    [candidate('L', 'host', { protocol: 'tcp' }), candidate('R', 'host'), { local: 'host', remote: 'host', protocol: 'tcp', relayProtocol: null }],
    [candidate('L', 'relay', { relayProtocol: 'udp' }), candidate('R', 'srflx'), { local: 'relay', remote: 'srflx', protocol: 'udp', relayProtocol: 'udp' }],
    [candidate('L', 'relay', { relayProtocol: 'tls' }), candidate('R', 'relay'), { local: 'relay', remote: 'relay', protocol: 'udp', relayProtocol: 'tls' }],
    [candidate('L', 'relay', { relayProtocol: 'tcp' }), candidate('R', 'host'), { local: 'relay', remote: 'host', protocol: 'udp', relayProtocol: 'tcp' }],
    [candidate('L', 'relay'), candidate('R', 'host'), { local: 'relay', remote: 'host', protocol: 'udp', relayProtocol: 'udp' }],
  ]) {
    it(`from ${local.candidateType} (${local.relayProtocol ?? local.protocol}) to ${remote.candidateType}`, () => {
      assert.deepEqual(pathOf(report(chromium, pair(), local, remote)), { ...expected, rttMs: 38 });
    });
  }

  const ends = [candidate('L', 'host'), candidate('R', 'host')];

  it('is found as Chromium and Safari tell it', () => {
    const other = { ...pair({ id: 'Q', localCandidateId: 'none', nominated: true, state: 'succeeded' }) };
    assert.equal(pathOf(report(other, pair(), chromium, ...ends)).local, 'host');
  });

  it('is found as Firefox tells it', () => {
    const other = { ...pair({ id: 'Q', localCandidateId: 'none', selected: false, nominated: true, state: 'succeeded' }) };
    assert.equal(pathOf(report(other, pair({ selected: true }), ...ends)).local, 'host');
  });

  it('is found where only nominations are told', () => {
    const other = { ...pair({ id: 'Q', localCandidateId: 'none', nominated: true, state: 'failed' }) };
    assert.equal(pathOf(report(other, pair({ nominated: true, state: 'succeeded' }), ...ends)).local, 'host');
  });

  it('is none before there is one', () => {
    assert.equal(pathOf(report()), null);
    assert.equal(pathOf(report(chromium)), null);
    assert.equal(pathOf(report(chromium, pair())), null);
  });

  it('has no round trip time before that was measured', () => {
    assert.equal(pathOf(report(chromium, pair({ currentRoundTripTime: undefined }), ...ends)).rttMs, null);
  });

  it('is the same whatever its round trip time', () => {
    const path = { local: 'host', remote: 'host', protocol: 'udp', relayProtocol: null, rttMs: 1 };
    assert.ok(isSamePath(path, { ...path, rttMs: 99 }));
    assert.ok(!isSamePath(path, null));
    for (const change of [{ local: 'relay' }, { remote: 'srflx' }, { protocol: 'tcp' }, { relayProtocol: 'tls' }]) {
      assert.ok(!isSamePath(path, { ...path, ...change }), JSON.stringify(change));
    }
  });
});

describe('The numbers', () => {
  const inbound = (more) => ({ id: 'I', type: 'inbound-rtp', kind: 'video', timestamp: 1000, codecId: 'C', jitter: 0.0061, ...more });
  const codec = { id: 'C', type: 'codec', mimeType: 'video/VP8' };

  it('need two reports for what is a rate', () => {
    const first = report(inbound({ bytesReceived: 1000, packetsReceived: 10, packetsLost: 0 }), codec);
    const { incoming } = measure(first, null, 7);
    assert.deepEqual([incoming.video.kbps, incoming.video.lossPercent], [null, null]);
    assert.deepEqual([incoming.video.codec, incoming.video.jitterMs, incoming.audio], ['VP8', 6, null]);
  });

  it('are those of the time between', () => {
    const first = report(inbound({ bytesReceived: 1000, packetsReceived: 10, packetsLost: 5 }));
    const second = report(inbound({
      timestamp: 3000, bytesReceived: 51_000, packetsReceived: 100, packetsLost: 15, frameWidth: 640, frameHeight: 480, framesPerSecond: 30,
    }));
    const { at, incoming: { video } } = measure(second, first, 7);
    assert.equal(at, 7);
    assert.deepEqual([video.kbps, video.lossPercent], [200, 10]);
    assert.deepEqual([video.width, video.height, video.framesPerSecond], [640, 480, 30]);
  });

  it('for what we send are as the peer reports them', () => {
    const sent = (timestamp, bytesSent) => ({ id: 'O', type: 'outbound-rtp', kind: 'audio', timestamp, bytesSent, remoteId: 'H' });
    const heard = { id: 'H', type: 'remote-inbound-rtp', fractionLost: 0.25, jitter: 0.004 };
    const { outgoing } = measure(report(sent(2000, 4000), heard), report(sent(1000, 0)), 7);
    assert.deepEqual([outgoing.audio.kbps, outgoing.audio.lossPercent, outgoing.audio.jitterMs], [32, 25, 4]);
  });

  it('for the whole path come from the transport, or from the pair', () => {
    const at = (timestamp, bytes) => ({ timestamp, bytesReceived: bytes, bytesSent: 2 * bytes });
    const ends = [candidate('L', 'host'), candidate('R', 'host')];
    const transports = [0, 1000].map((time) => report({ ...chromium, ...at(time, time) }, pair({ availableOutgoingBitrate: 300_000 }), ...ends));
    const whole = measure(transports[1], transports[0], 7);
    assert.deepEqual([whole.kbpsIn, whole.kbpsOut, whole.availableKbpsOut, whole.rttMs], [8, 16, 300, 38]);
    const pairs = [0, 1000].map((time) => report(pair({ selected: true, ...at(time, time) }), ...ends));
    assert.equal(measure(pairs[1], pairs[0], 7).kbpsIn, 8);
  });

  it('are none when a counter began anew', () => {
    const first = report(inbound({ bytesReceived: 9000 }));
    const second = report(inbound({ timestamp: 2000, bytesReceived: 10 }));
    assert.equal(measure(second, first, 7).incoming.video.kbps, null);
  });
});

describe('A call measures', () => {
  let world;
  let timers;
  beforeEach(async () => {
    world = await World.begin();
    timers = new VirtualTimers();
  });
  afterEach(() => world.end());

  /** Lets a side's connections report a way. */
  const goBy = ({ connections }, local) => {
    connections.at(-1).getStats = async () => report(chromium, pair(), candidate('L', local, { relayProtocol: 'tls' }), candidate('R', 'host'));
  };
  const pathsTold = () => world.server.heard.filter(([, { type }]) => type === 'path');

  it('each peer in turn, and tells the application and the server when the way changes', async () => {
    const { late } = await world.pair({ call: { timers: timers.functions, statsIntervalMs: 2000 } });
    const paths = record(late.call, 'path');
    const peer = peerOf(late);
    assert.equal(late.call.pathOf(peer), null);
    for (const local of ['host', 'host', 'relay']) {
      goBy(late, local);
      const measured = next(late.call, 'stats');
      await until('the next measurement', () => timers.due.filter((ms) => ms === 2000).length === 2);
      timers.advance(2000);
      assert.equal((await measured).path.local, local);
    }
    const host = { peer, local: 'host', remote: 'host', protocol: 'udp', relayProtocol: null, rttMs: 38 };
    assert.deepEqual(paths.map(([, path]) => path), [host, { ...host, local: 'relay', relayProtocol: 'tls' }]);
    assert.equal(late.call.pathOf(peer).local, 'relay');
    await until('both reports', () => pathsTold().length === 2);
    const [, said] = pathsTold()[1];
    assert.deepEqual(said, {
      type: 'path', peer: peer.id, local: 'relay', remote: 'host', protocol: 'udp', relayProtocol: 'tls', rttMs: 38, id: said.id,
    });
  });

  it('when it is connected and whenever the browser says that the way has changed', async () => {
    const { late } = await world.pair();
    goBy(late, 'srflx');
    const path = next(late.call, 'path');
    late.connections[0].become('connected');
    assert.equal((await path).local, 'srflx');
  });

  it('when asked', async () => {
    const { late } = await world.pair();
    goBy(late, 'host');
    const stats = await late.call.stats(peerOf(late).id);
    assert.deepEqual([stats.peer, stats.rttMs, stats.path.peer], [peerOf(late), 38, peerOf(late)]);
  });
});
