// The operator and a running server: the control socket by HTTP and by the commands.

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort } from './lib/ports.mjs';
import { run } from './lib/process.mjs';
import { mintRestCredential, startServer, turnpike } from './lib/server.mjs';
import { relayBetween, TurnClient } from './lib/turn_client.mjs';
import { until, within } from './lib/until.mjs';

const apiKey = 'control-tests-only-not-a-secret-0123456789';
const isRoot = process.getuid() === 0;

const directory = mkdtempSync(path.join(tmpdir(), 'turnpike-control-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
let sockets = 0;

/// A server with a control socket of its own; `args` is where commands find it. `store` is the file
/// of its store, if it is to have one.
async function startControlled({ store, ...settings } = {}) {
  const socket = path.join(directory, `${(sockets += 1)}.sock`);
  const server = await startServer({
    ...settings,
    apiKeys: { web: apiKey },
    options: ['--set', `control.socket=${socket}`, ...(store ? ['--set', `store.url=sqlite:${store}`] : [])],
  });
  return Object.assign(Object.create(server), { socket, args: ['--socket', socket] });
}

/// One request over the socket: {status, json, text}. `body` is sent as JSON.
function ask(socketPath, method, target, body) {
  return new Promise((resolve, reject) => {
    const headers = body ? { 'content-type': 'application/json' } : {};
    const request = http.request({ socketPath, method, path: target, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => (text += part));
      response.on('end', () => {
        const isJson = response.headers['content-type']?.startsWith('application/json');
        resolve({ status: response.statusCode, text, json: isJson ? JSON.parse(text) : undefined });
      });
    });
    request.on('error', reject).end(body && JSON.stringify(body));
  });
}

/// What comes over /v1/events, as long as it is open.
function listen(socketPath) {
  const heard = { text: '', close: () => request.destroy() };
  const request = http.request({ socketPath, path: '/v1/events' }, (response) => {
    response.setEncoding('utf8').on('data', (part) => (heard.text += part));
    response.on('error', () => {});
  });
  request.on('error', () => {}).end();
  return heard;
}

const command = (...args) => run('turnpike', turnpike(), args);

/// The same; what it printed, as JSON.
async function commandJson(...args) {
  const { code, output } = await command(...args, '--output', 'json');
  assert.equal(code, 0, output);
  return JSON.parse(output.split('\n').find((line) => line.startsWith('{')));
}

const client = (server, name) => TurnClient.allocate(server.port, mintRestCredential(name));

describe('the operator of a running server', () => {
  let server;
  before(async () => {
    server = await startControlled({ allowPeers: ['127.0.0.0/8'] });
  });
  after(() => server?.stop());

  it('finds a socket that only the owner can open [I05]', () => {
    assert.equal(statSync(server.socket).mode & 0o777, 0o600);
  });

  it('sees, filters and ends allocations by HTTP', async () => {
    const [mina, theo] = await Promise.all([client(server, 'mina'), client(server, 'theo')]);
    const { json } = await ask(server.socket, 'GET', '/v1/allocations');
    assert.deepEqual(json.allocations.map(({ account }) => account).sort(), ['mina', 'theo']);
    assert.equal(json.total, 2);

    const filtered = await ask(server.socket, 'GET', '/v1/allocations?user=mina');
    const [only] = filtered.json.allocations;
    assert.equal(filtered.json.allocations.length, 1);
    assert.equal(only.client, `127.0.0.1:${mina.socket.address().port}`);

    assert.equal((await ask(server.socket, 'GET', `/v1/allocations/${only.id}`)).json.id, only.id);
    assert.equal((await ask(server.socket, 'DELETE', `/v1/allocations/${only.id}`)).status, 204);
    assert.equal((await ask(server.socket, 'GET', `/v1/allocations/${only.id}`)).status, 404);
    await assert.rejects(mina.permit({ address: '127.0.0.1', port: 4000 }), /437/);
    assert.equal((await ask(server.socket, 'DELETE', '/v1/allocations?user=theo')).json.ended, 1);
    assert.equal((await ask(server.socket, 'DELETE', '/v1/allocations')).status, 400);
    theo.discard(); // that of mina was closed by the refusal
  });

  it('pages through a list without a gap', async () => {
    const clients = await Promise.all([1, 2, 3, 4, 5].map((n) => client(server, `page${n}`)));
    const seen = [];
    for (let next = ''; next !== undefined;) {
      const after = next && `&after=${next}`;
      const { json } = await ask(server.socket, 'GET', `/v1/allocations?limit=2${after}`);
      seen.push(...json.allocations.map(({ id }) => id));
      next = json.next;
    }
    assert.equal(new Set(seen).size, 5);
    assert.equal(seen.length, 5);
    for (const n of [1, 2, 3, 4, 5]) await ask(server.socket, 'DELETE', `/v1/allocations?user=page${n}`);
    for (const each of clients) each.discard();
  });

  it('does the same by commands', async () => {
    const mina = await client(server, 'mina');
    const list = await commandJson('allocation', 'list', ...server.args);
    assert.equal(list.allocations[0].account, 'mina');
    assert.equal((await commandJson('status', ...server.args)).allocations, 1);
    assert.match((await command('top', '--once', ...server.args)).output, /mina/);
    const killed = await command('allocation', 'kill', list.allocations[0].id, ...server.args);
    assert.equal(killed.code, 0);
    assert.equal((await command('allocation', 'kill', list.allocations[0].id, ...server.args)).code, 1);
    mina.discard();
  });

  it('hears what happens', async () => {
    const heard = listen(server.socket);
    await until('the stream', () => heard.text.includes(': turnpike'));
    const mina = await client(server, 'mina');
    await ask(server.socket, 'DELETE', '/v1/allocations?user=mina');
    await until('the end of it', () => heard.text.includes('event: allocation.closed'));
    assert.match(heard.text, /event: allocation\.opened\ndata: \{.*"account":"mina"/);
    assert.match(heard.text, /"reason":"killed"/);
    heard.close();
    mina.discard();
  });

  it('drains and goes on', async () => {
    const mina = await client(server, 'mina');
    assert.equal((await ask(server.socket, 'GET', '/readyz')).status, 200);
    assert.equal((await command('drain', ...server.args)).code, 0);
    assert.equal((await ask(server.socket, 'GET', '/readyz')).status, 503);
    assert.equal((await ask(server.socket, 'GET', '/healthz')).status, 200);
    await assert.rejects(client(server, 'late'), /508/);
    await mina.permit({ address: '127.0.0.1', port: 4000 });
    assert.equal((await command('drain', '--undo', ...server.args)).code, 0);
    const late = await client(server, 'late');
    for (const each of [mina, late]) each.discard();
  });

  it('comes by HTTPS or HTTP with a key, and not without one', async () => {
    const url = `http://127.0.0.1:${server.port}`;
    assert.equal((await fetch(`${url}/v1/allocations`)).status, 401);
    const key = path.join(directory, 'web.key');
    writeFileSync(key, apiKey, { mode: 0o600 });
    const status = await commandJson('status', '--url', url, '--key', `@${key}`);
    assert.equal(status.draining, false);
    writeFileSync(key, `${apiKey}0`);
    assert.equal((await command('status', '--url', url, '--key', `@${key}`)).code, 4);
  });

  it('is no other user of this host [I05]', { skip: !isRoot && 'only root can become another user' }, async () => {
    const { code, output } = await run('nobody', 'setpriv', [
      '--reuid=65534', '--regid=65534', '--clear-groups',
      process.execPath, '-e',
      `require('net').connect(${JSON.stringify(server.socket)}).on('error', (e) => { console.log(e.code); })`,
    ]);
    assert.equal(code, 0);
    assert.match(output, /EACCES/);
  });
});

it('another user is refused where the file system would let it in [I05]', { skip: !isRoot && 'only root can become another user' }, async () => {
  const server = await startControlled();
  const script = `
    const request = require('http').get({ socketPath: ${JSON.stringify(server.socket)}, path: '/v1/status' });
    request.on('response', (response) => { console.log('answered', response.statusCode); response.resume(); });
    request.on('error', (error) => console.log('refused', error.code));`;
  const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, '-e', script];
  chmodSync(directory, 0o755);
  chmodSync(server.socket, 0o666);
  try {
    assert.match((await run('nobody', 'setpriv', asNobody)).output, /^refused (ECONNRESET|EPIPE)$/m);
    const refusal = /"event":"control_refused","user_id":65534/;
    await until('the refusal to be logged', () => refusal.test(server.process.log.text));
    assert.match((await run('root', process.execPath, ['-e', script])).output, /^answered 200$/m);
  } finally {
    chmodSync(directory, 0o700);
  }
  await server.stop();
});

describe('a user of the store', () => {
  const dora = { username: 'dora', credential: 'open sesame and close it again' };
  let server;
  let theo;
  const clients = [];
  before(async () => {
    server = await startControlled({ store: path.join(directory, 'users.db') });
    theo = await client(server, 'theo');
    clients.push(theo);
    const added = await ask(server.socket, 'POST', '/v1/users', { name: 'dora', password: dora.credential });
    assert.equal(added.status, 201);
  });
  after(async () => {
    for (const each of clients) each.discard();
    await server?.stop();
  });

  const change = (body) => ask(server.socket, 'PATCH', '/v1/users/dora', body);

  it('gets another bandwidth while it relays', async () => {
    const here = await TurnClient.allocate(server.port, dora);
    clients.push(here);
    assert.equal(await relayBetween(here, theo, 'hello'), 'hello');
    const relayed = async () => {
      const { json } = await ask(server.socket, 'GET', '/v1/allocations?user=dora');
      return json.allocations[0].traffic.bytesToPeer;
    };
    const payload = 'x'.repeat(1000);
    /// How many of 200 datagrams of 1000 bytes, sent at once, are relayed.
    const passes = async () => {
      const before = await relayed();
      for (let i = 0; i < 200; i += 1) here.sendTo(theo.relayed, payload);
      await here.permit(theo.relayed); // answered when all of them have been read
      return ((await relayed()) - before) / 1000;
    };
    // The kernel may lose some of a burst, but not most of it.
    assert.ok((await passes()) > 150);

    const changed = await change({ bandwidth: 8000 }); // 64 KiB at once, and one a second
    assert.equal(changed.status, 200);
    assert.equal(changed.json.bandwidth, 8000);
    await until('the bandwidth to be as narrow as that', async () => (await passes()) <= 70, { deadlineMs: 1_000, everyMs: 20 });
    assert.equal((await change({ bandwidth: null })).json.bandwidth, undefined);
    await until('the bandwidth to be open again', async () => (await passes()) > 150, { deadlineMs: 1_000, everyMs: 20 });
  });

  it('gets another number of allocations', async () => {
    assert.equal((await change({ maxAllocations: 1 })).json.maxAllocations, 1);
    const more = async () => clients.push(await TurnClient.allocate(server.port, dora));
    await until('a refusal', () => more().then(() => false, ({ message }) => /486/.test(message)), { everyMs: 20 });
    assert.ok(clients.length <= 4, 'the new limit held soon');
    await change({ maxAllocations: clients.length + 1 });
    await until('another allocation', () => more().then(() => true, () => false), { everyMs: 20 });
  });

  it('is changed by what makes sense alone, and that is in the audit log', async () => {
    assert.equal((await change({})).status, 400);
    assert.equal((await change({ bandwidth: '8mbit' })).status, 400);
    assert.equal((await change({ maxAllocations: -1 })).status, 400);
    assert.equal((await change({ bandwith: 1 })).status, 400);
    assert.equal((await ask(server.socket, 'PATCH', '/v1/users/nobody', { bandwidth: 1 })).status, 404);
    const { json } = await ask(server.socket, 'GET', '/v1/audit?limit=1');
    const [{ action, subject, detail, who }] = json.changes;
    assert.deepEqual([action, subject, detail, who], ['user.change', 'dora', 'limits', 'control socket']);
  });
});

describe('usage', { timeout: 120_000 }, () => {
  /// What one account has used, by the records of the server.
  const recordsOf = async (server, account) =>
    (await ask(server.socket, 'GET', `/v1/usage?account=${account}`)).json.records;
  const store = path.join(directory, 'usage.db');

  /// Two allocations that have relayed five bytes.
  async function use(server) {
    const [mina, theo] = await Promise.all([client(server, 'mina'), client(server, 'theo')]);
    assert.equal(await relayBetween(mina, theo, '12345'), '12345');
    for (const each of [mina, theo]) each.discard();
  }

  it('of what lives when the server is stopped is written', async () => {
    const first = await startControlled({ store });
    await use(first);
    await first.stop();
    assert.match(first.process.log.text, /"event":"allocation_closed".*"user":"\d+:mina".*"reason":"shutdown"/);
    const second = await startControlled({ store });
    const [record, ...others] = await recordsOf(second, 'mina');
    assert.deepEqual(others, []);
    assert.deepEqual([record.reason, record.bytesToPeer, record.packetsToPeer], ['shutdown', 5, 1]);
    assert.equal((await recordsOf(second, 'theo'))[0].bytesToClient, 5);
    await second.stop();
  });

  it('of what lives when the server is killed is known up to ten seconds before', async () => {
    const first = await startControlled({ store });
    await use(first);
    const noted = async () => (await ask(first.socket, 'GET', '/v1/status')).json.store.usageNoted;
    await until('both allocations to be noted', async () => (await noted()) >= 2, { deadlineMs: 15_000 });
    await first.restart();
    assert.match(first.process.log.text, /"event":"usage_recovered","records":2/);
    const [record] = await recordsOf(first, 'mina');
    assert.deepEqual([record.reason, record.bytesToPeer], ['crashed', 5]);
    assert.equal((await recordsOf(first, 'mina')).length, 2, 'and that of before');
    await first.stop();
  });
});

it('a server whose hook does not answer is not ready, and is to be tried again after a pause', { timeout: 60_000 }, async () => {
  const server = await startControlled({
    environment: {
      TURNPIKE__AUTH__HOOK: `http://127.0.0.1:${await freePort()}/`,
      TURNPIKE__AUTH__HOOK_SECRET: 'a secret that nobody at the other end will see',
    },
  });
  const ready = () => ask(server.socket, 'GET', '/readyz');
  assert.equal((await ready()).text, 'ready\n');
  const attempts = [1, 2, 3, 4, 5].map((n) =>
    TurnClient.allocate(server.port, { username: `dora${n}`, credential: 'x' }));
  for (const { status } of await Promise.allSettled(attempts)) assert.equal(status, 'rejected');
  const { status, text } = await ready();
  assert.equal(status, 503);
  assert.match(text, /^hook: does not answer/);
  await until('it to be ready again', async () => (await ready()).status === 200, { deadlineMs: 20_000 });
  await server.stop();
});

it('a socket that a killed server has left is taken over, one of a live server is not [C09]', async () => {
  const first = await startControlled();
  const { args, socket } = first;
  await assert.rejects(
    startServer({ options: ['--set', `control.socket=${socket}`] }), /another server runs with this socket/);
  assert.equal((await command('status', ...args)).code, 0);
  first.process.kill('SIGKILL');
  await within(10_000, 'its end', first.process.ended);
  assert.equal((await command('status', ...args)).code, 69);
  const second = await startServer({ options: ['--set', `control.socket=${socket}`] });
  assert.equal((await command('status', ...args)).code, 0);
  await second.stop();
  assert.throws(() => statSync(socket), /ENOENT/);
});

it('a server without rooms can be administered too', async () => {
  const server = await startControlled({ signaling: { enabled: false } });
  assert.equal((await command('status', ...server.args)).code, 0);
  await server.stop();
});
