// Rooms, the REST API and the pages over the ports of the real server: what operators and the
// programs of application developers rely on.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { localCertificate } from './lib/certificate.mjs';
import { Connection } from './lib/connection.mjs';
import { explained } from './lib/logs.mjs';
import { freePort } from './lib/ports.mjs';
import { run } from './lib/process.mjs';
import { ask, Member, restClient } from './lib/rooms.mjs';
import { startServer, turnpike } from './lib/server.mjs';
import { messageType } from './lib/stun.mjs';
import { relayBetween, TurnClient } from './lib/turn_client.mjs';
import { until, within } from './lib/until.mjs';

const apiKey = 'end-to-end-tests-only-no-api-key-0123456789';
const webhookSecret = 'end-to-end-tests-only-no-webhook-secret-0123';
const loopback = ['127.0.0.0/8'];
const httpAt = (port) => `http://127.0.0.1:${port}`;
const wsAt = (port) => `ws://127.0.0.1:${port}`;
const turnOf = (iceServers) => iceServers.find(({ username }) => username);

/// A server for the tests of one suite: `on.server` once they run. `members` end with them.
function withServer(options) {
  const on = { members: [], url: undefined };
  before(explained(async () => {
    on.server = await startServer(typeof options === 'function' ? await options() : options);
    on.ws = wsAt(on.server.port);
    on.url = httpAt(on.server.port);
    on.rest = restClient(on.url, apiKey);
  }));
  after(async () => {
    for (const member of on.members) member.discard();
    await on.server?.discard();
  });
  on.join = async (join, url = on.ws) => {
    const member = await Member.join(url, join);
    on.members.push(member);
    return member;
  };
  return on;
}

describe('Signaling', { concurrency: true, timeout: 120_000 }, () => {
  describe('Pages and files', () => {
    const on = withServer({ tls: true, http: true, users: ['alice'], signaling: { auth: 'open' } });

    const ways = {
      'TCP': () => ({ url: on.url }),
      'listen.http': () => ({ url: httpAt(on.server.httpPort) }),
      'TLS': async () => ({ url: `https://127.0.0.1:${on.server.tlsPort}`, ca: (await localCertificate()).pem }),
      'TLS with ALPN http/1.1': async () => ({
        url: `https://127.0.0.1:${on.server.tlsPort}`, ca: (await localCertificate()).pem, ALPNProtocols: ['http/1.1'],
      }),
    };
    for (const [way, reach] of Object.entries(ways)) {
      it(`are there over ${way}`, explained(async () => {
        const { url, ...options } = await reach();
        for (const file of ['/', '/nat', '/turnpike.js', '/client/signaling.js', '/v1/openapi.json']) {
          const { status, headers, body } = await ask(url, { path: file, ...options });
          assert.equal(status, 200, file);
          assert.ok(body.length > 0 && headers['content-security-policy'], file);
        }
      }));
    }

    it('are not sent again to who has them', explained(async () => {
      const first = await ask(on.url, { path: '/turnpike.js' });
      const headers = { 'If-None-Match': first.headers.etag };
      const second = await ask(on.url, { path: '/turnpike.js', headers });
      assert.deepEqual([second.status, second.body.length], [304, 0]);
    }));

    it('come in the coding that a browser accepts', explained(async () => {
      const plain = await ask(on.url, { path: '/v1/openapi.json' });
      const encoded = (coding) => ask(on.url, { path: '/v1/openapi.json', headers: { 'Accept-Encoding': coding } });
      const gzip = await encoded('gzip');
      assert.equal(gzip.headers['content-encoding'], 'gzip');
      assert.deepEqual(gunzipSync(gzip.body), plain.body);
      const brotli = await encoded('br'); // is not built in everywhere
      const isCoded = brotli.headers['content-encoding'] === 'br';
      assert.deepEqual(isCoded ? brotliDecompressSync(brotli.body) : brotli.body, plain.body);
    }));

    it('let nothing of theirs be framed or loaded from elsewhere', explained(async () => {
      const { headers } = await ask(on.url);
      assert.match(headers['content-security-policy'], /default-src 'self'.*frame-ancestors 'none'/);
    }));

    for (const attempt of ['/../etc/passwd', '/client/%2e%2e/%2e%2e/etc/passwd', '/client/..%2fetc/passwd',
      '/%252e%252e%252fetc/passwd', '/%c0%ae%c0%ae/etc/passwd', '/index.html%00.js', '//etc/passwd']) {
      it(`lead nowhere else [H07]: ${attempt}`, explained(async () => {
        assert.equal((await ask(on.url, { path: attempt })).status, 404);
      }));
    }

    it('share the port with TURN, before, during and after an allocation', explained(async () => {
      const connection = await Connection.open({ port: on.server.port });
      assert.equal((await connection.bind()).type, messageType.bindingSuccess);
      assert.equal((await ask(on.url)).status, 200);
      assert.equal((await connection.allocate('alice')).type, messageType.allocateSuccess);
      assert.equal((await ask(on.url)).status, 200);
      assert.equal((await connection.bind()).type, messageType.bindingSuccess);
      connection.discard();
    }));
  });

  describe('A server without pages', () => {
    const on = withServer({ signaling: { auth: 'open', pages: false } });

    it('has the client all the same', explained(async () => {
      const status = async (file) => (await ask(on.url, { path: file })).status;
      assert.deepEqual([await status('/'), await status('/nat'), await status('/turnpike.js')], [404, 404, 200]);
    }));
  });

  describe('A server with files of the operator', () => {
    let root;
    const on = withServer(async () => {
      root = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-'));
      await writeFile(path.join(root, 'index.html'), 'our own page');
      return { signaling: { auth: 'open' }, webRoot: root };
    });
    after(() => rm(root, { recursive: true, force: true }));

    it('shows those rather than the built-in ones, and keeps the others', explained(async () => {
      assert.equal((await ask(on.url)).body.toString(), 'our own page');
      assert.equal((await ask(on.url, { path: '/nat' })).status, 200);
    }));
  });

  describe('With room tokens', () => {
    let directory;
    const on = withServer({ apiKeys: { web: apiKey }, allowPeers: loopback, signaling: { auth: 'token', joins_per_minute: 0 } });
    before(async () => {
      directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-'));
      await writeFile(path.join(directory, 'web.key'), `${apiKey}\n`, { mode: 0o600 });
    });
    after(() => rm(directory, { recursive: true, force: true }));

    async function minted(...flags) {
      const key = ['--key', `@${path.join(directory, 'web.key')}`, '--key-id', 'web'];
      const { code, output } = await run('room token', turnpike(), ['room', 'token', ...key, '--output', 'json', ...flags]);
      assert.equal(code, 0);
      return JSON.parse(/^\{.*\}$/m.exec(output)[0]);
    }
    const tokenFor = async (room, body = {}) => (await on.rest('POST', `/v1/rooms/${room}/tokens`, body)).json.token;

    async function assertRefused(join, code, closeCode) {
      const member = await on.join(join);
      assert.equal((await member.heard('error')).code, code);
      assert.equal(await member.closed(), closeCode);
    }

    it('nobody joins without one [H18]', explained(() => assertRefused({}, 'unauthorized', 4401)));

    it('who has one of the command line joins', explained(async () => {
      const { token } = await minted('--room', 'demo', '--name', 'Mina');
      const { self } = await (await on.join({ token })).joined();
      assert.deepEqual([self.name, self.role], ['Mina', 'member']);
    }));

    it('who has one of the REST API joins', explained(async () => {
      const token = await tokenFor('demo', { name: 'Jun', role: 'owner' });
      assert.equal((await (await on.join({ token })).joined()).self.role, 'owner');
    }));

    it('one that has run out says so', explained(async () => {
      const token = await tokenFor('demo', { ttl: 1 });
      const { exp } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
      await until('the token to expire', () => Date.now() / 1000 > exp + 1);
      await assertRefused({ token }, 'token_expired', 4401);
    }));

    it('one for another room does not open this one', explained(async () => {
      await assertRefused({ token: await tokenFor('elsewhere') }, 'forbidden', 4403);
    }));

    it('the invite link carries room and token behind the #', explained(async () => {
      const { link, token } = await minted('--room', 'a b', '--url', 'https://turn.example.com');
      const { hash, href } = new URL(link);
      const parameters = new URLSearchParams(hash.slice(1));
      assert.ok(href.startsWith('https://turn.example.com/#'));
      assert.deepEqual([parameters.get('room'), parameters.get('token')], ['a b', token]);
    }));

    it('the relays of two members reach each other', explained(async () => {
      const ice = [];
      for (const name of ['a', 'b']) {
        const joined = await (await on.join({ room: 'relays', token: await tokenFor('relays'), name })).joined();
        assert.ok(joined.iceExpiresAt > Date.now());
        ice.push(turnOf(joined.iceServers));
      }
      const clients = await Promise.all(ice.map((server) => TurnClient.allocate(on.server.port, server)));
      assert.equal(await relayBetween(clients[0], clients[1], 'hello'), 'hello');
      for (const client of clients) client.discard();
    }));

    it('fresh TURN credentials come before those of the join expire', explained(async () => {
      const member = await on.join({ room: 'short', token: await tokenFor('short', { ice: { ttl: 4 } }) });
      const { iceExpiresAt } = await member.joined();
      const pushed = await member.heard('ice');
      assert.equal(pushed.id, undefined);
      assert.ok(pushed.iceExpiresAt > iceExpiresAt);
      const client = await TurnClient.allocate(on.server.port, turnOf(pushed.iceServers));
      client.discard();
    }));
  });

  describe('The REST API', () => {
    const on = withServer({ apiKeys: { web: apiKey }, allowPeers: loopback, signaling: { auth: 'open', joins_per_minute: 0 } });

    it('makes, lists, shows, locks and ends a room, and its members see it', explained(async () => {
      assert.equal((await on.rest('POST', '/v1/rooms', { id: 'r', max: 4 })).status, 201);
      assert.ok((await on.rest('GET', '/v1/rooms')).json.rooms.some(({ id }) => id === 'r'));
      assert.equal((await on.rest('GET', '/v1/rooms/r')).json.max, 4);
      const [mina, jun] = [await on.join({ room: 'r', name: 'Mina' }), await on.join({ room: 'r', name: 'Jun' })];
      const minaIs = (await mina.joined()).self.peer;
      await jun.joined();

      assert.equal((await on.rest('PATCH', '/v1/rooms/r', { locked: true })).json.locked, true);
      const late = await on.join({ room: 'r' });
      assert.equal((await late.heard('error')).code, 'room_locked');
      assert.equal(await late.closed(), 4423);

      const posted = await on.rest('POST', '/v1/rooms/r/messages', { event: 'notice', data: { text: 'hi' } });
      assert.deepEqual([posted.status, posted.json.delivered], [200, 2]);
      for (const member of [mina, jun]) assert.deepEqual((await member.heard('message')).data, { text: 'hi' });

      const peers = (await on.rest('GET', '/v1/rooms/r/peers')).json.peers;
      assert.deepEqual(peers.map(({ name }) => name).sort(), ['Jun', 'Mina']);
      assert.equal((await on.rest('DELETE', `/v1/rooms/r/peers/${minaIs}`)).status, 204);
      assert.equal(await mina.closed(), 4403);
      assert.equal((await on.rest('DELETE', '/v1/rooms/r')).status, 204);
      assert.equal((await jun.heard('closed')).code, 'room_ended');
      assert.equal(await jun.closed(), 4410);
      assert.equal((await on.rest('GET', '/v1/rooms/r')).status, 404);
      assert.equal((await on.rest('GET', '/v1/node')).status, 200);
    }));

    it('its TURN credentials allocate', explained(async () => {
      const { status, json } = await on.rest('POST', '/v1/turn/credentials', { user: 'mina', ttl: 600 });
      assert.equal(status, 201);
      (await TurnClient.allocate(on.server.port, turnOf(json.iceServers))).discard();
    }));

    it('so do those in the shape of the old draft', explained(async () => {
      const answer = await ask(on.url, { path: `/turn?service=turn&username=mina&key=${apiKey}` });
      const { username, password, ttl, uris } = JSON.parse(answer.body);
      assert.ok(ttl > 0 && uris.length > 0);
      (await TurnClient.allocate(on.server.port, { username, credential: password })).discard();
    }));

    it('without a key, and with a wrong one, everything is 401', explained(async () => {
      const statuses = async (key) => {
        const rest = restClient(on.url, key);
        const asked = [rest('GET', '/v1/rooms'), rest('GET', '/v1/rooms/none'), rest('POST', '/v1/turn/credentials', {})];
        return (await Promise.all(asked)).map(({ status, json }) => [status, json.error.code]);
      };
      const refused = Array(3).fill([401, 'unauthorized']);
      assert.deepEqual(await statuses(undefined), refused);
      assert.deepEqual(await statuses(`${apiKey}x`), refused);
    }));

    it('a page of another origin is refused, and the configuration key named [H12]', explained(async () => {
      const headers = {
        'Origin': 'https://evil.example', 'Connection': 'Upgrade', 'Upgrade': 'websocket',
        'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      };
      const { status, body } = await ask(on.url, { path: '/v1/ws', headers });
      assert.equal(status, 403);
      assert.match(body.toString(), /signaling\.allowed_origins/);
    }));
  });

  describe('With a domain and an origin of its own', () => {
    const origin = 'https://app.example.com';
    const on = withServer({
      domain: 'turn.example.com', apiKeys: { web: apiKey }, signaling: { auth: 'open', allowed_origins: [origin] },
    });

    it('answers to no other name [H11]', explained(async () => {
      const status = async (host) => (await ask(on.url, { headers: { Host: host } })).status;
      assert.deepEqual([await status('evil.example'), await status('turn.example.com')], [421, 200]);
    }));

    it('tells browsers that pages of the origin may ask', explained(async () => {
      const headers = { 'Host': 'turn.example.com', 'Origin': origin, 'Access-Control-Request-Method': 'POST' };
      const answer = await ask(on.url, { method: 'OPTIONS', path: '/v1/rooms', headers });
      assert.equal(answer.status, 204);
      assert.equal(answer.headers['access-control-allow-origin'], origin);
    }));
  });

  describe('With a webhook', () => {
    const told = [];
    const signatures = [];
    let hook;
    const answers = {
      allowed: '{"allow":true,"name":"From the hook","role":"owner"}',
      denied: '{"allow":false}',
      garbled: 'no JSON',
      relay: '{"allow":true}',
      zoom: '{"allow":true}',
    };
    async function startHook() {
      hook = http.createServer(async (request, response) => {
        const chunks = [];
        for await (const chunk of request) chunks.push(chunk);
        const body = Buffer.concat(chunks).toString();
        const [, time, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(request.headers['turnpike-signature']) ?? [];
        signatures.push(mac === createHmac('sha256', webhookSecret).update(`${time}.${body}`).digest('hex'));
        const event = JSON.parse(body);
        if (event.type !== 'join') {
          told.push(event);
          return response.end();
        }
        if (answers[event.room]) response.end(answers[event.room]); // the others wait in vain
      });
      hook.listen(0, '127.0.0.1');
      await once(hook, 'listening');
      return `${httpAt(hook.address().port)}/turnpike`;
    }
    const on = withServer(async () => ({
      signaling: {
        auth: 'webhook', webhook: await startHook(), webhook_secret: webhookSecret, doors: ['native', 'relay', 'socketio'],
      },
    }));
    after(() => {
      hook?.closeAllConnections();
      hook?.close();
    });

    it('it names who it lets in, and is told in order what happens', explained(async () => {
      const member = await on.join({ room: 'allowed' });
      const { self } = await member.joined();
      assert.deepEqual([self.name, self.role], ['From the hook', 'owner']);
      member.send({ type: 'end', id: 2 });
      assert.equal(await member.closed(), 4410);
      const kinds = () => told.filter(({ room }) => room === 'allowed').map(({ type }) => type);
      await until('the last event', () => kinds().includes('room.ended'), { describe: kinds });
      assert.deepEqual(kinds(), ['room.created', 'peer.joined', 'peer.left', 'room.ended']);
      assert.ok(signatures.length >= 5 && signatures.every(Boolean), 'all are signed');
    }));

    for (const [room, code, closeCode] of [
      ['denied', 'forbidden', 4403], ['garbled', 'server_busy', 4503], ['slow', 'server_busy', 4503],
    ]) {
      it(`who is ${room} gets ${code}`, explained(async () => {
        const member = await on.join({ room });
        assert.equal((await member.heard('error')).code, code);
        assert.equal(await member.closed(), closeCode);
      }));

      it(`so it is at the raw relay: ${closeCode}`, explained(async () => {
        const socket = new WebSocket(`${on.ws}/r/${room}?token=t`);
        const [given] = await within(15_000, 'the relay to close it', once(socket, 'close'));
        assert.equal(given, closeCode);
      }));

      it(`and for Socket.IO: ${code}`, explained(async () => {
        const client = io(on.url, { forceNew: true, auth: { token: 't' } });
        try {
          assert.deepEqual(await client.timeout(15_000).emitWithAck('join_room', room), { error: code });
        } finally {
          client.disconnect();
        }
      }));
    }

    it('it lets in who comes by the raw relay', explained(async () => {
      const [first, second] = [1, 2].map(() => new WebSocket(`${on.ws}/r/relay?token=t`));
      const heard = once(first, 'message');
      second.on('open', () => second.send('early'));
      const inside = () => told.filter(({ type, room }) => type === 'peer.joined' && room === 'relay').length === 2;
      await until('both to be in', inside);
      second.send('hello');
      const [text] = await within(15_000, 'the other to hear it', heard);
      assert.match(text.toString(), /^(early|hello)$/, 'the early one, if the other was in first');
      for (const socket of [first, second]) socket.terminate();
    }));

    it('and who comes by Socket.IO', explained(async () => {
      const [mina, omar] = [1, 2].map(() => io(on.url, { forceNew: true, auth: { token: 't' } }));
      try {
        assert.equal(await mina.timeout(15_000).emitWithAck('join_room', 'zoom'), undefined);
        const heard = Promise.all(['welcome', 'offer'].map((event) => once(mina, event)));
        omar.emit('join_room', 'zoom');
        omar.emit('offer', 'sdp', 'zoom');
        const [, [offer]] = await within(15_000, 'the offer', heard);
        assert.equal(offer, 'sdp');
      } finally {
        for (const client of [mina, omar]) client.disconnect();
      }
    }));
  });

  describe('Metrics', () => {
    let listen;
    const on = withServer(async () => {
      listen = `127.0.0.1:${await freePort()}`;
      return { metricsListen: listen, signaling: { auth: 'open' } };
    });
    const relayed = async () => {
      const { body } = await ask(`http://${listen}`, { path: '/metrics' });
      return Number(/turnpike_call_paths_total\{local="relay",remote="srflx",relay_protocol="tls"\} (\d+)/.exec(body)?.[1]);
    };

    it('count the ways of calls, and are for operators alone [H10]', explained(async () => {
      const [a, b] = [await on.join({}), await on.join({})];
      const [, { self }] = [await a.joined(), await b.joined()];
      assert.equal(await relayed(), 0);
      const report = { local: 'relay', remote: 'srflx', protocol: 'udp', relayProtocol: 'tls', rttMs: 38 };
      a.send({ type: 'path', peer: self.peer, ...report });
      await until('the path to be counted', async () => (await relayed()) === 1, { describe: relayed });
      assert.equal((await ask(on.url, { path: '/metrics' })).status, 404);
    }));

    it('on a port that is taken are a reason not to start [C09]', explained(async () => {
      const second = startServer({ metricsListen: listen });
      await assert.rejects(second, /exit code 69 before it answered[^]*metrics\.listen/);
    }));
  });

  describe('Behind a reverse proxy', () => {
    const on = withServer({ http: true, signaling: { auth: 'open', joins_per_minute: 2 } });
    const from = (address) => ({ options: { headers: { 'X-Forwarded-For': address } } });
    const outcome = async (join, url) => {
      const member = await on.join(join, url);
      const find = () => member.received.find(({ type }) => type === 'joined' || type === 'error');
      const { type, code } = await until('an answer to the join', find, { everyMs: 10 });
      return code ?? type;
    };

    it('the joins of each client are counted, not those of the proxy', explained(async () => {
      const proxied = (address) => outcome(from(address), wsAt(on.server.httpPort));
      const seen = [];
      for (const address of ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2']) seen.push(await proxied(address));
      assert.deepEqual(seen, ['joined', 'joined', 'rate_limited', 'joined']);
    }));

    it('a client that comes without one cannot pretend', explained(async () => {
      const seen = [];
      for (const n of [1, 2, 3]) seen.push(await outcome(from(`198.51.100.${n}`)));
      assert.deepEqual(seen, ['joined', 'joined', 'rate_limited']);
    }));
  });

  describe('A server that stops', () => {
    const options = { signaling: { auth: 'open' }, allowPeers: loopback };
    const end = (server) => within(15_000, 'the server to end', server.process.ended);

    describe('in peace', () => {
      const on = withServer(options);
      it('says goodbye to members, and relays until they have gone', explained(async () => {
        // Several, as each is sent away at a moment of its own.
        const members = await Promise.all(Array.from({ length: 6 }, () => on.join({})));
        const joined = await Promise.all(members.map((member) => member.joined()));
        const ice = joined.slice(0, 2).map(({ iceServers }) => turnOf(iceServers));
        const [a, b] = await Promise.all(ice.map((server) => TurnClient.allocate(on.server.port, server)));
        on.server.process.kill('SIGTERM');
        for (const member of members) assert.equal((await member.heard('goaway')).reason, 'drain');
        assert.equal(await relayBetween(a, b, 'still here'), 'still here');
        for (const member of members) assert.equal(await member.closed(), 1012);
        assert.deepEqual(await end(on.server), { code: 0, signal: null });
        for (const client of [a, b]) client.discard();
      }));
    });

    describe('in haste', () => {
      const on = withServer(options);
      it('ends at the second SIGTERM, members or not', explained(async () => {
        const members = await Promise.all(Array.from({ length: 6 }, () => on.join({})));
        for (const member of members) await member.joined();
        on.server.process.kill('SIGTERM');
        for (const member of members) await member.heard('goaway');
        on.server.process.kill('SIGTERM');
        assert.deepEqual(await end(on.server), { code: 0, signal: null });
        const codes = await Promise.all(members.map((member) => member.closed()));
        assert.ok(codes.includes(1006), `somebody was not waited for: ${codes}`);
      }));
    });
  });

  describe('What is no client of ours', { concurrency: true }, () => {
    const on = withServer({ signaling: { auth: 'open' } });

    /// The first line that comes back to these bytes; the server closes the connection.
    async function answerTo(text) {
      const connection = await Connection.open({ port: on.server.port });
      connection.write(text);
      await within(20_000, 'the server to close the connection', connection.closed);
      return connection.received.toString('latin1').split('\r\n')[0];
    }
    const head = 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n';
    const headers = (count) => Array.from({ length: count }, (_, i) => `X-${i}: a\r\n`).join('');

    it('a head that does not end gets 408 [H04]', explained(async () => {
      assert.match(await answerTo(head), /^HTTP\/1\.1 408 /);
    }));
    it('65 headers get 431 [H01]', explained(async () => {
      assert.match(await answerTo(`${head}${headers(64)}\r\n`), /^HTTP\/1\.1 431 /);
    }));
    it('Content-Length with Transfer-Encoding gets 400 [H02]', explained(async () => {
      const both = 'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc';
      assert.match(await answerTo(`POST /v1/rooms HTTP/1.1\r\nHost: 127.0.0.1\r\n${both}`), /^HTTP\/1\.1 400 /);
    }));

    async function opened() {
      const member = await Member.open(on.ws);
      on.members.push(member);
      return member;
    }
    it('a message of more than 64 KiB is closed with 1009 [H14]', explained(async () => {
      const member = await opened();
      member.socket.send('x'.repeat(65_537));
      assert.equal(await member.closed(), 1009);
    }));
    it('a frame without a mask is closed with 1002 [H13]', explained(async () => {
      const member = await opened();
      member.socket.send('{}', { mask: false });
      assert.equal(await member.closed(), 1002);
    }));
    it('a flood of pings is closed with 1008 [H15]', explained(async () => {
      const member = await opened();
      for (let i = 0; i < 200; i += 1) member.socket.ping();
      assert.equal(await member.closed(), 1008);
    }));
  });
});
