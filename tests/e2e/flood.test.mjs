// Floods from strangers beside people who are at work: a second of each kind, with the limits that a
// configuration has unless it says otherwise. It is counted what came of it, not what it cost.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileWith } from './lib/conformance.mjs';
import { Connection } from './lib/connection.mjs';
import { floods, openSlowConnections, startFlood } from './lib/floods.mjs';
import { descriptorsOf } from './lib/holdings.mjs';
import { explained } from './lib/logs.mjs';
import { reportIn, start } from './lib/process.mjs';
import { startServer, staticPassword, turnpike } from './lib/server.mjs';
import { until, within } from './lib/until.mjs';

const seconds = 1;
const rate = 2000; // a machine that tests has other things to do as well
const headerBytes = 28; // of IPv4 and UDP: amplification is counted in what the network carries
const limits = {
  challenge_rate: 50, handshake_rate: 200, handshake_rate_total: 240, tcp_connections_per_address: 64,
  unauthenticated_timeout: '2s',
};
const password = await fileWith(staticPassword);

/// People at work: 16 allocations, and their packets to peers and back while the flood goes on.
async function atWork(server, body) {
  const flags = ['--mode', 'echo', '--rate', '400', '--allocations', '16', '--seconds', String(seconds + 0.5)];
  const load = start('people', turnpike(), [
    'bench', `127.0.0.1:${server.port}`, '--user', 'alice', '--password', password, '--output', 'json', ...flags,
  ]);
  const result = await body();
  const { code } = await within(30_000, 'the people to end', load.ended);
  assert.equal(code, 0, load.log.text);
  const { packets } = reportIn(load.log.text);
  assert.ok(packets.sent > 0);
  assert.ok(packets.received >= 0.9 * packets.sent, `${packets.received} of ${packets.sent} packets came back`);
  return result;
}

/// Bytes that the network brings to the flooder for each byte that it brings to the server.
const amplification = ({ sent, sent_bytes: sentBytes, answers, answer_bytes: answerBytes }) =>
  (answerBytes + headerBytes * answers) / (sentBytes + headerBytes * sent);

describe('a flood of', { concurrency: 1 }, () => {
  let server;
  let descriptorsBefore;
  const descriptors = () => descriptorsOf(server.process.pid);

  beforeEach(explained(async () => {
    server = await startServer({
      users: ['alice'], tls: true, dtls: true, allowPeers: ['127.0.0.0/8'], workers: 1, limits,
      // A challenge is as long as the realm in it makes it.
      environment: { TURNPIKE__RELAY__MAX_ALLOCATIONS_PER_USER: '0', TURNPIKE__REALM: 'example.org' },
    });
    descriptorsBefore = descriptors();
  }));
  afterEach(() => server?.discard());

  /// Floods, has the people work meanwhile, and returns what flooder and server counted.
  async function flooded(name) {
    const flooder = await atWork(server, async () => {
      const flood = await startFlood(name, server, { rate, seconds });
      return flood.ended();
    });
    assert.ok((flooder.sent ?? flooder.begun) >= 0.5 * rate * seconds, `there was a flood: ${JSON.stringify(flooder)}`);
    return { flooder, counters: await server.stop() };
  }

  it('garbage is not answered', explained(async () => {
    const { flooder, counters } = await flooded('garbage');
    assert.equal(flooder.answers, 0);
    assert.ok(counters.dropped_not_turn > 0);
  }));

  it('Binding requests is answered with hardly more than it sends', explained(async () => {
    const { flooder, counters } = await flooded('binding');
    assert.ok(flooder.answers > 0);
    assert.ok(amplification(flooder) <= 1.36, `${amplification(flooder)} bytes for each`);
    assert.ok(counters.answered_binding >= flooder.answers);
  }));

  it('Allocates from 4,000 networks is challenged with hardly more than it sends', explained(async () => {
    const { flooder, counters } = await flooded('allocate');
    assert.ok(flooder.answers > 0);
    assert.ok(amplification(flooder) <= 2.2, `${amplification(flooder)} bytes for each`);
    assert.equal(counters.dropped_challenge_budget ?? 0, 0);
  }));

  it('Allocates from one network falls silent [M03]', explained(async () => {
    const { flooder, counters } = await flooded('allocate-one-network');
    assert.ok(flooder.answers > 0);
    assert.ok(amplification(flooder) <= 0.25, `${amplification(flooder)} bytes for each`);
    assert.ok(counters.dropped_challenge_budget >= 0.5 * flooder.sent);
  }));

  it('ClientHellos without a cookie from 10,000 addresses begins nothing [L08]', explained(async () => {
    const { flooder, counters } = await flooded('dtls-hello');
    assert.ok(flooder.answers > 0);
    assert.ok(amplification(flooder) <= 1, `${amplification(flooder)} bytes for each`);
    assert.ok(counters.dtls_challenged >= flooder.answers);
    assert.equal(counters.dtls_accepted ?? 0, 0);
  }));

  for (const [over, refused] of [['tls', 'streams_refused_rate'], ['dtls', 'dtls_refused_rate']]) {
    it(`${over.toUpperCase()} handshakes gets no more of them than there are for all [L03]`, explained(async () => {
      const { flooder, counters } = await flooded(`${over}-handshake`);
      const most = limits.handshake_rate_total * (flooder.seconds + 1);
      assert.ok(flooder.answered > 0);
      assert.ok(flooder.answered <= most, `${flooder.answered} handshakes in ${flooder.seconds} s`);
      assert.ok(counters[refused] > 0);
    }));
  }

  it('connections that say one byte are closed when their time has come [F08]', explained(async () => {
    const count = 1000;
    await atWork(server, async () => {
      const slow = await openSlowConnections(server.port, { count });
      try {
        const connection = await Connection.open({ port: server.port });
        await connection.bind();
        await until('the slow ones to be closed', () => slow.closed() === count, {
          describe: () => `${slow.closed()} of ${count}`,
        });
        connection.socket.destroy();
      } finally {
        slow.discard();
      }
    });
    await until('their descriptors to be given back', () => descriptors() === descriptorsBefore, {
      describe: () => `${descriptors()}, before: ${descriptorsBefore}`,
    });
    const counters = await server.stop();
    assert.ok(counters.streams_timed_out >= count, `${counters.streams_timed_out} timed out`);
  }));

  it('has a test for each kind', () => {
    const names = ['garbage', 'binding', 'allocate', 'allocate-one-network', 'dtls-hello', 'dtls-handshake', 'tls-handshake'];
    assert.deepEqual(Object.keys(floods).sort(), names.sort());
  });
});
