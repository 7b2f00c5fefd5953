// The Socket.IO door by the letter of Engine.IO v4 and Socket.IO v5: what the two official test
// suites look at, with bare HTTP requests and WebSockets.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { startSocketIoServer } from './lib/socketio_server.mjs';
import { within } from './lib/until.mjs';

const deadlineMs = 5_000;
const binary = (...bytes) => Buffer.from(bytes);

let server;
before(async () => {
  server = await startSocketIoServer({ echo: true });
});
after(() => server?.discard());

/// A client of one path, over polling.
class Poller {
  constructor(path) {
    this.url = `${server.url}${path}?EIO=4&transport=polling`;
  }
  async open() {
    const response = await fetch(this.url);
    assert.equal(response.status, 200);
    const text = await response.text();
    assert.equal(text[0], '0');
    this.handshake = JSON.parse(text.slice(1));
    this.sid = this.handshake.sid;
    return this;
  }
  ask(options) {
    return fetch(`${this.url}&sid=${this.sid}`, options);
  }
  async poll() {
    const response = await this.ask();
    return { status: response.status, text: await response.text() };
  }
  async post(body) {
    const response = await this.ask({ method: 'POST', body });
    return { status: response.status, text: await response.text() };
  }
}

const openPoller = (path) => new Poller(path).open();

/// A WebSocket that keeps what it is told until it is asked for; texts and Buffers.
class Socket {
  constructor(path, query = 'EIO=4&transport=websocket') {
    this.socket = new WebSocket(`${server.url.replace('http', 'ws')}${path}?${query}`);
    this.queue = [];
    this.waiting = [];
    this.socket.on('message', (data, isBinary) => {
      const message = isBinary ? data : data.toString();
      if (this.waiting.length) this.waiting.shift()(message);
      else this.queue.push(message);
    });
    this.socket.on('error', (error) => {
      this.error = error;
    });
    this.closed = new Promise((resolve) => this.socket.on('close', resolve));
  }
  opened() {
    return within(deadlineMs, 'the WebSocket to open', once(this.socket, 'open'));
  }
  next() {
    if (this.queue.length) return this.queue.shift();
    const message = new Promise((resolve) => this.waiting.push(resolve));
    return within(deadlineMs, 'a message', message);
  }
  /// The next that is no ping; pings are answered.
  async nextAnswer() {
    for (;;) {
      const message = await this.next();
      if (message !== '2') return message;
      this.send('3');
    }
  }
  send(message) {
    this.socket.send(message);
  }
  ends() {
    return within(deadlineMs, 'the WebSocket to close', this.closed);
  }
  end() {
    this.socket.terminate();
  }
}

async function openSocket(path) {
  const socket = new Socket(path);
  socket.handshake = JSON.parse((await socket.next()).slice(1));
  return socket;
}

async function upgraded(path) {
  const poller = await openPoller(path);
  const socket = new Socket(path, `EIO=4&transport=websocket&sid=${poller.sid}`);
  await socket.opened();
  socket.send('2probe');
  assert.equal(await socket.next(), '3probe');
  return { poller, socket };
}

const handshakeOf = (upgrades, sid) => ({ sid, upgrades, pingInterval: 1000, pingTimeout: 1000, maxPayload: 1_000_000 });

for (const path of ['/engine.io/', '/socket.io/']) {
  describe(`a session at ${path}`, () => {
    test('opens over polling', async () => {
      const { handshake } = await openPoller(path);
      assert.deepEqual(handshake, handshakeOf(['websocket'], handshake.sid));
      assert.equal(typeof handshake.sid, 'string');
    });

    test('opens over a WebSocket', async () => {
      const socket = await openSocket(path);
      assert.deepEqual(socket.handshake, handshakeOf([], socket.handshake.sid));
      socket.end();
    });

    for (const query of ['transport=polling', 'EIO=abc&transport=polling', 'EIO=4', 'EIO=4&transport=abc']) {
      test(`is refused for ?${query}`, async () => {
        assert.equal((await fetch(`${server.url}${path}?${query}`)).status, 400);
        const socket = new Socket(path, query.replace('polling', 'websocket'));
        await socket.ends();
        assert.match(socket.error.message, /400/);
      });
    }

    for (const method of ['POST', 'PUT']) {
      test(`is not opened by ${method}`, async () => {
        assert.equal((await fetch(`${server.url}${path}?EIO=4&transport=polling`, { method })).status, 400);
      });
    }

    test('is pinged over polling', async () => {
      const poller = await openPoller(path);
      for (let i = 0; i < 3; i += 1) {
        assert.deepEqual(await poller.poll(), { status: 200, text: '2' });
        assert.equal((await poller.post('3')).status, 200);
      }
    });

    test('is pinged over a WebSocket', async () => {
      const socket = await openSocket(path);
      for (let i = 0; i < 3; i += 1) {
        assert.equal(await socket.next(), '2');
        socket.send('3');
      }
      socket.end();
    });

    test('ends when a ping goes unanswered', async () => {
      const poller = await openPoller(path);
      assert.deepEqual(await poller.poll(), { status: 200, text: '2' });
      // The GET that waits is told of the end, the next one that there is no such session.
      assert.deepEqual(await poller.poll(), { status: 200, text: '1' });
      assert.equal((await poller.poll()).status, 400);
      const socket = await openSocket(path);
      await socket.ends();
    });

    test('is closed by its client over polling', async () => {
      const poller = await openPoller(path);
      const waiting = poller.poll();
      assert.deepEqual(await poller.post('1'), { status: 200, text: 'ok' });
      const last = await waiting;
      // Should the POST have overtaken the GET, there was nothing left to wait for.
      assert.ok(last.status === 400 || last.text === '6', last.text);
      assert.equal((await poller.poll()).status, 400);
    });

    test('is closed by its client over a WebSocket', async () => {
      const socket = await openSocket(path);
      socket.send('1');
      await socket.ends();
    });

    test('upgrades, and requests of the old transport are refused', async () => {
      const { poller, socket } = await upgraded(path);
      assert.deepEqual(await poller.poll(), { status: 200, text: '6' });
      socket.send('5');
      socket.send('3');
      assert.equal(await socket.next(), '2');
      assert.equal((await poller.poll()).status, 400);
      const second = new Socket(path, `EIO=4&transport=websocket&sid=${poller.sid}`);
      await second.ends();
      socket.send('3');
      assert.equal(await socket.next(), '2');
      socket.end();
    });

    test('upgrades without waiting for the answer to its probe', async () => {
      const poller = await openPoller(path);
      const socket = new Socket(path, `EIO=4&transport=websocket&sid=${poller.sid}`);
      await socket.opened();
      socket.send('2probe');
      socket.send('5');
      assert.equal(await socket.next(), '3probe');
      assert.equal(await socket.next(), '2'); // only now is it sure that "5" has come, too
      assert.equal((await poller.poll()).status, 400);
      socket.end();
    });
  });
}

describe('messages of Engine.IO', () => {
  const path = '/engine.io/';

  for (const payload of ['4hello', '4test1\x1e4test2\x1e4test3', '4hello\x1ebAQIDBA==']) {
    test(`come back over polling: ${JSON.stringify(payload)}`, async () => {
      const poller = await openPoller(path);
      assert.deepEqual(await poller.post(payload), { status: 200, text: 'ok' });
      assert.deepEqual(await poller.poll(), { status: 200, text: payload });
    });
  }

  test('come back over a WebSocket, text and binary', async () => {
    const socket = await openSocket(path);
    socket.send('4hello');
    assert.equal(await socket.next(), '4hello');
    socket.send(binary(1, 2, 3, 4));
    assert.deepEqual(await socket.next(), binary(1, 2, 3, 4));
    socket.end();
  });

  test('come back over the WebSocket after an upgrade', async () => {
    const { socket } = await upgraded(path);
    socket.send('5');
    socket.send('4hello');
    assert.equal(await socket.nextAnswer(), '4hello');
    socket.end();
  });

  test('that are none end the session', async () => {
    const poller = await openPoller(path);
    assert.equal((await poller.post('abc')).status, 400);
    assert.equal((await poller.poll()).status, 400);
    const socket = await openSocket(path);
    socket.send('abc');
    await socket.ends();
  });

  test('cannot be waited for twice at a time', async () => {
    const poller = await openPoller(path);
    const both = await Promise.all([poller.poll(), poller.poll()]);
    assert.deepEqual(both.map(({ status }) => status).sort(), [200, 400]);
    assert.equal(both.find(({ status }) => status === 200).text, '1');
    assert.equal((await poller.poll()).status, 400);
  });

  test('are for nobody when their GET was given up', async () => {
    const poller = await openPoller(path);
    const controller = new AbortController();
    const given = poller.ask({ signal: controller.signal });
    // A POST on another connection: once it is answered, the GET has most likely arrived.
    await poller.post('3');
    controller.abort();
    await assert.rejects(given);
    // The end of a connection and the next request race; one of the next finds no session.
    let status = 200;
    while (status === 200) status = (await poller.poll()).status;
    assert.equal(status, 400);
  });
});

describe('packets of Socket.IO', () => {
  const path = '/socket.io/';
  const opened = () => openSocket(path);

  async function connected() {
    const socket = await opened();
    socket.send('40');
    assert.match(await socket.nextAnswer(), /^40\{/);
    assert.match(await socket.nextAnswer(), /^42\["auth"/);
    return socket;
  }

  for (const [nsp, auth] of [['', ''], ['', '{"token":"123"}'], ['/custom,', ''], ['/custom,', '{"token":"abc"}']]) {
    test(`connect to ${nsp || '/'} with ${auth || 'nothing'}`, async () => {
      const socket = await opened();
      socket.send(`40${nsp}${auth}`);
      const answer = await socket.nextAnswer();
      assert.ok(answer.startsWith(`40${nsp}{`), answer);
      const handshake = JSON.parse(answer.slice(2 + nsp.length));
      assert.deepEqual(Object.keys(handshake), ['sid']);
      assert.equal(typeof handshake.sid, 'string');
      assert.equal(await socket.nextAnswer(), `42${nsp}["auth",${auth || '{}'}]`);
      socket.end();
    });
  }

  test('do not connect to a namespace that is not there', async () => {
    const socket = await opened();
    socket.send('40/random');
    assert.equal(await socket.nextAnswer(), '44/random,{"message":"Invalid namespace"}');
    socket.end();
  });

  test('must come in time', async () => {
    const socket = await opened();
    await socket.ends();
  });

  test('disconnect from one namespace and leave the other', async () => {
    const socket = await connected();
    socket.send('40/custom');
    await socket.nextAnswer();
    await socket.nextAnswer();
    socket.send('41/custom');
    socket.send('42["message","message to main namespace"]');
    assert.equal(await socket.nextAnswer(), '42["message-back","message to main namespace"]');
    socket.send('41');
    assert.equal(await socket.next(), '2');
    socket.end();
  });

  const placeholders = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';

  test('bring events', async () => {
    const socket = await connected();
    socket.send('42["message",1,"2",{"3":[true]}]');
    assert.equal(await socket.nextAnswer(), '42["message-back",1,"2",{"3":[true]}]');
    socket.send('42456["message-with-ack",1,"2",{"3":[false]}]');
    assert.equal(await socket.nextAnswer(), '43456[1,"2",{"3":[false]}]');
    socket.end();
  });

  for (const [sent, answered] of [
    [`452-["message",${placeholders}]`, `452-["message-back",${placeholders}]`],
    [`452-789["message-with-ack",${placeholders}]`, `462-789[${placeholders}]`],
  ]) {
    test(`bring attachments: ${sent}`, async () => {
      const socket = await connected();
      socket.send(sent);
      socket.send(binary(1, 2, 3));
      socket.send(binary(4, 5, 6));
      assert.equal(await socket.nextAnswer(), answered);
      assert.deepEqual(await socket.nextAnswer(), binary(1, 2, 3));
      assert.deepEqual(await socket.nextAnswer(), binary(4, 5, 6));
      socket.end();
    });
  }

  for (const wrong of ['4abc', '42{}', '42abc["message-with-ack",1,"2",{"3":[false]}]']) {
    test(`that are none end the session: ${wrong}`, async () => {
      const socket = await connected();
      socket.send(wrong);
      await socket.ends();
    });
  }

  test('that are none end it before CONNECT too', async () => {
    const socket = await opened();
    socket.send('4abc');
    await socket.ends();
  });
});
