// Two browsers hold a call that can only go through our relay: audio, video and a data channel.
//
// iceTransportPolicy is 'relay', so a browser offers no address but its relayed one; the only
// ICE server is the server under test. It runs without --insecure-allow-peers: each relay's peer
// is the other relay, and two relays of one server may always meet.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startBrowser } from './lib/browser.mjs';
import { assertMediaFlows, framesExpected, introduce, Side } from './lib/call.mjs';
import { localCertificate } from './lib/certificate.mjs';
import { explained } from './lib/logs.mjs';
import { mintRestCredential, staticPassword, startServer } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const oneMinuteMs = 60_000;
const bigMessageBytes = 256 * 1024; // the most that Chromium takes in one message

describe('A call between two browsers', { timeout: oneMinuteMs }, () => {
  let server;
  let browser;

  before(explained(async () => {
    const certificate = await localCertificate();
    // Not both at once: a browser that nobody closes, since the server has failed, keeps node waiting.
    server = await startServer({ users: ['alice'], tls: true });
    browser = await startBrowser({ certificate });
  }));
  after(async () => {
    await browser?.close();
    await server?.discard();
  });

  const iceServers = ({ address, transport }, { username, credential }) =>
    [{ urls: server.uri(address, transport), username, credential }];

  async function assertDataChannelWorks(side) {
    await until('an open data channel', async () => (await side.do('channelState')) === 'open');
    assert.equal(await side.do('echo', `hello from ${side.name}`), `echo of hello from ${side.name}`);
    const { here, there } = await side.do('checksums', bigMessageBytes);
    assert.equal(there, here, 'the bytes that arrive are the bytes that were sent');
  }

  /// `ways` tells how each of the sides reaches the server.
  async function assertCallWorks(ways, credentialOf = mintRestCredential) {
    const sides = await introduce({
      openPage: (name, options) => browser.openPage(name, options),
      configurationOf: (name) => ({
        iceServers: iceServers(ways[name], credentialOf(name)),
        iceTransportPolicy: 'relay',
      }),
    });
    await sides[0].do('offer');

    for (const side of sides) {
      const throughRelays = ({ path }) => path === 'relay/relay';
      const { relayProtocol, url } = await side.until('a path from relay to relay', throughRelays);
      const { address, transport } = ways[side.name];
      assert.equal(relayProtocol, transport);
      assert.equal(url, server.uri(address, transport), 'the relay is ours');
    }
    await Promise.all(sides.map(assertMediaFlows));
    for (const side of sides) await assertDataChannelWorks(side);

    // Media and data went where the path said, to the end.
    for (const side of sides) assert.equal((await side.do('report')).path, 'relay/relay');
    await Promise.all(sides.map((side) => side.do('hangUp')));
    await Promise.all(sides.map((side) => side.page.context().close()));
  }

  const udp = { address: '127.0.0.1', transport: 'udp' };
  const udp6 = { address: '::1', transport: 'udp' };
  const tcp = { address: '127.0.0.1', transport: 'tcp' };
  const tcp6 = { address: '::1', transport: 'tcp' };
  const tls = { address: 'localhost', transport: 'tls' };

  it('goes through the relay with time-limited credentials', explained(() =>
    assertCallWorks({ caller: udp, callee: udp })));

  it('goes through the relay with the password of a static user', explained(() =>
    assertCallWorks({ caller: udp, callee: udp }, () => ({ username: 'alice', credential: staticPassword }))));

  it('goes through the relay when the browsers reach it over IPv6', explained(() =>
    assertCallWorks({ caller: udp6, callee: udp6 })));

  it('goes through the relay when nothing but TCP gets there', explained(() =>
    assertCallWorks({ caller: tcp, callee: tcp })));

  it('goes through the relay when nothing but TLS gets there', explained(() =>
    assertCallWorks({ caller: tls, callee: tls })));

  it('goes through the relay from UDP on one side to TCP, over IPv6, on the other', explained(() =>
    assertCallWorks({ caller: udp, callee: tcp6 })));

  const refused = [
    { when: 'the password is wrong', credential: () => ({ username: 'alice', credential: 'wrong' }) },
    { when: 'the time-limited credential has expired', credential: () => mintRestCredential('bob', { lifetimeS: -60 }) },
  ];
  for (const { when, credential } of refused) {
    it(`finds no relay, and error 401, when ${when}`, explained(async () => {
      const page = await browser.openPage('stranger');
      const servers = iceServers(udp, credential());
      const { candidates, errorCodes } = await new Side('stranger', page).do('gather', servers);
      assert.deepEqual(candidates, []);
      assert.ok(errorCodes.length > 0, 'the browser tells of an error');
      assert.deepEqual([...new Set(errorCodes)], [401]);
    }));
  }

  it('was counted by the server, which then stops cleanly', explained(async () => {
    const counters = await server.stop();
    const leastPackets = 2 * framesExpected; // a frame is a packet at least, and each call has more
    // Both ends are relays of this server: straight to the other's client, or to its worker.
    const straight = counters.relayed_between_clients ?? 0;
    const byMail = Math.min(counters.relayed_to_neighbour ?? 0, counters.relayed_to_client ?? 0);
    assert.ok(straight + byMail >= leastPackets, `${straight} + ${byMail} relayed`);
    assert.equal(counters.relayed_to_peer ?? 0, 0, 'no pass through the network in between');
  }));
});
