// Floods from strangers beside people who are at work: a second of each kind, with the limits that a
// configuration has unless it says otherwise. It is counted what came of it, not what it cost.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileWith } from './lib/conformance.mjs';
import { Connection } from './lib/connection.mjs';
import { amplificationOf, cannotFloodIpv6, floods, openSlowConnections, startFlood } from './lib/floods.mjs';
import { descriptorsOf } from './lib/holdings.mjs';
import { explained } from './lib/logs.mjs';
import { reportIn, start } from './lib/process.mjs';
import { startServer, staticPassword, turnpike } from './lib/server.mjs';
import { until, within } from './lib/until.mjs';

const seconds = 1;
const rate = 2000; // a machine that tests has other things to do as well
const limits = {
  challenge_rate: 50, handshake_rate: 200, handshake_rate_total: 240, tcp_connections_per_address: 64,
  unauthenticated_timeout: '2s',
};
const password = await fileWith(staticPassword);
const obstacle = cannotFloodIpv6();
const where = (name) => ({ skip: floods[name].isIpv6 && obstacle });

/// People at work: 16 allocations, and their packets to peers and back while the flood goes on.
async function atWork(server, body, address = '127.0.0.1') {
  const flags = ['--mode', 'echo', '--rate', '400', '--allocations', '16', '--seconds', String(seconds + 0.5)];
  const load = start('people', turnpike(), [
    'bench', `${address}:${server.port}`, '--user', 'alice', '--password', password, '--output', 'json', ...flags,
  ]);
  const result = await body();
  const { code } = await within(30_000, 'the people to end', load.ended);
  assert.equal(code, 0, load.log.text);
  const { packets } = reportIn(load.log.text);
  assert.ok(packets.sent > 0);
  assert.ok(packets.received >= 0.9 * packets.sent, `${packets.received} of ${packets.sent} packets came back`);
  return result;
}

describe('a flood of', { concurrency: 1 }, () => {
  let server;
  let descriptorsBefore;
  const descriptors = () => descriptorsOf(server.process.pid);

  beforeEach(explained(async () => {
    server = await startServer({
      users: ['alice'], tls: true, dtls: true, allowPeers: ['127.0.0.0/8', '::1/128'], workers: 1, limits,
      // A challenge is as long as the realm in it makes it.
      environment: { TURNPIKE__RELAY__MAX_ALLOCATIONS_PER_USER: '0', TURNPIKE__REALM: 'example.org' },
    });
    descriptorsBefore = descriptors();
  }));
  afterEach(() => server?.discard());

  /// Floods, has the people work meanwhile over the same family, and returns what flooder and server counted.
  async function flooded(name) {
    const flooder = await atWork(server, async () => {
      const flood = await startFlood(name, server, { rate, seconds });
      return flood.ended();
    }, floods[name].isIpv6 ? '[::1]' : '127.0.0.1');
    assert.ok((flooder.sent ?? flooder.begun) >= 0.5 * rate * seconds, `there was a flood: ${JSON.stringify(flooder)}`);
    return { flooder, counters: await server.stop(), amplification: amplificationOf(name, flooder) };
  }

  for (const [name, what] of [['garbage', 'garbage'], ['garbage-trains', 'garbage in trains'], ['garbage-ipv6', 'garbage over IPv6']]) {
    it(`${what} is not answered`, where(name), explained(async () => {
      const { flooder, counters } = await flooded(name);
      assert.equal(flooder.answers, 0);
      assert.ok(counters.dropped_not_turn >= 0.5 * flooder.sent, `${counters.dropped_not_turn} of ${flooder.sent}`);
    }));
  }

  for (const [name, what] of [['binding', 'Binding requests'], ['binding-ipv6', 'Binding requests over IPv6']]) {
    it(`${what} is answered with hardly more than it sends`, where(name), explained(async () => {
      const { flooder, counters, amplification } = await flooded(name);
      assert.ok(flooder.answers > 0);
      assert.ok(amplification <= 1.36, `${amplification} bytes for each`);
      assert.ok(counters.answered_binding >= flooder.answers);
    }));
  }

  for (const [name, what] of [['allocate', '4,000 networks'], ['allocate-ipv6', 'an IPv6 network each']]) {
    it(`Allocates from ${what} is challenged with hardly more than it sends`, where(name), explained(async () => {
      const { flooder, counters, amplification } = await flooded(name);
      assert.ok(flooder.answers > 0);
      assert.ok(amplification <= 2.2, `${amplification} bytes for each`);
      assert.equal(counters.dropped_challenge_budget ?? 0, 0);
    }));
  }

  for (const [name, what] of [['allocate-one-network', 'one network'], ['allocate-one-network-ipv6', 'all over one /56']]) {
    it(`Allocates from ${what} falls silent [M03]`, where(name), explained(async () => {
      const { flooder, counters, amplification } = await flooded(name);
      assert.ok(flooder.answers > 0);
      assert.ok(amplification <= 0.25, `${amplification} bytes for each`);
      assert.ok(counters.dropped_challenge_budget >= 0.5 * flooder.sent);
    }));
  }

  for (const [name, what] of [['dtls-hello', '10,000 addresses'], ['dtls-hello-ipv6', 'an IPv6 network each']]) {
    it(`ClientHellos without a cookie from ${what} begins nothing [L08]`, where(name), explained(async () => {
      const { flooder, counters, amplification } = await flooded(name);
      assert.ok(flooder.answers > 0);
      assert.ok(amplification <= 1, `${amplification} bytes for each`);
      assert.ok(counters.dtls_challenged >= flooder.answers);
      assert.equal(counters.dtls_accepted ?? 0, 0);
    }));
  }

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
    const overUdp = ['garbage', 'binding', 'allocate', 'allocate-one-network', 'dtls-hello'];
    const names = [...overUdp, ...overUdp.map((name) => `${name}-ipv6`), 'garbage-trains', 'dtls-handshake', 'tls-handshake'];
    assert.deepEqual(Object.keys(floods).sort(), names.sort());
  });
});
