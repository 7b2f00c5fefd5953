// The operator and a running server: the control socket by HTTP and by the commands.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { run } from './lib/process.mjs';
import { mintRestCredential, startServer, turnpike } from './lib/server.mjs';
import { TurnClient } from './lib/turn_client.mjs';
import { until, within } from './lib/until.mjs';

const apiKey = 'control-tests-only-not-a-secret-0123456789';
const isRoot = process.getuid() === 0;

const directory = mkdtempSync(path.join(tmpdir(), 'turnpike-control-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
let sockets = 0;

/// A server with a control socket of its own; `args` is where commands find it.
async function startControlled(settings = {}) {
  const socket = path.join(directory, `${(sockets += 1)}.sock`);
  const server = await startServer({
    ...settings,
    apiKeys: { web: apiKey },
    options: ['--set', `control.socket=${socket}`],
  });
  return { ...server, socket, args: ['--socket', socket] };
}

/// One request over the socket: {status, json, text}.
function ask(socketPath, method, target) {
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath, method, path: target }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => (text += part));
      response.on('end', () => {
        const isJson = response.headers['content-type']?.startsWith('application/json');
        resolve({ status: response.statusCode, text, json: isJson ? JSON.parse(text) : undefined });
      });
    });
    request.on('error', reject).end();
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

  it('finds a socket that only the owner can open', () => {
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

  it('is no other user of this host', { skip: !isRoot && 'only root can become another user' }, async () => {
    const { code, output } = await run('nobody', 'setpriv', [
      '--reuid=65534', '--regid=65534', '--clear-groups',
      process.execPath, '-e',
      `require('net').connect(${JSON.stringify(server.socket)}).on('error', (e) => { console.log(e.code); })`,
    ]);
    assert.equal(code, 0);
    assert.match(output, /EACCES/);
  });
});

it('a socket that a killed server has left is taken over, one of a live server is not', async () => {
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
