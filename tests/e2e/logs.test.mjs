// What the log says and, above all, does not: every kind of credential is a canary here, used rightly
// and wrongly over every door, and none is in anything that the server wrote.

import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Connection } from './lib/connection.mjs';
import { explained } from './lib/logs.mjs';
import { ask, Member, restClient } from './lib/rooms.mjs';
import { mintRestCredential, restSecret, startServer, staticPassword } from './lib/server.mjs';
import { longTermKey } from './lib/stun.mjs';
import { byPassword, neverSilent, startEchoPeer, uclient } from './lib/turnutils.mjs';
import { within } from './lib/until.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const realm = 'e2e.turnpike.test'; // that of startServer

const wrong = {
  password: 'canary-wrong-password-8f21',
  key: 'canary-wrong-api-key-0123456789-0123456789',
  token: 'canary.wrong-token.5d1c',
  secret: 'canary-wrong-secret-77aa',
};
const apiKey = 'canary-api-key-only-for-tests-0123456789abcdef';
const webhookSecret = 'canary-webhook-secret-only-for-tests-0123456789';

/// The base64 of `bytes` wherever it begins in a longer text: the part that is the same every time.
function base64Cores(bytes) {
  return [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64').replace(/=+$/, '');
    const isCut = (offset + bytes.length) % 3 !== 0;
    return text.slice([0, 2, 3][offset], isCut ? -1 : undefined);
  });
}

/// Every form in which `canary`, text or bytes, could be written.
function formsOf(canary) {
  const bytes = Buffer.from(canary);
  const cores = base64Cores(bytes);
  const urlCores = cores.map((core) => core.replaceAll('+', '-').replaceAll('/', '_'));
  const texts = typeof canary === 'string' ? [canary, encodeURIComponent(canary)] : [];
  return [...texts, bytes.toString('hex'), ...cores, ...urlCores];
}

/// The keys that are made of a password (RFC 8489 §9.2.2, §18.5.1.2).
const keysOf = (user, password) => [
  longTermKey(user, realm, password),
  createHash('sha256').update(`${user}:${realm}:${password}`).digest(),
];

/// What canaries `text` has, by name.
function canariesIn(text, canaries) {
  const lower = text.toLowerCase();
  return Object.entries(canaries)
    .filter(([, canary]) => formsOf(canary).some((form) => lower.includes(form.toLowerCase())))
    .map(([name]) => name);
}

/// A receiver of webhooks that lets everybody in.
async function startHook() {
  const hook = http.createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end('{}'));
  });
  hook.listen(0, '127.0.0.1');
  await once(hook, 'listening');
  return hook;
}

async function turn(server, canaries) {
  const peer = await startEchoPeer();
  const run = (name, credentials) => uclient({
    name, server, via: '127.0.0.1', credentials, flags: ['-c', '-e', '127.0.0.1', '-r', String(peer.port)],
  });
  try {
    assert.equal((await run('right', byPassword('alice'))).code, 0);
    assert.notEqual((await run('wrong', ['-u', 'alice', '-w', wrong.password])).code, 0);
    const { username, credential } = mintRestCredential('mina');
    Object.assign(canaries, { restCredential: credential });
    assert.equal((await run('time-limited', ['-u', username, '-w', credential])).code, 0);
    const expired = mintRestCredential('mina', { lifetimeS: -60 });
    Object.assign(canaries, { expiredCredential: expired.credential });
    assert.notEqual((await run('expired', ['-u', expired.username, '-w', expired.credential])).code, 0);
  } finally {
    peer.stop();
  }
}

async function rest(url, canaries) {
  const call = restClient(url, apiKey);
  const { json } = await call('POST', '/v1/rooms/demo/tokens', { name: 'Mina' });
  const credentials = await call('POST', '/v1/turn/credentials', { user: 'jun' });
  assert.equal(credentials.status, 201);
  const minted = /"credential":"([^"]+)"/.exec(JSON.stringify(credentials.json))[1];
  Object.assign(canaries, { roomToken: json.token, mintedCredential: minted });
  assert.equal((await restClient(url, wrong.key)('GET', '/v1/rooms')).status, 401);
  for (const authorization of [`Basic ${btoa(`alice:${wrong.password}`)}`, `Bearer ${wrong.token}`, wrong.secret]) {
    await ask(url, { path: '/v1/rooms', headers: { authorization } });
  }
  await ask(url, { path: `/v1/rooms?key=${wrong.key}&token=${wrong.token}`, headers: { cookie: wrong.secret } });
  return json.token;
}

async function rooms(url, token) {
  const member = await Member.join(url, { token });
  await member.joined();
  member.send({ type: 'message', event: 'hello', data: { password: wrong.password } });
  member.socket.send(`no message ${wrong.secret}`);
  await member.heard('error');
  const stranger = await Member.join(url, { token: wrong.token });
  await stranger.closed();
  member.discard();
}

async function nonsense(port) {
  const lines = [
    `GET /${wrong.token} HTTP/9.9\r\nAuthorization: ${wrong.secret}\r\n\r\n`,
    `POST /v1/rooms HTTP/1.1\r\nHost: a\r\nContent-Length: ${wrong.key}\r\n\r\n`,
    `\u0000\u0001 ${wrong.password} ${wrong.secret}`,
  ];
  for (const line of lines) {
    const connection = await Connection.open({ port });
    connection.write(line);
    connection.end();
    await within(15_000, 'the server to close', connection.closed);
  }
  const socket = dgram.createSocket('udp4');
  for (const line of lines) socket.send(line, port, '127.0.0.1');
  socket.close();
}

/// Runs a server at `log.level = "trace"`, does everything, stops it; what it wrote, and the canaries.
async function sessionWith(format) {
  const hook = await startHook();
  const canaries = {
    staticPassword, restSecret, apiKey, webhookSecret, ...wrong,
    md5Key: keysOf('alice', staticPassword)[0], sha256Key: keysOf('alice', staticPassword)[1],
    wrongMd5Key: keysOf('alice', wrong.password)[0], wrongSha256Key: keysOf('alice', wrong.password)[1],
  };
  const server = await startServer({
    users: ['alice'], allowPeers: ['127.0.0.0/8'], apiKeys: { web: apiKey },
    signaling: {
      auth: 'token', webhook: `http://127.0.0.1:${hook.address().port}/`, webhook_secret: webhookSecret,
    },
    options: neverSilent,
    environment: { TURNPIKE__LOG__LEVEL: 'trace', TURNPIKE__LOG__FORMAT: format },
  });
  try {
    await turn(server, canaries);
    const token = await rest(`http://127.0.0.1:${server.port}`, canaries);
    await rooms(`ws://127.0.0.1:${server.port}`, token);
    await nonsense(server.port);
    server.process.kill('SIGTERM');
    await within(15_000, 'the server to stop', server.process.ended);
  } finally {
    hook.closeAllConnections();
    hook.close();
    await server.discard();
  }
  return { text: server.process.log.text, canaries };
}

/// The lines of the server itself, without those of the test's own about its process.
const linesOf = (text) => text.split('\n').filter((line) => line && !/^(\$ |\[ended)/.test(line));

/// {event: its levels} as the sources write them.
function eventsInSource() {
  const events = {};
  const levels = { warn: 'warn', info: 'info', error: 'error', debug: 'debug', trace: 'trace' };
  for (const file of readdirSync(`${root}/src/server`).filter((name) => name.endsWith('.cpp'))) {
    const source = readFileSync(`${root}/src/server/${file}`, 'utf8');
    for (const [, level, name] of source.matchAll(/\b(?:log_event|write)\(\s*LogLevel::(\w+),\s*"([^"]*)"/g)) {
      (events[name] ??= new Set()).add(levels[level]);
    }
    for (const [, name] of source.matchAll(/\bwarn\("([^"]*)"/g)) (events[name] ??= new Set()).add('warn');
  }
  return Object.fromEntries(Object.entries(events).map(([name, all]) => [name, [...all].sort().join(', ')]));
}

/// The same from the table of docs/logs.md.
const eventsInDocument = () => Object.fromEntries(
  [...readFileSync(`${root}/docs/logs.md`, 'utf8').matchAll(/^\| `(\w+)` \| ([a-z, ]+) \|/gm)].map(([, name, levels]) => [name, levels]),
);

describe('The log', { timeout: 220_000 }, () => {
  it('has the events that docs/logs.md lists, with those levels, in snake_case', () => {
    const events = eventsInSource();
    assert.ok(Object.keys(events).length >= 20);
    for (const name of Object.keys(events)) assert.match(name, /^[a-z]+(_[a-z]+)*$/);
    assert.deepEqual(eventsInDocument(), events);
  });

  it('would not hide a canary from this test, however it were written', () => {
    const canary = 'correct horse canary';
    const bytes = Buffer.from(canary);
    for (const text of [
      canary, encodeURIComponent(canary), bytes.toString('hex').toUpperCase(), bytes.toString('base64url'),
      btoa(`a:${canary}`), btoa(`ab:${canary}:c`), btoa(`abc:${canary}:de`),
    ]) {
      assert.deepEqual(canariesIn(`x ${text} y`, { canary, other: 'nowhere' }), ['canary'], text);
    }
    const key = createHmac('sha256', 'a').update('b').digest();
    assert.deepEqual(canariesIn(key.toString('base64'), { key }), ['key']);
  });

  for (const format of ['text', 'json']) {
    describe(`as ${format}, at level trace`, () => {
      let session;
      before(explained(async () => {
        session = await sessionWith(format);
      }));

      it('tells what happened', explained(async () => {
        for (const event of ['listening', 'started', 'allocation_opened', 'allocation_closed', 'stopping', 'counters']) {
          assert.ok(session.text.includes(event), event);
        }
      }));

      it('has no password, secret, key, token or credential in any form [I08]', explained(async () => {
        assert.deepEqual(canariesIn(session.text, session.canaries), []);
      }));

      it('has only lines with time, level and a documented event', explained(async () => {
        const known = eventsInDocument();
        const lines = linesOf(session.text);
        assert.ok(lines.length > 5);
        for (const line of lines) {
          const text = /^(\S+Z) (\w+) +(\w+)/.exec(line) ?? [];
          const { time, level, event } = format === 'json' ? JSON.parse(line) : { time: text[1], level: text[2], event: text[3] };
          assert.match(time ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, line);
          assert.ok(known[event]?.split(', ').includes(level === 'warning' ? 'warn' : level), line);
        }
      }));
    });
  }
});
