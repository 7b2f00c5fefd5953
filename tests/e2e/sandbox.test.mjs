// What a server has given up once it serves: docs/adr/0046-sandbox.md.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeCertificate } from './lib/certificate.mjs';
import { explained } from './lib/logs.mjs';
import { freePort, relayPortRange } from './lib/ports.mjs';
import { run, start } from './lib/process.mjs';
import { mintRestCredential, restSecret, startServer, turnpike } from './lib/server.mjs';
import { answersBinding } from './lib/stun.mjs';
import { TurnClient } from './lib/turn_client.mjs';
import { until } from './lib/until.mjs';

const isRoot = process.getuid() === 0;
const nobody = 65534;
const sigsys = 31n - 1n; // its bit in a mask of signals

const directory = mkdtempSync(path.join(tmpdir(), 'turnpike-e2e-sandbox-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

/// The fields of /proc/PID/status of every thread of `pid`, by their names.
function threads(pid) {
  return readdirSync(`/proc/${pid}/task`).map((task) => {
    const text = readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8');
    return Object.fromEntries(text.trimEnd().split('\n').map((line) => line.split(':\t', 2)));
  });
}

/// The event `name` of a server's log, once it is there.
async function event(server, name) {
  let found;
  await until(`the event ${name}`, () => {
    const line = server.log.text.split('\n').find((text) => text.includes(`"event":"${name}"`));
    found = line && JSON.parse(line);
    return found;
  });
  return found;
}

function assertConfined(pid) {
  const all = threads(pid);
  assert.ok(all.length >= 4, `${all.length} threads`);
  for (const thread of all) {
    assert.equal(thread.Seccomp, '2', `${thread.Name} has a filter of system calls`);
    assert.equal((BigInt(`0x${thread.SigBlk}`) >> sigsys) & 1n, 0n, `${thread.Name} can be told of a refused call`);
    assert.equal(thread.NoNewPrivs, '1', `${thread.Name} gains nothing by running a program`);
    for (const set of ['CapEff', 'CapPrm', 'CapInh', 'CapAmb']) {
      assert.match(thread[set], /^0+$/, `${thread.Name}: ${set}`);
    }
  }
  assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /^Max core file size\s+0\s+0\s/m);
  // What belongs to a process that is not "dumpable" is root's.
  assert.equal(statSync(`/proc/${pid}/environ`).uid, 0);
}

describe('A server that serves', { timeout: 60_000 }, () => {
  let server;
  let hook;
  const asked = [];
  before(explained(async () => {
    hook = createServer((request, response) => {
      asked.push(request.url);
      response.writeHead(404).end();
    });
    hook.listen(0);
    await once(hook, 'listening');
    server = await startServer({
      tls: true,
      workers: 2,
      environment: { TURNPIKE__AUTH__HOOK: `http://localhost:${hook.address().port}/ask` },
    });
  }));
  after(async () => {
    hook?.closeAllConnections();
    hook?.close();
    await server?.discard();
  });

  it('has no capabilities, and a filter of system calls in all threads', explained(async () => {
    const { system_calls: calls, capabilities } = await event(server.process, 'confined');
    assert.equal(calls, 'seccomp');
    assert.equal(capabilities, 'none');
    assertConfined(server.process.pid);
  }));

  it('says that it is root, where it is', { skip: !isRoot && 'not root' }, explained(async () => {
    assert.match((await event(server.process, 'runs_as_root')).remedy, /server\.user/);
  }));

  it('looks up names and asks the hook', explained(async () => {
    const stranger = { username: 'stranger', credential: 'whatever' };
    await assert.rejects(TurnClient.allocate(server.port, stranger));
    await until('the question', () => asked.length > 0);
    assert.equal(asked[0], '/ask');
    assertConfined(server.process.pid);
  }));

  it('says why it cannot read a certificate from elsewhere', explained(async () => {
    const { files } = await event(server.process, 'confined');
    if (!files.startsWith('landlock')) return; // then it can
    const elsewhere = path.join(directory, 'elsewhere');
    mkdirSync(elsewhere);
    await server.reconfigure({ tls: await makeCertificate(elsewhere) });
    server.process.kill('SIGHUP');
    await until('the reload', () => server.process.log.text.includes('"event":"reload_failed"'));
    assert.match(server.process.log.text, /needs a restart/);
    (await TurnClient.allocate(server.port, mintRestCredential('mina'))).discard();
  }));

  it('is left as it is with server.sandbox = false', explained(async () => {
    const open = await startServer({ options: ['--set', 'server.sandbox=false'] });
    try {
      assert.equal((await event(open.process, 'not_confined')).why, 'server.sandbox');
      assert.ok(threads(open.process.pid).every((thread) => thread.Seccomp === '0'));
    } finally {
      await open.discard();
    }
  }));
});

describe('A server that root starts for another user', { timeout: 60_000, skip: !isRoot && 'not root' }, () => {
  /// A configuration of `owner`, in a directory of its own that is not root's.
  async function configuration(name, owner) {
    const home = path.join(directory, name);
    mkdirSync(home, { mode: 0o700 });
    chownSync(directory, nobody, nobody);
    chownSync(home, nobody, nobody);
    const port = await freePort();
    const relay = relayPortRange({});
    const config = path.join(home, 'turnpike.toml');
    writeFileSync(config, [
      '[listen]', `udp = ["127.0.0.1:${port}", "127.0.0.1:907"]`, `tcp = ["127.0.0.1:${port}"]`,
      '[relay]', `ports = "${relay.first}-${relay.last}"`,
      '[auth]', `secrets = [{ id = "t", value = "${restSecret}" }]`,
      '[store]', `url = "sqlite:${home}/turnpike.db"`,
      '[control]', `socket = "${home}/control.sock"`,
      '[metrics]', 'listen = ""',
      '[server]', 'user = "nobody"', '',
    ].join('\n'), { mode: 0o600 });
    chownSync(config, owner, owner);
    return { home, port, config };
  }

  it('becomes that user, binds low ports before, and keeps its files', explained(async () => {
    const { home, port, config } = await configuration('home', nobody);
    const server = start('server', turnpike(), ['serve', '--config', config]);
    try {
      await until('the server to answer', () => answersBinding({ address: '127.0.0.1', port }));
      assert.ok(await answersBinding({ address: '127.0.0.1', port: 907 }));
      assert.equal((await event(server, 'confined')).user_id, nobody);
      for (const { Uid, Gid } of threads(server.pid)) {
        assert.deepEqual(Uid.split('\t'), Array(4).fill(`${nobody}`));
        assert.deepEqual(Gid.split('\t'), Array(4).fill(`${nobody}`));
      }
      assertConfined(server.pid);
      assert.equal(statSync(`${home}/turnpike.db`).uid, nobody);
      assert.equal(statSync(`${home}/control.sock`).uid, nobody);

      server.kill('SIGHUP');
      await event(server, 'reloaded');
      (await TurnClient.allocate(port, mintRestCredential('mina'))).discard();
      server.kill('SIGTERM');
      assert.deepEqual(await server.ended, { code: 0, signal: null });
      assert.ok(!readdirSync(home).includes('control.sock'), 'the socket is taken away at the end');
    } finally {
      server.kill('SIGKILL');
    }
  }));

  it('does not start when that user could not read its configuration again', explained(async () => {
    const { config } = await configuration('closed', 0);
    const { code, output } = await run('server', turnpike(), ['serve', '--config', config]);
    assert.equal(code, 78);
    assert.match(output, /as user nobody/);
  }));
});
