// TURN over DTLS (RFC 7350), as coturn's client and OpenSSL's speak it.

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { localCertificate } from './lib/certificate.mjs';
import { cookieIn, dtlsClientHello } from './lib/client_hello.mjs';
import { explained } from './lib/logs.mjs';
import { start } from './lib/process.mjs';
import { startServer } from './lib/server.mjs';
import { answersBinding, encode, messageType } from './lib/stun.mjs';
import { assertNothingLost, byPassword, messagesPerFlow, startEchoPeer, uclient } from './lib/turnutils.mjs';
import { until, within } from './lib/until.mjs';

const oneMinuteMs = 60_000;
const v4 = '127.0.0.1';
const v6 = '::1';

const echoCases = ['dtls', 'dtls-shared'].flatMap((over) => [
  { user: `${over}-channels`, does: 'channels over IPv4', over, via: v4, peer: v4, flags: [], flows: 2 },
  { user: `${over}-send`, does: 'Send indications over IPv4', over, via: v4, peer: v4, flags: ['-s'], flows: 2 },
  { user: `${over}-v6`, does: 'channels over IPv6', over, via: v6, peer: v6, flags: ['-x'], flows: 2 },
  { user: `${over}-odd`, does: 'messages of an odd length', over, via: v4, peer: v4, flags: ['-l', '101'], flows: 2 },
  {
    user: `${over}-large`,
    does: 'channels of two clients at once, 1200 bytes every 5 ms',
    over,
    via: v4,
    peer: v4,
    flags: ['-m', '4', '-l', '1200', '-z', '5'],
    flows: 4,
  },
  // Plain UDP on the same port, while DTLS goes on.
]).concat([{ user: 'plain', does: 'plain UDP beside it', over: 'udp', via: v4, peer: v4, flags: [], flows: 2 }]);

const pairCases = [
  { user: 'pair', does: 'channels between two clients', over: 'dtls', via: v4, flags: ['-y'], flows: 4 },
];

describe('turnutils_uclient over DTLS', { timeout: oneMinuteMs * 2 }, () => {
  let server;
  let peer;
  before(explained(async () => {
    const users = [...echoCases, ...pairCases].map(({ user }) => user);
    server = await startServer({ tls: true, dtls: true, users, allowPeers: ['127.0.0.0/8', '::1/128'] });
    peer = await startEchoPeer();
  }));
  after(async () => {
    peer?.stop();
    await server?.discard();
  });

  for (const { user, does, over, via, peer: address, flags, flows } of echoCases) {
    it(`relays ${does} (${over})`, explained(async () => {
      const toPeer = ['-e', address, '-r', String(peer.port)];
      const result = await uclient({ name: user, server, over, via, credentials: byPassword(user), flags: [...toPeer, ...flags] });
      assertNothingLost(result, flows);
    }));
  }

  for (const { user, does, over, via, flags, flows } of pairCases) {
    it(`relays ${does} (${over})`, explained(async () => {
      assertNothingLost(await uclient({ name: user, server, over, via, credentials: byPassword(user), flags }), flows);
    }));
  }

  it('leaves counters that agree', explained(async () => {
    const counters = await server.stop();
    const flows = [...echoCases, ...pairCases].reduce((sum, each) => sum + each.flows, 0);
    // The pairs are relays of this server: straight from client to client, or by the other worker.
    const { relayed_between_clients: straight = 0, relayed_to_neighbour: byMail = 0 } = counters;
    const relayed = counters.relayed_to_peer + straight + byMail;
    assert.ok(relayed >= flows * messagesPerFlow, `${relayed} relayed`);
    assert.ok(counters.dtls_established > 0);
    // The tool tries DTLS 1.0 as often as 1.2, is refused, and tries again.
    assert.equal(counters.dtls_established + counters.dtls_failed, counters.dtls_accepted);
    assert.equal(counters.dtls_handshake_timed_out, 0);
  }));
});

describe('openssl s_client over DTLS', { timeout: oneMinuteMs }, () => {
  let server;
  before(explained(async () => {
    server = await startServer({ tls: true, dtls: true });
  }));
  after(() => server?.discard());

  async function sClient(port, flags) {
    const { certificate } = await localCertificate();
    const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', certificate, ...flags];
    return start('openssl', 'openssl', args);
  }

  for (const over of ['dtls', 'dtls-shared']) {
    it(`shakes hands with version 1.2 (${over})`, explained(async () => {
      const client = await sClient(server.portFor(over), ['-dtls1_2', '-alpn', 'stun.turn']);
      try {
        await until('the handshake', () => /ALPN protocol: stun.turn/.test(client.log.text));
        assert.match(client.log.text, /New, TLSv1.2, Cipher is ECDHE-/);
      } finally {
        client.kill('SIGKILL');
      }
    }));
  }

  it('is refused version 1.0 [L01]', explained(async () => {
    const client = await sClient(server.portFor('dtls'), ['-dtls1', '-cipher', 'ALL:@SECLEVEL=0']);
    try {
      const { code } = await within(10_000, 'openssl to end', client.ended);
      assert.notEqual(code, 0);
      assert.match(client.log.text, /alert protocol version/);
    } finally {
      client.kill('SIGKILL');
    }
  }));

  it('is alone on its own port, and not on the other', explained(async () => {
    assert.equal(await answersBinding({ address: v4, port: server.port }), true);
    assert.equal(await answersBinding({ address: v4, port: server.tlsPort }), false);
  }));
});

describe('A flood of DTLS handshakes [L03]', { timeout: oneMinuteMs }, () => {
  let server;
  let cutOff = 0;
  before(explained(async () => {
    server = await startServer({ tls: true, dtls: true, workers: 1, limits: { handshake_rate_total: 5 } });
  }));
  after(() => server?.discard());

  /// Comes back with its cookie; whether the server began a handshake. Binding requests on the same
  /// port tell when its silence is one, and that it serves others.
  async function isAnswered() {
    const socket = dgram.createSocket('udp4');
    const arrived = [];
    socket.on('message', (datagram) => arrived.push(datagram));
    socket.connect(server.port, v4);
    await once(socket, 'connect');
    const comes = async (what, isIt) => {
      await until(what, () => arrived.some(isIt), { everyMs: 1 });
      return arrived.find(isIt);
    };
    socket.send(dtlsClientHello());
    const cookie = cookieIn(await comes('a cookie', cookieIn));
    socket.send(dtlsClientHello({ cookie }));
    for (let fence = 0; fence < 2; fence += 1) {
      const request = encode({ type: messageType.bindingRequest });
      socket.send(request);
      await comes('an answer', (datagram) => datagram[0] === 1 && datagram.subarray(4, 20).equals(request.subarray(4, 20)));
    }
    socket.close();
    return arrived.some((datagram) => datagram[0] === 22 && !cookieIn(datagram));
  }

  it('is cut down to limits.handshake_rate_total, and others are served', explained(async () => {
    for (let i = 0; i < 1000 && cutOff < 20; i += 1) {
      if (!(await isAnswered())) cutOff += 1;
    }
    assert.equal(cutOff, 20);
  }));

  it('was counted', explained(async () => {
    const counters = await server.stop();
    assert.equal(counters.dtls_refused_rate, cutOff);
  }));
});
