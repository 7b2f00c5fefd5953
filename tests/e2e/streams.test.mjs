// What is particular to TCP and TLS: messages in pieces, strangers at the door, connections that
// are never used, and what becomes of an allocation whose connection ends.

import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { localCertificate, makeCertificate } from './lib/certificate.mjs';
import { tlsClientHello } from './lib/client_hello.mjs';
import { Connection } from './lib/connection.mjs';
import { explained } from './lib/logs.mjs';
import { startServer } from './lib/server.mjs';
import { encode, messageType } from './lib/stun.mjs';
import { assertNothingLost, byPassword, messagesPerFlow, progress, startUclient } from './lib/turnutils.mjs';
import { until, within } from './lib/until.mjs';

const halfAMinuteMs = 30_000;

/// How a server is started and what its clients do, for one `describe`.
function withServer(options) {
  const context = { connections: [] };
  before(explained(async () => {
    context.certificate = await localCertificate();
    context.server = await startServer(options);
  }));
  after(async () => {
    for (const connection of context.connections) connection.discard();
    await context.server?.discard();
  });

  /// Opens a connection over "tcp" or "tls".
  context.connect = async (over = 'tcp', options = {}) => {
    const port = context.server.portFor(over);
    const certificate = over === 'tls' ? context.certificate : undefined;
    const connection = await Connection.open({ port, certificate, ...options });
    context.connections.push(connection);
    return connection;
  };
  return context;
}

const bindingRequest = () => encode({ type: messageType.bindingRequest });

const closing = (connection) => within(5_000, 'the server to close the connection', connection.closed);

for (const over of ['tcp', 'tls']) {
  describe(`A connection over ${over}`, { timeout: halfAMinuteMs, concurrency: true }, () => {
    const { connect } = withServer({ tls: true });

    it('brings an answer to every request', explained(async () => {
      for (const address of ['127.0.0.1', '::1']) {
        const connection = await connect(over, { address });
        for (let i = 0; i < 3; i += 1) {
          assert.equal((await connection.bind()).type, messageType.bindingSuccess);
        }
      }
    }));

    it('brings the answers to requests in one piece, in their order', explained(async () => {
      const connection = await connect(over);
      const requests = Array.from({ length: 100 }, bindingRequest);
      connection.write(Buffer.concat(requests));
      for (const request of requests) {
        const { transactionId } = await within(5_000, 'an answer', connection.message());
        assert.equal(transactionId, request.toString('hex', 8, 20));
      }
    }));

    it('brings an answer to a request that comes byte by byte', explained(async () => {
      const connection = await connect(over);
      connection.socket.setNoDelay(true);
      const request = bindingRequest();
      for (const byte of request.subarray(0, -1)) {
        connection.write(Buffer.from([byte]));
        await new Promise(setImmediate); // or they would leave in one segment
      }
      assert.equal((await connection.request(request, request.subarray(-1))).type, messageType.bindingSuccess);
    }));

    it('gets a browser the call page, on the port of TURN', explained(async () => {
      const connection = await connect(over);
      connection.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      await closing(connection);
      const [head, body] = connection.received.toString().split('\r\n\r\n');
      assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
      assert.match(head, /\r\nContent-Type: text\/html/i);
      assert.match(body, /^<!doctype html>/i);
    }));

    for (const [what, bytes] of [
      ['begins with no byte of a protocol', Buffer.from([0xff, 0, 0, 0])],
      ['has no magic cookie', Buffer.alloc(20)],
      ['has an odd length', Buffer.from([0, 1, 0, 3])],
    ]) {
      it(`is closed without a word when what comes ${what}`, explained(async () => {
        const connection = await connect(over);
        connection.write(bytes);
        await closing(connection);
        assert.equal(connection.received.length, 0);
      }));
    }
  });
}

describe('A TCP connection', { timeout: halfAMinuteMs }, () => {
  const { connect } = withServer();

  it('brings the answer even to a client that has said goodbye', explained(async () => {
    const connection = await connect();
    connection.write(bindingRequest());
    connection.end();
    assert.equal((await within(5_000, 'an answer', connection.message())).type, messageType.bindingSuccess);
    await closing(connection);
  }));
});

describe('A TLS connection', { timeout: halfAMinuteMs, concurrency: true }, () => {
  const context = withServer({ tls: true });
  const { connect } = context;

  for (const [protocols, agreed] of [
    [['stun.turn'], 'stun.turn'],
    [['stun.nat-discovery'], 'stun.nat-discovery'],
    [['h2', 'http/1.1'], 'http/1.1'],
    [undefined, false],
  ]) {
    it(`agrees on ${agreed || 'no protocol'} when ALPN offers ${protocols ?? 'none'}`, explained(async () => {
      const connection = await connect('tls', { protocols });
      assert.equal(connection.socket.alpnProtocol, agreed);
      assert.match(connection.socket.getProtocol(), /^TLSv1\.[23]$/);
    }));
  }

  it('is closed when what comes is no TLS', explained(async () => {
    const connection = await connect('tcp', { port: context.server.tlsPort });
    connection.write(bindingRequest());
    await closing(connection);
  }));
});

describe('A renewed certificate [L12]', { timeout: halfAMinuteMs }, () => {
  const context = {};
  before(explained(async () => {
    context.directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-'));
    context.first = await makeCertificate(context.directory);
    context.server = await startServer({ tls: context.first });
  }));
  after(async () => {
    await context.server?.discard();
    await rm(context.directory, { recursive: true, force: true });
  });

  it('is shown to new connections, and old ones go on', explained(async () => {
    const { first, server } = context;
    const old = await Connection.open({ port: server.tlsPort, certificate: first });
    const second = await localCertificate();
    await copyFile(second.key, first.key);
    await copyFile(second.certificate, first.certificate);

    // Whoever trusts nothing but the second certificate gets in once it is shown.
    const opens = () => Connection.open({ port: server.tlsPort, certificate: second }).catch(() => undefined);
    const renewed = await until('the renewed certificate', opens);
    assert.equal((await renewed.bind()).type, messageType.bindingSuccess);
    assert.equal((await old.bind()).type, messageType.bindingSuccess);
    for (const connection of [old, renewed]) connection.discard();
  }));
});

describe('A connection that is not used', { timeout: halfAMinuteMs, concurrency: true }, () => {
  const timeoutMs = 1_000;
  // The server looks at its clock once a turn, and the machine may be busy.
  const leewayMs = { early: 50, late: 2_000 };
  const context = withServer({
    tls: true,
    users: ['alice'],
    limits: { unauthenticated_timeout: `${timeoutMs / 1_000}s` },
  });
  const { connect } = context;

  async function assertIsClosedInTime(connection) {
    await closing(connection);
    assert.ok(connection.lifetimeMs >= timeoutMs - leewayMs.early, `closed after ${connection.lifetimeMs} ms`);
    assert.ok(connection.lifetimeMs <= timeoutMs + leewayMs.late, `closed after ${connection.lifetimeMs} ms`);
  }

  for (const over of ['tcp', 'tls']) {
    it(`for anything over ${over} is closed in time`, explained(async () => assertIsClosedInTime(await connect(over))));
  }

  it('for a TLS handshake is closed in time [L04]', explained(async () =>
    assertIsClosedInTime(await connect('tcp', { port: context.server.tlsPort }))));

  it('for more than half a message is closed in time', explained(async () => {
    const connection = await connect();
    connection.write(bindingRequest().subarray(0, 10));
    await assertIsClosedInTime(connection);
  }));

  it('for more than Binding requests is closed in time', explained(async () => {
    const connection = await connect();
    await connection.bind();
    await assertIsClosedInTime(connection);
  }));

  it('for more than an allocation stays', explained(async () => {
    const connections = await Promise.all([connect('tcp'), connect('tls')]);
    for (const connection of connections) {
      assert.equal((await connection.allocate('alice')).type, messageType.allocateSuccess);
    }
    // Two others, one after the other, outlive their time: so would these have.
    for (let i = 0; i < 2; i += 1) await assertIsClosedInTime(await connect());
    for (const connection of connections) {
      assert.equal((await connection.bind()).type, messageType.bindingSuccess);
    }
  }));
});

describe('The allocation of a connection that ends', { timeout: halfAMinuteMs }, () => {
  const { connect } = withServer({ tls: true, users: ['alice', 'bob'], relayPorts: 1 });

  /// It is free as soon as the server sees its owner go, and we may be faster to ask.
  async function getsThePort(connection, user) {
    const succeeds = async () => (await connection.allocate(user)).type === messageType.allocateSuccess;
    await until('the port to be free', succeeds, { deadlineMs: 2_000, everyMs: 10 });
  }

  for (const { how, over, end } of [
    { how: 'with a FIN', over: 'tcp', end: (connection) => connection.end() },
    { how: 'with a RST', over: 'tcp', end: (connection) => connection.reset() },
    { how: 'with close_notify', over: 'tls', end: (connection) => connection.end() },
  ]) {
    it(`${how} is gone, and its port free for others`, explained(async () => {
      const alice = await connect(over);
      const bob = await connect();
      await getsThePort(alice, 'alice');
      assert.equal((await bob.allocate('bob')).errorCode, 508, 'there is no port but the one');
      end(alice);
      await getsThePort(bob, 'bob');
      bob.end();
    }));
  }
});

describe('The connections of one address', { timeout: halfAMinuteMs }, () => {
  const allowed = 3;
  const context = withServer({ tls: true, limits: { tcp_connections_per_address: allowed } });
  const { connect } = context;

  it('are limited in their number, over TCP and TLS together [H17]', explained(async () => {
    const connections = [await connect('tls')];
    while (connections.length < allowed) connections.push(await connect());
    for (const connection of connections) await connection.bind();

    await closing(await connect());
    for (const connection of connections) await connection.bind();

    connections[0].end();
    const getsIn = () => connect().then((next) => next.bind()).catch(() => undefined);
    await until('another connection to be let in', getsIn, { everyMs: 10 });
  }));

  it('were counted when they were refused', explained(async () => {
    const counters = await context.server.stop();
    assert.ok(counters.streams_refused_limit >= 1);
  }));
});

describe('A flood of TLS handshakes [L03]', { timeout: halfAMinuteMs }, () => {
  const context = withServer({ tls: true, workers: 1, limits: { handshake_rate_total: 5 } });
  const { connect } = context;
  let cutOff = 0;

  /// Sends a ClientHello; whether the server began a handshake.
  async function isAnswered() {
    const connection = await connect('tcp', { port: context.server.tlsPort }).catch(() => null);
    if (!connection) return false; // cut off before it knew that it was there
    connection.write(tlsClientHello());
    const isDecided = () => connection.received.length > 0 || connection.isClosed;
    await until('an answer or the end', isDecided, { everyMs: 1 });
    connection.reset();
    return connection.received.length > 0;
  }

  it('is cut down to limits.handshake_rate_total, and others are served', explained(async () => {
    const work = await connect('tcp');
    for (let i = 0; i < 1000 && cutOff < 20; i += 1) {
      if (!(await isAnswered())) cutOff += 1;
      assert.equal((await work.bind()).type, messageType.bindingSuccess);
    }
    assert.equal(cutOff, 20);
  }));

  it('was counted', explained(async () => {
    const counters = await context.server.stop();
    assert.equal(counters.streams_refused_rate, cutOff);
  }));
});

describe('500 idle connections', { timeout: halfAMinuteMs }, () => {
  const idle = 500;
  const timeoutMs = 8_000; // turnutils_uclient has got all its messages after about four
  const limits = { unauthenticated_timeout: `${timeoutMs / 1_000}s` };
  const context = withServer({ users: ['alice'], limits });
  const { connect } = context;

  it('do not disturb a client at work, and are closed in time', explained(async () => {
    const connections = await Promise.all(Array.from({ length: idle }, () => connect()));
    const { server } = context;
    const options = { name: 'among idle connections', server, over: 'tcp', via: '127.0.0.1' };
    const tool = await startUclient({ ...options, credentials: byPassword('alice'), flags: ['-y'] });
    const flows = 4;
    const hasReceived = () => progress(tool.log.text).received === flows * messagesPerFlow;
    await until('all messages to come back', hasReceived);
    assert.ok(connections.every(({ isClosed }) => !isClosed), 'all of them were there');

    const { code } = await within(20_000, 'turnutils_uclient to end', tool.ended);
    assertNothingLost({ code, output: tool.log.text }, flows);
    await within(timeoutMs, 'all to be closed', Promise.all(connections.map(({ closed }) => closed)));
    assert.ok(connections.every(({ lifetimeMs }) => lifetimeMs >= timeoutMs - 50), 'none was closed early');
  }));

  it('were counted by the server, which then stops cleanly', explained(async () => {
    assert.equal((await context.server.stop()).streams_timed_out, idle);
  }));
});

describe('A server without signaling', { timeout: halfAMinuteMs }, () => {
  const { connect } = withServer({ signaling: { enabled: false } });

  it('tells a browser that there is no page, and closes', explained(async () => {
    const connection = await connect('tcp');
    connection.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await closing(connection);
    const [head, body] = connection.received.toString().split('\r\n\r\n');
    assert.match(head, /^HTTP\/1\.1 404 Not Found\r\n/);
    assert.match(head, /\r\nConnection: close/i);
    assert.equal(Number(/\r\nContent-Length: (\d+)/i.exec(head)[1]), body.length);
  }));
});
