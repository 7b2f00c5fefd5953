// Link-local IPv6 clients (RFC 4007): every link has the same addresses. Three network namespaces:
// the server is fe80::1 on two links, at whose other ends are two clients, both fe80::2.
//
//   a (fe80::2) ---- link a ---- server ---- link b ---- b (fe80::2, fd00:b::2, 10.77.0.2)

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { explained } from './lib/logs.mjs';
import { run, start } from './lib/process.mjs';
import { staticPassword } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const binary = process.env.TURNPIKE_BINARY ?? fileURLToPath(new URL('../../build/release/turnpike', import.meta.url));
const script = (name) => fileURLToPath(new URL(`lib/${name}`, import.meta.url));
const port = 3478;
const peerPort = 4000;

const name = (end) => `turnpike-${process.pid}-${end}`;
const ends = ['server', 'a', 'b'].map(name);
const [serverEnd] = ends;
const ip = (...args) => execFileSync('ip', args, { stdio: 'pipe' });
const inside = (end, ...args) => ip('-n', end, ...args);

/// Joins the server to `client` by a link whose two ends have only the addresses given.
function makeLink(client, interfaceName, { server, far }) {
  ip('link', 'add', interfaceName, 'netns', serverEnd, 'type', 'veth', 'peer', 'name', 'up0', 'netns', name(client));
  for (const [end, device, addresses] of [[serverEnd, interfaceName, server], [name(client), 'up0', far]]) {
    inside(end, 'link', 'set', device, 'addrgenmode', 'none');
    inside(end, 'link', 'set', device, 'up');
    for (const address of addresses) {
      inside(end, 'addr', 'add', address, 'dev', device, ...(address.includes(':') ? ['nodad'] : []));
    }
  }
}

function makeNetwork() {
  for (const end of ends) {
    ip('netns', 'add', end);
    inside(end, 'link', 'set', 'lo', 'up');
  }
  makeLink('a', 'a0', { server: ['fe80::1/64'], far: ['fe80::2/64'] });
  makeLink('b', 'b0', {
    server: ['fe80::1/64', 'fd00:b::1/64', '10.77.0.1/24'],
    far: ['fe80::2/64', 'fd00:b::2/64', '10.77.0.2/24'],
  });
}

function removeNetwork() {
  for (const end of ends) {
    try {
      ip('netns', 'del', end);
    } catch {
      // was never made
    }
  }
}

/// Why this machine cannot run these tests, if it cannot.
function obstacle() {
  if (process.getuid() !== 0) return 'network namespaces need root';
  try {
    makeNetwork();
    return false;
  } catch (error) {
    removeNetwork();
    return `no network namespaces here: ${error.message}`;
  }
}

describe('Link-local clients', { timeout: 60_000, skip: obstacle() }, () => {
  let directory;
  let server;
  let echo;

  const configuration = (listen) => [
    'realm = "e2e.turnpike.test"',
    '[listen]',
    `udp = ["${listen}"]`,
    `tcp = ["${listen}"]`,
    '[relay]',
    'addresses = ["fd00:b::1", "10.77.0.1"]',
    'allow_peers = ["fd00:b::/32", "10.77.0.0/24"]',
    '[auth]',
    `users = [{ name = "alice", password = "${staticPassword}" }]`,
    '',
  ].join('\n');

  async function serve(listen) {
    const file = path.join(directory, 'turnpike.toml');
    await writeFile(file, configuration(listen), { mode: 0o600 });
    return start('server', 'ip', ['netns', 'exec', serverEnd, binary, 'serve', '--config', file]);
  }

  /// What a client at `end` meets.
  async function meet(end, { at = 'fe80::1%up0', ...what }) {
    const order = JSON.stringify({ server: { address: at, port }, user: 'alice', ...what });
    const command = ['netns', 'exec', name(end), process.execPath, script('scoped_client.mjs'), order];
    const { code, output } = await run(`client at ${end}`, 'ip', command);
    assert.equal(code, 0, `the client at ${end} came to its end`);
    return JSON.parse(/^report (.*)$/m.exec(output)[1]);
  }

  const listens = () => until('the server to listen', () => server.log.text.includes('started'), { everyMs: 20 });

  before(explained(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-'));
    server = await serve(`:${port}`);
    await listens();
    echo = start('echo', 'ip', ['netns', 'exec', name('b'), process.execPath, script('echo.mjs'), String(peerPort)]);
    await until('the peer to be ready', () => echo.log.text.includes('\nready'), { everyMs: 20 });
  }));
  after(async () => {
    for (const child of [server, echo]) {
      child?.kill('SIGKILL');
      await child?.ended;
    }
    await rm(directory, { recursive: true, force: true });
    removeNetwork();
  });

  it('are answered, over UDP and TCP', explained(async () => {
    for (const end of ['a', 'b']) {
      const met = await meet(end, { local: { port: 5000 }, overTcp: true });
      assert.deepEqual(met.mapped, { address: 'fe80::2', port: 5000 });
      assert.equal(met.from, 'fe80::1%up0');
      assert.deepEqual(met.tcpMapped, { address: 'fe80::2', port: met.tcpLocal });
    }
  }));

  it('are answered from the link-local address also when theirs is not', explained(async () => {
    const met = await meet('b', { local: { address: 'fd00:b::2', port: 5001 } });
    assert.deepEqual(met.mapped, { address: 'fd00:b::2', port: 5001 });
    assert.equal(met.from, 'fe80::1%up0');
  }));

  it('with one address and port on two links are two, and relay over IPv6', explained(async () => {
    const peers = [{ address: 'fd00:b::2', port: peerPort }];
    const [a, b] = await Promise.all(['a', 'b'].map((end) => meet(end, { local: { port: 5002 }, families: [6], peers })));
    for (const met of [a, b]) {
      assert.deepEqual(met.relayed.map(({ address }) => address), ['fd00:b::1']);
      assert.deepEqual(met.echoed, [{ isOurs: true, from: peers[0] }]);
    }
    assert.notEqual(a.relayed[0].port, b.relayed[0].port);
  }));

  it('without IPv4 get relays of both families, and reach peers of both', explained(async () => {
    const peers = ['10.77.0.2', 'fd00:b::2'].map((address) => ({ address, port: peerPort }));
    const met = await meet('a', { local: { port: 5003 }, families: [4, 6], peers });
    assert.deepEqual(met.relayed.map(({ address }) => address).sort(), ['10.77.0.1', 'fd00:b::1']);
    assert.deepEqual(met.echoed, peers.map((from) => ({ isOurs: true, from })));
  }));

  it('are served by a listener on their link alone', explained(async () => {
    server.kill('SIGTERM');
    await server.ended;
    server = await serve(`[fe80::1%a0]:${port}`);
    await listens();
    const met = await meet('a', { local: { port: 5004 }, overTcp: true, families: [6] });
    assert.deepEqual(met.mapped, { address: 'fe80::2', port: 5004 });
    assert.equal(met.relayed.length, 1);
    const log = server.log.text;
    assert.match(log, /\[fe80::1%\d+\]:3478/);
  }));

  it('on an interface that does not exist stop the start', explained(async () => {
    const lost = await serve(`[fe80::1%lost0]:${port}`);
    assert.deepEqual(await lost.ended, { code: 78, signal: null });
    assert.match(lost.log.text, /there is no interface \\?"lost0\\?" for udp:\[fe80::1%lost0\]:3478/);
  }));
});
