// coturn's own command line clients against our server: what they send, others' clients send.
//
// turnutils_uclient opens allocations, sends numbered messages through them, counts what comes
// back, and prints the sums. Unless told -c it makes each client a pair, as for RTP and RTCP:
// the first asks for an even port and the reservation of the next one (EVEN-PORT), the second
// redeems the token (RESERVATION-TOKEN). So "2 flows" below is one client with its pair, and
// -m counts flows, not clients.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { explained } from './lib/logs.mjs';
import { freePort } from './lib/ports.mjs';
import { run } from './lib/process.mjs';
import { restSecret, startServer } from './lib/server.mjs';
import { assertNothingLost, byPassword, bySecret, messagesPerFlow, neverSilent, startEchoPeer, uclient } from './lib/turnutils.mjs';

const oneMinuteMs = 60_000;

const v4 = '127.0.0.1';
const v6 = '::1';

// Not here: -Z (two relays at once). The tool writes ADDITIONAL-ADDRESS-FAMILY as 0x8032, a number
// from a draft; RFC 8656 §18 says 0x8000.

// Against the peer that sends everything back. Each case is a static user of its own name, so
// that the allocations one user may hold never tie one case to another. `via` is the address at
// which the client reaches the server, over UDP unless `over` says "tcp" or "tls".
const echoCases = [
  { user: 'channels', does: 'channels over IPv4', via: v4, peer: v4, flags: [], flows: 2 },
  { user: 'single', does: 'channels without the RTCP pair', via: v4, peer: v4, flags: ['-c'], flows: 1 },
  { user: 'send', does: 'Send indications', via: v4, peer: v4, flags: ['-s'], flows: 2 },
  { user: 'padded', does: 'ChannelData padded to 4 bytes', via: v4, peer: v4, flags: ['-D', '-l', '101'], flows: 2 },
  { user: 'df', does: 'DONT-FRAGMENT', via: v4, peer: v4, flags: ['-g'], flows: 2 },
  { user: 'df-send', does: 'DONT-FRAGMENT and Send indications', via: v4, peer: v4, flags: ['-g', '-s'], flows: 2 },
  { user: 'v6', does: 'channels over IPv6', via: v6, peer: v6, flags: ['-x'], flows: 2 },
  { user: 'v6-send', does: 'Send indications over IPv6', via: v6, peer: v6, flags: ['-x', '-s'], flows: 2 },
  { user: 'v4-to-v6', does: 'an IPv6 relay for a client on IPv4', via: v4, peer: v6, flags: ['-x'], flows: 2 },
  { user: 'v6-to-v4', does: 'an IPv4 relay for a client on IPv6', via: v6, peer: v4, flags: ['-X'], flows: 2 },
  {
    user: 'large',
    does: 'channels of two clients at once, 1200 bytes every 5 ms',
    via: v4,
    peer: v4,
    flags: ['-m', '4', '-l', '1200', '-z', '5'],
    flows: 4,
  },
  ...['tcp', 'tls'].flatMap((over) => [
    { user: `${over}-channels`, does: 'channels over IPv4', over, via: v4, peer: v4, flags: [], flows: 2 },
    { user: `${over}-send`, does: 'Send indications over IPv4', over, via: v4, peer: v4, flags: ['-s'], flows: 2 },
    { user: `${over}-v6`, does: 'channels over IPv6', over, via: v6, peer: v6, flags: ['-x'], flows: 2 },
    { user: `${over}-v6-send`, does: 'Send indications over IPv6', over, via: v6, peer: v6, flags: ['-x', '-s'], flows: 2 },
    { user: `${over}-odd`, does: 'messages that need padding', over, via: v4, peer: v4, flags: ['-l', '101'], flows: 2 },
    {
      user: `${over}-large`,
      does: 'channels of two clients at once, 1200 bytes every 5 ms',
      over,
      via: v4,
      peer: v4,
      flags: ['-m', '4', '-l', '1200', '-z', '5'],
      flows: 4,
    },
  ]),
];

// Between clients of the tool, each behind a relay of ours: they come in couples.
const pairCases = [
  { user: 'pair', does: 'channels over IPv4', via: v4, flags: [], flows: 4 },
  { user: 'pair-single', does: 'channels without the RTCP pairs', via: v4, flags: ['-c'], flows: 2 },
  { user: 'pair-send', does: 'Send indications', via: v4, flags: ['-s'], flows: 4 },
  { user: 'pair-v6', does: 'channels over IPv6', via: v6, flags: ['-x'], flows: 4 },
  { user: 'pair-tcp', does: 'channels', over: 'tcp', via: v4, flags: [], flows: 4 },
  { user: 'pair-tcp-send', does: 'Send indications', over: 'tcp', via: v4, flags: ['-s'], flows: 4 },
  { user: 'pair-tcp-v6', does: 'channels over IPv6', over: 'tcp', via: v6, flags: ['-x'], flows: 4 },
  { user: 'pair-tls', does: 'channels', over: 'tls', via: v4, flags: [], flows: 4 },
];

const usersOf = (cases) => cases.map(({ user }) => user);
const messagesOf = (cases) => cases.reduce((sum, { flows }) => sum + flows * messagesPerFlow, 0);

describe('turnutils_stunclient', { timeout: oneMinuteMs }, () => {
  let server;
  before(explained(async () => (server = await startServer())));
  after(() => server?.discard());

  for (const address of [v4, v6]) {
    it(`learns from a Binding response that it came from ${address}`, explained(async () => {
      const args = ['-p', String(server.port), address];
      const { code, output } = await run('turnutils_stunclient', 'turnutils_stunclient', args);
      // An IPv6 address is printed without brackets: "::1:43519".
      const [, host, port] = /UDP reflexive addr: (.*):(\d+)/.exec(output) ?? [];
      assert.equal(host, address);
      assert.ok(Number(port) > 1024);
      assert.notEqual(Number(port), server.port);
      assert.equal(code, 0);
    }));
  }

  it('leaves the server able to stop cleanly', explained(() => server.stop()));
});

describe('turnutils_uclient, with a peer on loopback that echoes', { timeout: oneMinuteMs }, () => {
  let server;
  let peer;
  before(explained(async () => {
    peer = await startEchoPeer();
    // The peer is on loopback, which the server reaches for nobody unless told so.
    server = await startServer({
      users: usersOf(echoCases), allowPeers: ['127.0.0.0/8', '::1/128'], tls: true, options: neverSilent,
    });
  }));
  after(async () => {
    peer?.stop();
    await server?.discard();
  });

  const towardsPeer = (address) => ['-e', address, '-r', String(peer.port)];

  // The tool spends most of its six seconds waiting, so all cases wait together.
  describe('gets every message back', { concurrency: true }, () => {
    for (const { user, does, over = 'udp', via, peer: address, flags, flows } of echoCases) {
      it(`through ${over}: ${[does, ...flags].join(' ')}`, explained(async () => {
        const options = { name: user, server, over, via, credentials: byPassword(user) };
        assertNothingLost(await uclient({ ...options, flags: [...flags, ...towardsPeer(address)] }), flows);
      }));
    }

    it('with a time-limited credential made from the shared secret -W', explained(async () => {
      const options = { name: 'REST secret', server, via: v4, flags: towardsPeer(v4) };
      assertNothingLost(await uclient({ ...options, credentials: bySecret('rest', restSecret) }), 2);
    }));
  });

  describe('is refused an allocation', { concurrency: true }, () => {
    const refused = [
      { when: 'the password is wrong', credentials: ['-u', 'channels', '-w', 'wrong'] },
      { when: 'the user is unknown', credentials: byPassword('nobody') },
      { when: 'the shared secret is another', credentials: bySecret('rest', `not-${restSecret}`) },
    ];
    for (const { when, credentials } of refused) {
      it(`when ${when}`, explained(async () => {
        const options = { name: when, server, via: v4, flags: towardsPeer(v4) };
        const { code, output } = await uclient({ ...options, credentials });
        assert.match(output, /Cannot complete Allocation/);
        assert.notEqual(code, 0);
      }));
    }
  });

  it('was counted packet by packet by the server, which then stops cleanly', explained(async () => {
    const counters = await server.stop();
    const messages = messagesOf(echoCases);
    assert.ok(counters.relayed_to_peer >= messages, `${counters.relayed_to_peer} relayed to peers`);
    assert.ok(counters.relayed_to_client >= messages, `${counters.relayed_to_client} relayed to clients`);
  }));
});

describe('turnutils_uclient, between two relays of the same server', { timeout: oneMinuteMs }, () => {
  let server;
  before(explained(async () => {
    // Without allowPeers: two relays of this server may meet even on loopback, and nobody else.
    server = await startServer({ users: [...usersOf(pairCases), 'outsider'], tls: true, options: neverSilent });
  }));
  after(() => server?.discard());

  describe('delivers every message', { concurrency: true }, () => {
    for (const { user, does, over = 'udp', via, flags, flows } of pairCases) {
      it(`through ${over}: ${[does, ...flags].join(' ')}`, explained(async () => {
        const options = { name: user, server, over, via, credentials: byPassword(user) };
        assertNothingLost(await uclient({ ...options, flags: [...flags, '-y'] }), flows);
      }));
    }
  });

  it('is refused a peer on loopback that is no relay of ours', explained(async () => {
    const flags = ['-c', '-e', v4, '-r', String(await freePort())];
    const options = { name: 'forbidden peer', server, via: v4, credentials: byPassword('outsider') };
    const { code, output } = await uclient({ ...options, flags });
    assert.match(output, /error 403/);
    assert.notEqual(code, 0);
  }));

  it('was counted by the server, which then stops cleanly', explained(async () => {
    const counters = await server.stop();
    const { relayed_between_clients: straight = 0, relayed_to_neighbour: byMail = 0 } = counters;
    const relayed = straight + byMail;
    assert.equal(counters.relayed_to_peer ?? 0, 0, 'no pass through the network in between');
    assert.ok(relayed >= messagesOf(pairCases), `${relayed} relayed in all`);
  }));
});
