// A store on a full disk under a running server: calls and users go on.

import assert from 'node:assert/strict';
import http from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { explained } from './lib/logs.mjs';
import { run } from './lib/process.mjs';
import { mintRestCredential, startServer } from './lib/server.mjs';
import { relayBetween, TurnClient } from './lib/turn_client.mjs';

const password = 'a password that nobody guesses';

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

  async function startWithStore(store) {
    its.socket = path.join(its.directory, 'control.sock');
    its.server = await startServer({
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
      const refused = [];
      // What the files have taken already may still hold one change or two.
      while (refused.length < 100 && refused.at(-1) !== 503) refused.push(await addUser(`u${refused.length}`));
      assert.equal(refused.at(-1), 503);
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
