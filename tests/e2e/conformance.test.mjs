// `turnpike conformance` against our server, which must break no rule, and against coturn, which
// breaks exactly those that docs/conformance.md lists.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startCoturn } from './lib/coturn.mjs';
import { explained } from './lib/logs.mjs';
import { freePort, openRelays } from './lib/ports.mjs';
import { start } from './lib/process.mjs';
import { startServer, staticPassword, turnpike } from './lib/server.mjs';
import { until, within } from './lib/until.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

/// What our server speaks. The one place to add a transport.
const ourTransports = ['udp', 'tcp', 'tls', 'dtls'];
const coturnTransports = ['udp', 'tcp', 'tls', 'dtls'];
const addresses = { ipv4: '127.0.0.1', ipv6: '::1' };

const twoMinutesMs = 120_000;
const users = ['alice', 'bob'];

const scratch = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-conformance-'));
const passwordFile = path.join(scratch, 'password');
await writeFile(passwordFile, `${staticPassword}\n`, { mode: 0o600 });
after(() => rm(scratch, { recursive: true, force: true }));

/// Runs the suite; returns its exit code and, from --output json, what it found.
async function conformance(target, flags) {
  const command = ['conformance', target, '--output', 'json', ...flags];
  const tool = start('conformance', turnpike(), command);
  try {
    const { code } = await within(twoMinutesMs, 'the suite to end', tool.ended);
    const json = tool.log.text.split('\n').find((line) => line.startsWith('{'));
    return { code, report: json && JSON.parse(json), log: tool.log.text };
  } finally {
    tool.kill('SIGKILL');
  }
}

const credentials = [
  ...['--user', 'alice', '--password', `@${passwordFile}`],
  ...['--second-user', 'bob', '--second-password', `@${passwordFile}`],
];

function suite(server, family, transports) {
  const address = addresses[family];
  const target = `turn:${address.includes(':') ? `[${address}]` : address}:${server.port}`;
  const over = ['--transport', transports.join(','), '--tls-port', String(server.tlsPort)];
  return conformance(target, [...credentials, ...over]);
}

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

describe('The suite against this server', { timeout: twoMinutesMs }, () => {
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
        const { code, report } = await suite(server, family, ourTransports);
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

  it('leaves untried only what is too slow or for another family', () => {
    const namesOf = (wanted) => {
      const found = reportOverIpv4.checks.filter(({ status }) => status === wanted);
      return [...new Set(found.map(({ name }) => name))].sort();
    };
    assert.deepEqual(namesOf('not tried'), [
      'channel-lasts-600-seconds',
      'connect-waits-30-seconds',
      'mapped-peers-are-seen-through',
      'permission-lasts-300-seconds',
      'tunnel-peers-are-refused',
      'unbound-connect-ends-after-30-seconds',
      'unbound-incoming-ends-after-30-seconds',
    ]);
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
      assert.match(check.section, /^RFC \d+ §/);
      assert.ok(['must', 'should', 'advice'].includes(check.strength), check.strength);
      assert.ok(['passed', 'failed', 'warned', 'not supported', 'not tried'].includes(check.status), check.status);
      assert.ok(ourTransports.includes(check.transport));
      assert.equal(check.family, 'ipv4');
    }
    const { passed, failed, warned, not_supported: lacking, not_tried: untried } = report.summary;
    assert.equal(passed + failed + warned + lacking + untried, report.checks.length);
  });

  it('ends with 4 when the password is wrong', explained(async () => {
    const wrong = path.join(scratch, 'wrong');
    await writeFile(wrong, 'not the password\n');
    const target = `turn:127.0.0.1:${server.port}`;
    const { code } = await conformance(target, ['--user', 'alice', '--password', `@${wrong}`]);
    assert.equal(code, 4);
  }));
});

describe('The suite against this server with NAT behaviour discovery', { timeout: twoMinutesMs }, () => {
  let server;
  before(explained(async () => {
    server = await startServer({ users, discoveryAddresses: ['127.0.0.1', '127.0.0.2'], allowPeers: ['127.0.0.0/8'] });
  }));
  after(() => server?.discard());

  it('finds that all of RFC 5780 is kept', explained(async () => {
    const { code, report } = await conformance(`turn:127.0.0.1:${server.port}`, credentials);
    assert.deepEqual(broken(report).map(described), []);
    assert.equal(code, 0);
    const discovery = report.checks.filter(({ section }) => section.startsWith('RFC 5780'));
    const rest = discovery.filter(({ status }) => status !== 'passed').map(({ name }) => name);
    assert.deepEqual(rest, ['change-request-needs-an-alternate-address']);
    assert.ok(discovery.length > 10);
  }));
});

it('ends with 69 when there is no server', { timeout: twoMinutesMs }, explained(async () => {
  const port = await freePort();
  for (const transport of ['udp', 'tcp', 'tls']) {
    const flags = ['--transport', transport, '--tls-port', String(port), '--rto', '50'];
    const { code } = await conformance(`turn:127.0.0.1:${port}`, flags);
    assert.equal(code, 69, transport);
  }
}));

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

describe('The suite against coturn', { timeout: twoMinutesMs }, () => {
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
        documented.filter(({ where }) => isWhere(where, transport, family)).map(({ name }) => `${name} ${transport}`));
      await leavesNothing(coturn, async () => {
        const { code, report } = await suite(coturn, family, coturnTransports);
        const found = broken(report).map(({ name, transport }) => `${name} ${transport}`);
        assert.deepEqual(found.sort(), expected.sort());
        assert.equal(code, 1);
      });
    }));
  }
});
