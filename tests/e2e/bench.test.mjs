// `turnpike bench` against our server: every mode over every transport relays what it says and accounts
// for it. Nothing here is about speed: rates are low, and times are not looked at.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileWith } from './lib/conformance.mjs';
import { explained } from './lib/logs.mjs';
import { freePort } from './lib/ports.mjs';
import { reportIn, run } from './lib/process.mjs';
import { restSecret, startServer, staticPassword, turnpike } from './lib/server.mjs';

const transports = ['udp', 'tcp', 'tls', 'dtls'];
const password = await fileWith(staticPassword);
const secret = await fileWith(restSecret);
const asAlice = ['--user', 'alice', '--password', password];

const flagsFrom = (flags) => Object.entries(flags).flatMap(([name, value]) =>
  value === true ? [`--${name}`] : [`--${name}`, String(value)]);

/// Runs it to its end; `report` is what it printed with --output json.
async function bench(server, { credentials = asAlice, host = '127.0.0.1', ...flags }) {
  const usual = { output: 'json', allocations: 4, seconds: 0.2, 'tls-port': server.tlsPort };
  const args = ['bench', `${host}:${server.port}`, ...credentials, ...flagsFrom({ ...usual, ...flags })];
  const { code, output } = await run('bench', turnpike(), args);
  return { code, output, report: reportIn(output) };
}

/// What it printed about a failure: the lines that are no log of the test's own.
const sentences = (output) => output.split('\n').filter((line) => line.startsWith('turnpike: '));

function assertNothingLost({ code, report, output }) {
  assert.equal(code, 0, output);
  const { sent, received, lost, duplicated } = report.packets;
  assert.ok(sent > 0, 'packets were sent');
  assert.deepEqual({ received, lost, duplicated }, { received: sent, lost: 0, duplicated: 0 });
  assert.equal(report.packets.bytes, sent * report.payload_bytes);
  assert.equal(report.latency_us.count, sent);
}

describe('turnpike bench', { concurrency: 1 }, () => {
  let server;
  before(explained(async () => {
    server = await startServer({
      users: ['alice'], tls: true, dtls: true, allowPeers: ['127.0.0.0/8', '::1/128'],
      environment: { TURNPIKE__RELAY__MAX_ALLOCATIONS_PER_USER: '0' },
    });
  }));
  after(() => server?.discard());

  for (const transport of transports) {
    describe(`over ${transport}`, { concurrency: 1 }, () => {
      for (const mode of ['client-to-peer', 'peer-to-client', 'echo']) {
        it(`${mode} loses nothing at a low rate`, explained(async () => {
          const ran = await bench(server, { transport, mode, rate: 300 });
          assertNothingLost(ran);
          const { report } = ran;
          assert.deepEqual([report.mode, report.transport, report.rate], [mode, transport, 300]);
          assert.equal(report.packets.relayed, report.packets.received * (mode === 'echo' ? 2 : 1));
        }));
      }

      it('indications and trains of them come through both ways', explained(async () => {
        for (const mode of ['client-to-peer', 'echo']) {
          assertNothingLost(await bench(server, { transport, mode, framing: 'indication', train: 3, size: 301, rate: 300 }));
        }
      }));

      it('allocations of the same server talk to each other', explained(async () => {
        for (const mode of ['client-to-peer', 'echo']) {
          assertNothingLost(await bench(server, { transport, mode, pair: true, train: 2, rate: 300 }));
        }
      }));

      for (const mode of ['binding', 'churn']) {
        it(`${mode} is answered`, explained(async () => {
          const { code, report, output } = await bench(server, { transport, mode, rate: 100 });
          assert.equal(code, 0, output);
          assert.ok(report.transactions.completed > 0);
          assert.equal(report.transactions.failed, 0);
          assert.equal(report.latency_us.count, report.transactions.completed);
        }));
      }

      it('idle allocations are made and left', explained(async () => {
        const pid = server.process.pid;
        const { code, report, output } = await bench(server, { transport, mode: 'idle', 'server-pid': pid });
        assert.equal(code, 0, output);
        assert.equal(typeof report.server.resident_bytes_per_allocation, 'number');
        assert.equal(typeof report.server.cpu_ns_per_allocation, 'number');
      }));
    });
  }

  it('does the same over IPv6', explained(async () => {
    for (const transport of transports) assertNothingLost(await bench(server, { host: '[::1]', transport, mode: 'echo', rate: 300 }));
  }));

  it('a closed loop keeps the server busy without losing a packet', explained(async () => {
    for (const mode of ['client-to-peer', 'peer-to-client']) {
      const ran = await bench(server, { mode, size: 1200, train: 4, 'server-pid': server.process.pid });
      assertNothingLost(ran);
      assert.equal(ran.report.rate, 'max');
      assert.ok(ran.report.server.cpu_ns_per_packet > 0);
    }
  }));

  it('allocations are kept while packets go on', explained(async () => {
    const ran = await bench(server, { mode: 'echo', rate: 300, seconds: 0.6, refresh: 0.2 });
    assertNothingLost(ran);
    const { done, failed } = ran.report.upkeep;
    assert.ok(done >= 4, `each once at least: ${done}`);
    assert.equal(failed, 0);
  }));

  it('a search ends with a rate and what it costs', explained(async () => {
    const { code, report, output } = await bench(server, { rate: 'search', seconds: 0.05 });
    assert.equal(code, 0, output);
    assert.ok(report.search.trials.length > 0);
    assert.ok(report.search.highest_per_second >= 0);
  }));

  it('clients come from the addresses that were named', explained(async () => {
    assertNothingLost(await bench(server, { 'clients-from': '127.9.0.0/30', allocations: 5, rate: 300 }));
  }));

  it('deletes its allocations', explained(async () => {
    const counts = await bench(server, { allocations: 200, rate: 300 }); // of 250 ports
    assertNothingLost(counts);
    assertNothingLost(await bench(server, { allocations: 200, rate: 300 }));
  }));

  it('takes the secret of time-limited credentials', explained(async () => {
    assertNothingLost(await bench(server, { credentials: ['--secret', secret], rate: 300 }));
  }));

  it('the table for people says the same', explained(async () => {
    const { code, output } = await bench(server, { output: 'table', rate: 300 });
    assert.equal(code, 0);
    assert.match(output, /^measured {4}client-to-peer, 4 allocations over udp, 160 B, framing channel, 300\/s$/m);
    assert.match(output, /^packets {5}(\d+) sent, \1 received, 0 lost, /m);
  }));
});

describe('turnpike bench fails in one sentence', { concurrency: 1 }, () => {
  let server;
  before(explained(async () => {
    server = await startServer({ users: ['alice'], tls: true, dtls: true, allowPeers: ['127.0.0.0/8'] });
  }));
  after(() => server?.discard());

  it('when the password is wrong', explained(async () => {
    const wrong = ['--user', 'alice', '--password', await fileWith('wrong')];
    for (const transport of transports) {
      const { code, output } = await bench(server, { transport, credentials: wrong });
      assert.equal(code, 4, output);
      assert.equal(sentences(output).length, 1);
      assert.match(sentences(output)[0], /refuses alice: name, password or secret is wrong$/);
    }
  }));

  it('when the server allows one user fewer allocations', explained(async () => {
    const { code, output } = await bench(server, { allocations: 20 });
    assert.equal(code, 1, output);
    assert.deepEqual(sentences(output), [
      `turnpike: 127.0.0.1:${server.port} over udp refuses Allocate: 486 Allocation Quota Reached`,
    ]);
  }));

  it('when nobody is there', explained(async () => {
    const port = await freePort();
    for (const transport of transports) {
      const { code, output } = await bench({ port, tlsPort: port }, { transport });
      assert.equal(code, 69, output);
      assert.equal(sentences(output).length, 1);
      assert.match(sentences(output)[0], new RegExp(`127\\.0\\.0\\.1:${port} over ${transport}`));
    }
  }));

  it('when the process of the server is not there', explained(async () => {
    const { code, output } = await bench(server, { 'server-pid': 99_999_999 });
    assert.equal(code, 1, output);
    assert.deepEqual(sentences(output), ['turnpike: --server-pid: there is no process 99999999']);
  }));
});
