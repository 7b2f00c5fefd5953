// The Socket.IO door with the client that pages load: socket.io-client from npm, unmodified.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { io } from 'socket.io-client';
import { startSocketIoServer } from './lib/socketio_server.mjs';
import { within } from './lib/until.mjs';

const deadlineMs = 10_000;
const transports = [['polling'], ['websocket'], ['polling', 'websocket']];

const clients = [];
function client(url, options) {
  const socket = io(url, { forceNew: true, reconnectionDelay: 100, ...options });
  clients.push(socket);
  return socket;
}
afterEach(() => clients.splice(0).forEach((socket) => socket.disconnect()));

/// The arguments of the next `event`.
const next = (socket, event) =>
  within(deadlineMs, event, new Promise((resolve) => socket.once(event, (...args) => resolve(args))));

async function connected(url, options) {
  const socket = client(url, options);
  await next(socket, 'connect');
  return socket;
}

/// Connected, and on the last of its transports.
async function settled(url, options) {
  const socket = client(url, options);
  const upgraded = options.transports.length > 1 && new Promise((resolve) => socket.io.engine.once('upgrade', resolve));
  await next(socket, 'connect');
  if (upgraded) await within(deadlineMs, 'the upgrade', upgraded);
  assert.equal(socket.io.engine.transport.name, options.transports.at(-1));
  return socket;
}

const ask = (socket, event, ...args) => socket.timeout(deadlineMs).emitWithAck(event, ...args);

describe('the echo', () => {
  let server;
  before(async () => {
    // Patient: a busy machine must not look like a client that is gone.
    server = await startSocketIoServer({ echo: true, pingTimeout: '20s' });
  });
  after(() => server?.discard());

  for (const list of transports) {
    test(`answers events, acks and bytes over ${list.join(' then ')}`, async () => {
      const socket = await settled(server.url, { transports: list, auth: { token: 'abc' } });
      const back = next(socket, 'message-back');
      socket.emit('message', 1, '둘', { three: [true, null] });
      assert.deepEqual(await back, [1, '둘', { three: [true, null] }]);

      socket.emit('message', Buffer.from([1, 2, 3]), { inside: Buffer.from([4]) });
      const [first, second] = await next(socket, 'message-back');
      assert.deepEqual(Buffer.from(first), Buffer.from([1, 2, 3]));
      assert.deepEqual(Buffer.from(second.inside), Buffer.from([4]));

      assert.deepEqual(await ask(socket, 'message-with-ack', { a: 1 }), { a: 1 });
      const bytes = await ask(socket, 'message-with-ack', Buffer.from([5, 6]));
      assert.deepEqual(Buffer.from(bytes), Buffer.from([5, 6]));
      assert.deepEqual(await ask(socket, 'nobody-knows'), { error: 'unknown_event' });
    });

    test(`outlives many pings over ${list.join(' then ')}`, async () => {
      const socket = await settled(server.url, { transports: list });
      const pinged = new Promise((resolve) => {
        let pings = 0;
        socket.io.on('ping', () => (pings += 1) === 5 && resolve());
      });
      await within(deadlineMs, 'five pings', pinged);
      assert.ok(socket.connected);
    });
  }

  test('connects to a namespace, and says which it does not have', async () => {
    const socket = await connected(`${server.url}/custom`);
    assert.ok(socket.id);
    const [error] = await next(client(`${server.url}/random`), 'connect_error');
    assert.equal(error.message, 'Invalid namespace');
  });

  test('keeps order under a burst of both kinds', async () => {
    const socket = await settled(server.url, { transports: ['polling', 'websocket'] });
    const count = 100;
    const heard = new Promise((resolve) => {
      const all = [];
      socket.on('message-back', (n) => all.push(n) === count && resolve(all));
    });
    for (let n = 0; n < count; n += 1) socket.emit('message', n, ...(n % 10 ? [] : [Buffer.alloc(1000)]));
    assert.deepEqual(await within(deadlineMs, 'all of them', heard), Array.from({ length: count }, (_, n) => n));
  });
});

describe('the profiles of tutorials', () => {
  let server;
  before(async () => {
    server = await startSocketIoServer();
  });
  after(() => server?.discard());

  for (const list of transports) {
    test(`zoom: two negotiate over ${list.join(' then ')}`, async () => {
      const [mina, omar] = await Promise.all([1, 2].map(() => settled(server.url, { transports: list })));
      const room = `zoom-${list.join('-')}`;
      assert.deepEqual(await mina.timeout(deadlineMs).emitWithAck('join_room', room), undefined);
      omar.emit('join_room', room);
      assert.deepEqual(await next(mina, 'welcome'), []);
      mina.emit('offer', { type: 'offer', sdp: 'v=0\r\n' }, room);
      assert.deepEqual(await next(omar, 'offer'), [{ type: 'offer', sdp: 'v=0\r\n' }]);
      omar.emit('answer', { type: 'answer', sdp: 'v=0\r\n' }, room);
      assert.deepEqual(await next(mina, 'answer'), [{ type: 'answer', sdp: 'v=0\r\n' }]);
      omar.emit('ice', null, room);
      assert.deepEqual(await next(mina, 'ice'), [null]);
    });
  }

  test('codelab: two meet, the third is told that the room is full', async () => {
    const [first, second, third] = await Promise.all([1, 2, 3].map(() => connected(server.url)));
    first.emit('create or join', 'foo');
    assert.deepEqual(await next(first, 'created'), ['foo', first.id]);
    const told = [next(first, 'join'), next(first, 'ready'), next(second, 'joined'), next(second, 'ready')];
    second.emit('create or join', 'foo');
    assert.deepEqual(await Promise.all(told), [['foo'], [], ['foo', second.id], []]);
    third.emit('create or join', 'foo');
    assert.deepEqual(await next(third, 'full'), ['foo']);
    second.emit('message', 'got user media');
    assert.deepEqual(await next(first, 'message'), ['got user media']);
    const logged = next(first, 'log');
    first.emit('message', 'bye');
    assert.deepEqual(await logged, [['Message from server:', 'Client said: ', 'bye']]);
  });
});

test('clients come back by themselves after the server did', async () => {
  const server = await startSocketIoServer();
  try {
    const sockets = await Promise.all(transports.map((list) => settled(server.url, { transports: list })));
    const lost = Promise.all(sockets.map((socket) => next(socket, 'disconnect')));
    const back = Promise.all(sockets.map((socket) => next(socket, 'connect')));
    await server.restart();
    await lost;
    await back;
    const room = 'after';
    await Promise.all(sockets.map((socket) => ask(socket, 'join_room', room)));
    sockets[0].emit('offer', 'x', room);
    await Promise.all([next(sockets[1], 'offer'), next(sockets[2], 'offer')]);
    sockets.forEach((socket) => socket.disconnect());
  } finally {
    await server.discard();
  }
});
