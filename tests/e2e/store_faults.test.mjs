// A store that is locked, or on a full disk, under a running server: calls and users go on.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import http from 'node:http';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { explained } from './lib/logs.mjs';
import { run, start } from './lib/process.mjs';
import { mintRestCredential, startServer } from './lib/server.mjs';
import { relayBetween, TurnClient } from './lib/turn_client.mjs';
import { until } from './lib/until.mjs';

const password = 'a password that nobody guesses';

/// Takes SQLite's write lock and keeps it until it is killed.
const lockProgram = `
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute('BEGIN IMMEDIATE')
print('locked', flush=True)
time.sleep(300)
`;

describe('A server whose store', { timeout: 60_000 }, () => {
  const its = {};

  beforeEach(() => {
    its.directory = mkdtempSync(path.join(tmpdir(), 'turnpike-store-faults-'));
    its.clients = [];
  });

  afterEach(async () => {
    for (const client of its.clients) client.discard();
    await its.server?.discard();
    rmSync(its.directory, { recursive: true, force: true });
  });

  async function startWithStore(store, settings = {}) {
    its.socket = path.join(its.directory, 'control.sock');
    its.server = await startServer({
      ...settings,
      options: ['--set', `control.socket=${its.socket}`, '--set', `store.url=sqlite:${store}`],
    });
    for (const name of ['alice', 'bob']) its.clients.push(await allocate(mintRestCredential(name)));
    assert.equal(await relayBetween(...its.clients, 'before'), 'before');
  }

  const allocate = (credential) => TurnClient.allocate(its.server.port, credential);

  /// The status that answers the wish for a user more.
  function addUser(name) {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const request = http.request({ socketPath: its.socket, method: 'POST', path: '/v1/users', headers }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      });
      request.on('error', reject).end(JSON.stringify({ name, password }));
    });
  }

  /// Adds users until one is refused, and returns the status that says so. What the files have taken already
  /// may still hold some changes.
  async function untilRefused() {
    for (let number = 0; number < 200; number += 1) {
      const status = await addUser(`u${number}`);
      if (status !== 201) return status;
    }
    return undefined;
  }

  it('is locked by another process finds stored users while a writer waits [X02]', explained(async () => {
    const store = path.join(its.directory, 'turnpike.db');
    await startWithStore(store);
    assert.equal(await addUser('dora'), 201);
    const locker = start('locker', 'python3', ['-c', lockProgram, store]);
    try {
      await until('the store to be locked', () => locker.log.text.includes('locked\n'));
      const order = [];
      const writing = addUser('boots').then((status) => order.push(status));
      const client = await allocate({ username: 'dora', credential: password });
      order.push('dora');
      its.clients.push(client);
      assert.equal(await relayBetween(...its.clients.slice(0, 2), 'meanwhile'), 'meanwhile');
      await writing;
      assert.deepEqual(order, ['dora', 503]);
    } finally {
      locker.kill('SIGKILL');
      await locker.ended;
    }
    assert.equal(await addUser('boots'), 201);
    await its.server.stop();
  }));

  it('is damaged under it keeps calls, and whom it has let in before [X03]', explained(async () => {
    const store = path.join(its.directory, 'turnpike.db');
    await startWithStore(store, { workers: 1 }); // each remembers whom it has let in
    for (const name of ['dora', 'boots']) assert.equal(await addUser(name), 201);
    its.clients.push(await allocate({ username: 'dora', credential: password }));
    for (const file of readdirSync(its.directory).filter((name) => name.startsWith('turnpike.db'))) {
      const at = path.join(its.directory, file);
      writeFileSync(at, randomBytes(statSync(at).size), { flag: 'r+' });
    }
    its.clients.push(await allocate({ username: 'dora', credential: password }));
    assert.equal(await relayBetween(...its.clients.slice(-2), 'meanwhile'), 'meanwhile');
    await assert.rejects(allocate({ username: 'boots', credential: password }));
    assert.equal(await addUser('benny'), 503);
    assert.equal(await relayBetween(...its.clients.slice(0, 2), 'later'), 'later');
    await its.server.stop();
  }));

  it('has files at their size limit refuses changes until there is room, and relays [X01]', explained(async () => {
    const store = path.join(its.directory, 'turnpike.db');
    await startWithStore(store);
    const limitFiles = (bytes) => execFileSync('prlimit', ['--pid', its.server.process.pid, `--fsize=${bytes}:`]);
    assert.equal(await addUser('dora'), 201);
    limitFiles(statSync(store).size);
    assert.equal(await untilRefused(), 503);
    assert.equal(await relayBetween(...its.clients, 'meanwhile'), 'meanwhile');
    its.clients.push(await allocate({ username: 'dora', credential: password }));
    limitFiles('unlimited');
    assert.equal(await addUser('boots'), 201);
    await its.server.stop();
  }));

  it('is on a full disk refuses changes until there is room, and relays [X01]', explained(async (context) => {
    const disk = mkdtempSync(path.join(tmpdir(), 'turnpike-small-disk-'));
    const mounted = await run('mount', 'mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
    if (mounted.code !== 0) {
      rmSync(disk, { recursive: true });
      context?.skip('no right to mount');
      return;
    }
    try {
      await startWithStore(path.join(disk, 'turnpike.db'));
      assert.equal(await addUser('dora'), 201);
      const filler = path.join(disk, 'filler');
      assert.throws(() => writeFileSync(filler, Buffer.alloc(1 << 20)), /ENOSPC/);
      assert.equal(await untilRefused(), 503);
      assert.equal(await relayBetween(...its.clients, 'meanwhile'), 'meanwhile');
      its.clients.push(await allocate({ username: 'dora', credential: password }));
      rmSync(filler);
      assert.equal(await addUser('boots'), 201);
      await its.server.stop();
    } finally {
      await its.server?.discard();
      await run('umount', 'umount', ['-l', disk]);
      rmSync(disk, { recursive: true, force: true });
    }
  }));
});
