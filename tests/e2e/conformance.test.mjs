// `turnpike conformance` against our server, which must break no rule, and against coturn, which
// breaks exactly those that docs/conformance.md lists.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { asAlice, check, conformance, fileWith, runSuite, withSecret } from './lib/conformance.mjs';
import { startCoturn } from './lib/coturn.mjs';
import { explained } from './lib/logs.mjs';
import { freePort, openRelays } from './lib/ports.mjs';
import { fullServer, startServer } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

/// What our server speaks. The one place to add a transport.
const ourTransports = ['udp', 'tcp', 'tls', 'dtls'];
const coturnTransports = ['udp', 'tcp', 'tls', 'dtls'];
const addresses = { ipv4: '127.0.0.1', ipv6: '::1' };

const twoMinutesMs = 120_000;
const oneByOne = { timeout: twoMinutesMs, concurrency: 1 }; // not what The suite has, which is inherited
const users = ['alice', 'bob'];

function suite(server, family, transports, flags = []) {
  const address = addresses[family];
  const target = `turn:${address.includes(':') ? `[${address}]` : address}:${server.port}`;
  const over = ['--transport', transports.join(','), '--tls-port', String(server.tlsPort)];
  return runSuite(target, [...asAlice, ...over, ...flags]);
}

/// The suite needs CAP_NET_RAW to see it.
const seenByRootOnly = ['df-is-clear-unless-asked', 'dont-fragment-sets-df'];

const broken = (report) => report.checks.filter(({ status }) => status === 'failed');
const described = ({ name, transport, family, expected, got }) =>
  `${name} over ${transport} and ${family}: expected ${expected}, got ${got}`;

async function leavesNothing(server, run) {
  const strangers = new Set(await openRelays(server.relay)); // other programs' sockets in that range
  await run();
  const left = async () => (await openRelays(server.relay)).filter((port) => !strangers.has(port));
  // coturn keeps a deleted allocation for a second or two.
  await until('all relays to be closed', async () => (await left()).length === 0, { describe: left });
}

/// The table of docs/conformance.md: | `name` | where | …
async function documentedFailures() {
  const text = await readFile(path.resolve(here, '../../docs/conformance.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z0-9.-]+)` \| ([a-z0-9, ]+) \|/gm)];
  return rows.map(([, name, where]) => ({ name, where: where.split(', ') }));
}

const isWhere = (where, transport, family) =>
  where.every((word) =>
    word === 'everywhere' ||
    word === family ||
    word === transport ||
    (word === 'secured' && ['tls', 'dtls'].includes(transport)) ||
    (word === 'datagrams' && ['udp', 'dtls'].includes(transport)) ||
    (word === 'streams' && ['tcp', 'tls'].includes(transport)));

// Two at a time: some of it only waits.
describe('The suite', { concurrency: 2 }, () => {
  describe('against this server', oneByOne, () => {
    let server;
    let reportOverIpv4;
    before(explained(async () => {
      const allowPeers = ['127.0.0.0/8', '::1/128'];
      server = await startServer({ users, tls: true, dtls: true, tcpRelays: true, mobility: true, allowPeers });
    }));
    after(() => server?.discard());

    for (const family of Object.keys(addresses)) {
      it(`finds no rule broken over ${family}, and leaves nothing behind`, explained(async () => {
        await leavesNothing(server, async () => {
          const { code, report } = await suite(server, family, ourTransports, withSecret);
          if (family === 'ipv4') reportOverIpv4 = report;
          assert.deepEqual(broken(report).map(described), []);
          assert.equal(code, 0);
          for (const transport of ourTransports) {
            const passed = report.checks.filter((one) => one.transport === transport && one.status === 'passed');
            assert.ok(passed.length > 100, `${passed.length} checks passed over ${transport}`);
          }
          assert.equal(report.summary.left_behind, 0);
        });
      }));
    }

    it('leaves untried only what is too slow, for another family, or for a server that is full', () => {
      const namesOf = (wanted) => {
        const found = reportOverIpv4.checks.filter(({ status }) => status === wanted);
        return [...new Set(found.map(({ name }) => name))].sort();
      };
      assert.deepEqual(namesOf('not tried').filter((name) => !seenByRootOnly.includes(name)), [
        'alternate-domain-is-a-name',
        'channel-lasts-600-seconds',
        'connect-waits-30-seconds',
        'mapped-peers-are-seen-through',
        'nonce-expires-within-an-hour',
        'permission-lasts-300-seconds',
        'refresh-outlives-the-credential',
        'try-alternate-is-signed',
        'try-alternate-names-a-server-of-the-family',
        'try-alternate-names-the-other-family-after-it',
        'tunnel-peers-are-refused',
        'unbound-connect-ends-after-30-seconds',
        'unbound-incoming-ends-after-30-seconds',
      ]);
      // With raw sockets they are tried, but for what OpenSSL's own DTLS socket makes of the DF bit.
      const untried = reportOverIpv4.checks.filter(
        ({ name, transport, status }) =>
          seenByRootOnly.includes(name) && transport !== 'dtls' && status === 'not tried');
      if (process.getuid() === 0) assert.deepEqual(untried.map(described), []);
      // USERHASH is offered only where no users are time-limited (docs/adr/0005).
      const lacking = new Set(namesOf('not supported'));
      // Switched off in this server.
      for (const { name, section } of reportOverIpv4.checks) {
        if (/^RFC 5780/.test(section)) lacking.delete(name);
      }
      assert.deepEqual([...lacking], ['userhash-is-accepted']);
      // A deliberate deviation (docs/rfc-map.md).
      assert.deepEqual(namesOf('warned'), ['allocate-success-has-software']);
    });

    it('reports each check with its section, and sums up', () => {
      const report = reportOverIpv4;
      for (const check of report.checks) {
        assert.match(check.name, /^[a-z0-9.-]+$/);
        assert.match(check.section, /^(RFC \d+ §|draft-)/);
        assert.ok(['must', 'should', 'advice'].includes(check.strength), check.strength);
        assert.ok(['passed', 'failed', 'warned', 'not supported', 'not tried'].includes(check.status), check.status);
        assert.ok(ourTransports.includes(check.transport));
        assert.equal(check.family, 'ipv4');
      }
      const { passed, failed, warned, not_supported: lacking, not_tried: untried } = report.summary;
      assert.equal(passed + failed + warned + lacking + untried, report.checks.length);
    });

    it('ends with 4 when the password is wrong', explained(async () => {
      const wrong = await fileWith('not the password');
      const { code } = await runSuite(server.uri('127.0.0.1'), ['--user', 'alice', '--password', wrong]);
      assert.equal(code, 4);
    }));
  });

  describe('against time', { timeout: twoMinutesMs, concurrency: true }, () => {
    let server;
    before(explained(async () => {
      server = await startServer({ users, environment: { TURNPIKE__AUTH__NONCE_LIFETIME: '60s' } });
    }));
    after(() => server?.discard());

    it('finds that nonces expire, and allocations do not with them', explained(async () => {
      const flags = ['--nonce-lifetime', '60'];
      const { status, why } = await check('nonce-expires-within-an-hour', { server, flags });
      assert.equal(status, 'passed', why);
    }));

    it('finds that an allocation outlives the credential it was made with', explained(async () => {
      const { status, why } = await check('refresh-outlives-the-credential', { server, flags: ['--slow'] });
      assert.equal(status, 'passed', why);
    }));
  });

  describe('against this server with NAT behaviour discovery', oneByOne, () => {
    let server;
    before(explained(async () => {
      const discoveryAddresses = ['127.0.0.1', '127.0.0.2'];
      server = await startServer({ users, discoveryAddresses, allowPeers: ['127.0.0.0/8'] });
    }));
    after(() => server?.discard());

    it('finds that all of RFC 5780 is kept', explained(async () => {
      const { code, report } = await runSuite(server.uri('127.0.0.1'), asAlice);
      assert.deepEqual(broken(report).map(described), []);
      assert.equal(code, 0);
      const discovery = report.checks.filter(({ section }) => section.startsWith('RFC 5780'));
      const rest = discovery.filter(({ status }) => status !== 'passed').map(({ name }) => name);
      assert.deepEqual(rest, ['change-request-needs-an-alternate-address']);
      assert.ok(discovery.length > 10);
    }));
  });

  describe('against this server when it is full', oneByOne, () => {
    let server;
    before(explained(async () => {
      server = await startServer({ users, tls: true, dtls: true, environment: fullServer });
    }));
    after(() => server?.discard());

    for (const over of ourTransports) {
      it(`finds that it sends clients elsewhere as RFC 8489 wants it (${over})`, explained(async () => {
        const flags = ['--check', 'try-alternate-*', '--check', 'alternate-domain-*'];
        const { checks } = await conformance({ server, over, flags });
        assert.equal(checks.length, ['tls', 'dtls'].includes(over) ? 4 : 3);
        assert.deepEqual(checks.filter(({ status }) => status !== 'passed').map(described), []);
      }));
    }
  });

  it('ends with 69 when there is no server', { timeout: twoMinutesMs }, explained(async () => {
    const port = await freePort();
    for (const transport of ['udp', 'tcp', 'tls']) {
      const flags = ['--transport', transport, '--tls-port', String(port), '--rto', '50'];
      const { code } = await runSuite(`turn:127.0.0.1:${port}`, flags);
      assert.equal(code, 69, transport);
    }
  }));

  describe('against coturn', oneByOne, () => {
    let coturn;
    before(explained(async () => {
      coturn = await startCoturn({ users });
    }));
    after(() => coturn?.discard());

    for (const family of Object.keys(addresses)) {
      it(`finds over ${family} what docs/conformance.md says, and leaves nothing behind`, explained(async () => {
        const documented = await documentedFailures();
        assert.ok(documented.length > 0, 'docs/conformance.md has its table');
        const expected = coturnTransports.flatMap((transport) =>
          documented
            .filter(({ where }) => isWhere(where, transport, family))
            .map(({ name }) => `${name} ${transport}`));
        await leavesNothing(coturn, async () => {
          const { code, report } = await suite(coturn, family, coturnTransports);
          const found = broken(report).map(({ name, transport }) => `${name} ${transport}`);
          assert.deepEqual(found.sort(), expected.sort());
          assert.equal(code, 1);
        });
      }));
    }
  });
});
