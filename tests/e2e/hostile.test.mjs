// Lines of docs/hostile.md that take a whole process to show: what is written, kept and answered when
// strangers, other users of the host and a second server come.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { localCertificate } from './lib/certificate.mjs';
import { Connection } from './lib/connection.mjs';
import { explained } from './lib/logs.mjs';
import { freePort } from './lib/ports.mjs';
import { run } from './lib/process.mjs';
import { ask } from './lib/rooms.mjs';
import { mintRestCredential, restSecret, startServer, staticPassword, turnpike } from './lib/server.mjs';
import { attributeType, encode, longTermKey, messageType } from './lib/stun.mjs';
import { TurnClient } from './lib/turn_client.mjs';
import { until, within } from './lib/until.mjs';

const isRoot = process.getuid() === 0;
const directory = mkdtempSync(path.join(tmpdir(), 'turnpike-hostile-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

const eventsIn = (text) => [...text.matchAll(/"event":"(\w+)"/g)].map(([, event]) => event);

// --- What strangers make the server write --------------------------------------------------------

describe('Whoever is refused', { timeout: 60_000 }, () => {
  const requested = [attributeType.requestedTransport, Buffer.from([17, 0, 0, 0])];

  /// One datagram of each kind that is dropped or refused.
  function datagrams() {
    const binding = encode({ type: messageType.bindingRequest });
    const wrongCookie = Buffer.from(binding);
    wrongCookie[4] ^= 0xff;
    const key = longTermKey('alice', 'e2e.turnpike.test', 'guess');
    const signed = [[attributeType.username, 'alice'], [attributeType.realm, 'e2e.turnpike.test'], [attributeType.nonce, 'x'.repeat(24)]];
    return [
      Buffer.alloc(0), randomBytes(64), wrongCookie, binding.subarray(0, 12),
      encode({ type: 0x0fff }), encode({ type: messageType.allocateSuccess }), encode({ type: messageType.allocateError }),
      encode({ type: messageType.allocateRequest, attributes: [requested] }),
      encode({ type: messageType.allocateRequest, attributes: [requested, ...signed], key }),
      encode({ type: messageType.createPermissionRequest }),
      encode({ type: messageType.sendIndication }),
      Buffer.concat([Buffer.from([0x40, 0, 0, 4]), randomBytes(4)]),
      Buffer.from([22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]),
    ];
  }

  for (const level of ['info', 'trace']) {
    it(`makes no line in the log at level ${level}, however often [M06]`, explained(async () => {
      const server = await startServer({ limits: { challenge_rate: 50 }, environment: { TURNPIKE__LOG__LEVEL: level } });
      const socket = dgram.createSocket('udp4');
      try {
        for (let round = 0; round < 200; round += 1) {
          for (const datagram of datagrams()) socket.send(datagram, server.port, '127.0.0.1');
          if (round % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        for (let i = 0; i < 50; i += 1) {
          const connection = await Connection.open({ port: server.port });
          connection.write(i % 2 ? randomBytes(40).fill(0xff, 0, 1) : 'NONSENSE / HTTP/9.9\r\n\r\n');
          await within(15_000, 'the server to close', connection.closed);
        }
        const counters = await server.stop();
        assert.ok(counters.dropped_malformed + counters.dropped_not_turn > 0, 'they did arrive');
        const written = eventsIn(server.process.log.text);
        const between = written.slice(written.indexOf('started') + 1, written.indexOf('stopping'));
        assert.deepEqual(between, []);
      } finally {
        socket.close();
        await server.discard();
      }
    }));
  }
});

describe('Handshakes without end', { timeout: 60_000 }, () => {
  it('are 1,024 at a time: the oldest goes when another one comes, and who is honest gets in [L04]', explained(async () => {
    const server = await startServer({ tls: true, workers: 1 });
    const certificate = await localCertificate();
    const connections = [];
    try {
      for (let i = 0; i < 1024; i += 1) {
        const connection = await Connection.open({ port: server.tlsPort });
        connection.write(Buffer.from([22]));
        connections.push(connection);
      }
      const honest = await Connection.open({ port: server.tlsPort, certificate });
      assert.equal((await honest.bind()).type, messageType.bindingSuccess);
      await within(5_000, 'the oldest to be closed', connections[0].closed);
      assert.equal(connections.at(-1).isClosed, false);
      honest.discard();
      for (const connection of connections) connection.discard();
      assert.ok((await server.stop()).streams_dropped_half_open >= 1);
    } finally {
      for (const connection of connections) connection.discard();
      await server.discard();
    }
  }));
});

// --- A second server -----------------------------------------------------------------------------

describe('A second server', { timeout: 60_000 }, () => {
  for (const workers of [1, 2]) {
    it(`on the ports of one with ${workers} workers ends, and the first goes on [C09]`, explained(async () => {
      const first = await startServer({ workers });
      try {
        const second = await run('second', turnpike(), ['serve', '--config', first.config]);
        assert.equal(second.code, 69);
        assert.match(second.output, /cannot listen on udp 127\.0\.0\.1:\d+: .*in use; stop the program that has the port/);
        assert.equal(first.process.hasEnded(), false);
        const client = await TurnClient.allocate(first.port, mintRestCredential('mina'));
        client.discard();
        await first.stop();
      } finally {
        await first.discard();
      }
    }));
  }

  it('with the store of one that runs ends, and takes over when that is killed [C09]', explained(async () => {
    const options = ['--set', `store.url=sqlite:${path.join(directory, 'shared.db')}`];
    const first = await startServer({ options });
    try {
      const second = startServer({ options });
      second.then((server) => server.discard(), () => {}); // one that did start would stay
      await assert.rejects(second, /exit code 69[^]*another server runs with the store/);
      assert.equal(first.process.hasEnded(), false);
      first.process.kill('SIGKILL');
      await within(10_000, 'its end', first.process.ended);
      const next = await startServer({ options });
      await next.stop();
    } finally {
      await first.discard();
    }
  }));
});

// --- Secrets -------------------------------------------------------------------------------------

describe('What others may see of a server', { timeout: 60_000 }, () => {
  let server;
  let metricsListen;
  before(explained(async () => {
    metricsListen = `127.0.0.1:${await freePort()}`;
    server = await startServer({ users: ['canary-user'], allowPeers: ['127.0.0.0/8'], metricsListen });
  }));
  after(() => server?.discard());

  const secrets = [restSecret, staticPassword, longTermKey('canary-user', 'e2e.turnpike.test', staticPassword).toString('hex')];
  const of = (file) => readFileSync(`/proc/${server.process.pid}/${file}`, 'latin1');

  it('has no secret: command line and environment [I08]', explained(() => {
    for (const file of ['cmdline', 'environ']) {
      for (const secret of secrets) assert.ok(!of(file).includes(secret), file);
    }
  }));

  it('has no memory either: it leaves no core [I08]', explained(() => {
    assert.match(of('limits'), /^Max core file size +0 +0 /m);
  }));

  it('has neither secret nor user in the metrics [H10] [I08]', explained(async () => {
    const clients = [
      await TurnClient.allocate(server.port, { username: 'canary-user', credential: staticPassword }),
      await TurnClient.allocate(server.port, mintRestCredential('canary-guest')),
    ];
    await assert.rejects(TurnClient.allocate(server.port, { username: 'canary-wrong', credential: 'canary-guess' }), /401/);
    const { status, body } = await ask(`http://${metricsListen}`, { path: '/metrics' });
    assert.equal(status, 200);
    assert.match(body.toString(), /^turnpike_/m);
    for (const text of ['canary', ...secrets]) assert.ok(!body.includes(text), text);
    for (const client of clients) client.discard();
  }));

  it('is closed to whoever brings a cookie in place of a key [H12]', explained(async () => {
    const headers = { cookie: `key=${restSecret}; session=1` };
    assert.equal((await ask(`http://127.0.0.1:${server.port}`, { path: '/v1/rooms', headers })).status, 401);
  }));
});

// --- Operators' commands -------------------------------------------------------------------------

/// Each command that asks a running server, as it is typed.
const verbs = [
  ['status'], ['drain'], ['reload'], ['top', '--once'], ['allocation', 'list'], ['allocation', 'show', '0-1'],
  ['allocation', 'kill', '0-1'], ['room', 'list'], ['room', 'show', 'demo'], ['room', 'end', 'demo'],
  ['room', 'kick', 'demo', 'p_1'],
];

describe('Commands for a running server', { timeout: 60_000 }, () => {
  it('say in a sentence that none runs, and end with 69 [I04]', explained(async () => {
    const socket = path.join(directory, 'nobody.sock');
    for (const verb of verbs) {
      const { code, output } = await run('command', turnpike(), [...verb, '--socket', socket]);
      assert.equal(code, 69, `${verb.join(' ')}: ${output}`);
      assert.ok(output.includes(socket), output);
    }
  }));

  it('are refused to other users of the host, each of them [I05]', { skip: !isRoot && 'only root can become another user' }, explained(async () => {
    const socket = path.join(directory, 'control.sock');
    const server = await startServer({ options: ['--set', `control.socket=${socket}`] });
    const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups', turnpike()];
    try {
      chmodSync(directory, 0o755);
      for (const mode of [0o600, 0o666]) { // the file system refuses, then the server
        chmodSync(socket, mode);
        for (const verb of verbs) {
          const { code, output } = await run('nobody', 'setpriv', [...asNobody, ...verb, '--socket', socket]);
          assert.notEqual(code, 0, `${verb.join(' ')}: ${output}`);
        }
      }
      const client = await TurnClient.allocate(server.port, mintRestCredential('mina')); // it does not drain
      client.discard();
    } finally {
      chmodSync(directory, 0o700);
      await server.discard();
    }
  }));

  it('and for the store say that it is not theirs, and leave it [I04]', { skip: !isRoot && 'only root can become another user' }, explained(async () => {
    const store = path.join(directory, 'private.db');
    const added = await run('root', turnpike(), ['user', 'add', 'alice', '--generate', '--store', store]);
    assert.equal(added.code, 0, added.output);
    const before = readFileSync(store);
    chmodSync(directory, 0o755);
    try {
      for (const verb of [['user', 'list'], ['user', 'add', 'bob', '--generate'], ['secret', 'rotate'], ['key', 'create', 'web']]) {
        const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups', turnpike(), ...verb, '--store', store];
        const { code, output } = await run('nobody', 'setpriv', asNobody);
        assert.ok(code > 0, `${verb.join(' ')}: ${output}`);
        assert.match(output, /private\.db/);
      }
    } finally {
      chmodSync(directory, 0o700);
    }
    assert.deepEqual(readFileSync(store), before);
  }));
});
