// Allocations that are kept, and others that come and go, for some seconds: afterwards everything is
// given back, to the last descriptor. For hours it is `script/bench soak`.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileWith } from './lib/conformance.mjs';
import { countable, holdings } from './lib/holdings.mjs';
import { explained } from './lib/logs.mjs';
import { freePort, openRelays } from './lib/ports.mjs';
import { reportIn, run } from './lib/process.mjs';
import { startServer, staticPassword, turnpike } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const quota = 150; // of the one user, and fewer than there are ports
const password = await fileWith(staticPassword);

describe('after a soak', { concurrency: 1 }, () => {
  let server;
  let metrics;
  before(explained(async () => {
    metrics = `127.0.0.1:${await freePort()}`;
    server = await startServer({
      users: ['alice'], tls: true, dtls: true, allowPeers: ['127.0.0.0/8'], metricsListen: metrics,
      environment: { TURNPIKE__RELAY__MAX_ALLOCATIONS_PER_USER: String(quota) },
    });
  }));
  after(() => server?.discard());

  const held = () => holdings({ pid: server.process.pid, metrics });

  async function load(flags) {
    const { code, output } = await run('load', turnpike(), [
      'bench', `127.0.0.1:${server.port}`, '--user', 'alice', '--password', password, '--output', 'json',
      '--tls-port', String(server.tlsPort), ...flags.split(' '),
    ]);
    return { code, output, report: reportIn(output) };
  }

  /// Kept ones over every transport, and others that come and go meanwhile.
  async function soak(seconds) {
    const kept = ['udp', 'tcp', 'tls', 'dtls'].map((over) =>
      load(`--transport ${over} --mode echo --allocations 20 --rate 200 --refresh 0.5 --seconds ${seconds}`));
    const passing = load(`--mode churn --allocations 20 --rate 200 --clients-from 127.2.0.0/16 --seconds ${seconds}`);
    const results = await Promise.all([...kept, passing]);
    for (const { code, output } of results) assert.equal(code, 0, output);
    for (const { report } of results.slice(0, -1)) {
      assert.equal(report.upkeep.failed, 0, report.upkeep.failure);
      assert.ok(report.upkeep.done > 20, 'each is refreshed more than once');
      assert.ok(report.packets.received >= 0.9 * report.packets.sent);
    }
    assert.ok(results.at(-1).report.transactions.completed > 0);
  }

  async function comesTo(wanted) {
    await until('everything to be given back', async () => {
      const now = countable(await held());
      return Object.entries(wanted).every(([name, value]) => now[name] === value);
    }, { describe: async () => ({ now: countable(await held()), wanted }) });
  }

  it('ports, descriptors and quotas are where they were [G1][G3]', explained(async () => {
    await soak(0.6);
    await until('the first to be gone', async () => (await held()).allocations === 0);
    const warm = countable(await held());
    assert.deepEqual({ ...warm, descriptors: 0 }, { descriptors: 0, portsInUse: 0, allocations: 0 });

    await soak(3);
    await comesTo(warm);
    assert.deepEqual(await openRelays(server.relay), [], 'no relay is bound');
    const all = await load(`--mode idle --seconds 0.05 --allocations ${quota}`);
    assert.equal(all.code, 0, `the user may have ${quota} again: ${all.output}`);
    const tooMany = await load(`--mode idle --seconds 0.05 --allocations ${quota + 1}`);
    assert.equal(tooMany.code, 1, 'and not one more');
    assert.match(tooMany.output, /486 Allocation Quota Reached/);
    await comesTo(warm);
  }));
});
