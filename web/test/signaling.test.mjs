// The protocol as spoken over a WebSocket: join, answers and errors, resume, reconnect, goaway.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { join, TurnpikeError } from '../turnpike.js';
import { next, record, until } from './lib/events.mjs';
import { joined, peerView, ScriptServer } from './lib/script_server.mjs';
import { VirtualTimers } from './lib/timers.mjs';

let server;
let timers;
let rooms;

beforeEach(async () => {
  server = await ScriptServer.start();
  timers = new VirtualTimers();
  rooms = [];
});
afterEach(async () => {
  for (const room of rooms) {
    room.leave();
    timers.advance(5_000);
  }
  await server.stop();
});

const begin = (options = {}) =>
  join(server.url, { room: 'demo', name: 'Mina', WebSocket, timers: timers.functions, ...options });

/** A room that has joined, and the server's end of its connection. */
async function joinedRoom({ options, welcome } = {}) {
  const joining = begin(options);
  const connection = await server.accept();
  const { id } = await connection.takeType('join');
  connection.say(joined(id, welcome));
  const room = await joining;
  rooms.push(room);
  return { room, connection };
}

/** Breaks the connection and lets the client come back; its next connection. */
async function reconnect(room, connection) {
  const broken = next(room, 'reconnecting');
  connection.cut();
  const { delayMs } = await broken;
  timers.advance(delayMs);
  return server.accept();
}

const rejects = (promise, code) =>
  assert.rejects(promise, (error) => error instanceof TurnpikeError && error.code === code);

describe('Joining', () => {
  it('says who wants what, with the token in the message and not in the URL', async () => {
    const joining = begin({ token: 'secret', meta: { cam: true } });
    const connection = await server.accept();
    const said = await connection.take();
    assert.equal(said.type, 'join');
    assert.equal(said.room, 'demo');
    assert.equal(said.token, 'secret');
    assert.equal(said.name, 'Mina');
    assert.equal(said.meta.cam, true);
    assert.match(said.client, /^turnpike-js\//);
    assert.equal('resume' in said, false);
    connection.say(joined(said.id));
    rooms.push(await joining);
  });

  it('gives a room that knows itself, the others and the ICE servers', async () => {
    const peers = [peerView('p_a', { name: 'Jun', meta: { mic: true } }), peerView('p_b', { away: true })];
    const { room } = await joinedRoom({ welcome: { peers, iceTransportPolicy: 'relay' } });
    assert.equal(room.id, 'demo');
    assert.equal(room.state, 'joined');
    assert.deepEqual([room.self.id, room.self.name, room.self.role], ['p_me', 'Mina', 'member']);
    assert.deepEqual([...room.peers.keys()], ['p_a', 'p_b']);
    assert.equal(room.peers.get('p_a').name, 'Jun');
    assert.deepEqual(room.peers.get('p_a').meta, { mic: true });
    assert.equal(room.peers.get('p_a').offer, true);
    assert.equal(room.peers.get('p_b').away, true);
    assert.deepEqual(room.iceServers, [{ urls: ['stun:127.0.0.1:3478'] }]);
    assert.equal(room.iceTransportPolicy, 'relay');
    assert.deepEqual(room.limits, { maxMessage: 65_536, perSecond: 50 });
  });

  for (const code of ['unauthorized', 'token_expired', 'forbidden', 'room_not_found', 'room_full', 'room_locked']) {
    it(`rejects with ${code} and does not try again`, async () => {
      const joining = begin();
      const connection = await server.accept();
      const { id } = await connection.take();
      connection.say({ type: 'error', id, code, message: 'no', retryAfterMs: null, fatal: true });
      await rejects(joining, code);
      assert.deepEqual(timers.due, []);
    });
  }

  it('rejects when the server did not understand the join', async () => {
    const joining = begin();
    const connection = await server.accept();
    const { id } = await connection.take();
    connection.say({ type: 'error', id, code: 'too_large', message: 'meta must not exceed 4096 bytes', retryAfterMs: null, fatal: false });
    await assert.rejects(joining, { code: 'too_large', message: 'meta must not exceed 4096 bytes' });
    assert.equal(await connection.end(), 1000);
    assert.deepEqual(timers.due, []);
  });

  it('says when it makes sense to try again', async () => {
    const joining = begin();
    const connection = await server.accept();
    const { id } = await connection.take();
    connection.say({ type: 'error', id, code: 'rate_limited', message: 'slowly', retryAfterMs: 2500, fatal: true });
    await assert.rejects(joining, { code: 'rate_limited', retryAfterMs: 2500, fatal: true });
  });

  it('knows by the close code what the server had no message for', async () => {
    const joining = begin();
    (await server.accept()).close(4423, 'room_locked');
    await rejects(joining, 'room_locked');
  });

  it('rejects with unreachable where nobody listens', async () => {
    const { url } = server;
    await server.stop();
    await rejects(join(url, { room: 'demo', WebSocket, timers: timers.functions }), 'unreachable');
    server = await ScriptServer.start();
  });

  it('rejects with unreachable when the URL is none', () => rejects(join('nonsense', { room: 'demo', WebSocket }), 'unreachable'));

  it('rejects with unreachable when the server says nothing for too long', async () => {
    const joining = begin({ timeoutMs: 3000 });
    await (await server.accept()).take();
    timers.advance(2999);
    timers.advance(1);
    await rejects(joining, 'unreachable');
  });

  it('rejects with the error of a token function', async () => {
    const cause = new Error('no token today');
    const joining = begin({ token: () => Promise.reject(cause) });
    await assert.rejects(joining, (error) => error.code === 'unreachable' && error.cause === cause);
  });
});

describe('Requests', () => {
  it('get the answer with their number', async () => {
    const { room, connection } = await joinedRoom();
    const first = room.send('chat', { text: 'one' });
    const second = room.send('chat', { text: 'two' });
    const [one, two] = [await connection.takeType('message'), await connection.take()];
    assert.deepEqual([one.event, one.data, 'to' in one], ['chat', { text: 'one' }, false]);
    connection.say({ type: 'ack', id: two.id, delivered: 2 }, { type: 'ack', id: one.id, delivered: 1 });
    assert.deepEqual([await first, await second], [{ delivered: 1 }, { delivered: 2 }]);
  });

  it('reject with what the server has against them, and the room goes on', async () => {
    const { room, connection } = await joinedRoom({ welcome: { peers: [peerView('p_a')] } });
    const kicking = room.kick('p_a');
    const { id, peer } = await connection.takeType('kick');
    assert.equal(peer, 'p_a');
    connection.say({ type: 'error', id, code: 'forbidden', message: 'a member may not kick', retryAfterMs: null, fatal: false });
    await assert.rejects(kicking, { code: 'forbidden', fatal: false, message: 'a member may not kick' });
    assert.equal(room.state, 'joined');
  });

  it('reject at once for peers that are not there', async () => {
    const { room } = await joinedRoom();
    await rejects(room.send('chat', null, { to: 'p_none' }), 'no_such_peer');
    await rejects(room.kick('p_none'), 'no_such_peer');
  });

  it('reject when they are too large for the server, without asking it', async () => {
    const { room } = await joinedRoom({ welcome: { limits: { maxMessage: 1000, perSecond: 50 } } });
    await rejects(room.send('chat', 'x'.repeat(1000)), 'too_large');
    await rejects(room.send('chat', '한'.repeat(330)), 'too_large');
    assert.equal(room.state, 'joined');
  });

  it('are spaced out as the server asks for', async () => {
    const { room, connection } = await joinedRoom({ welcome: { limits: { maxMessage: 65_536, perSecond: 10 } } });
    for (let i = 0; i < 25; i += 1) room.send('n', i).catch(() => {});
    await until('twenty messages', () => connection.received.length === 21);
    timers.advance(100);
    await until('one more', () => connection.received.length === 22);
    timers.advance(400);
    await until('the rest', () => connection.received.length === 26);
    assert.deepEqual(connection.received.slice(1).map(({ data }) => data), Array.from({ length: 25 }, (_, i) => i));
  });

  it('for messages reject when refused for their rate', async () => {
    const { room, connection } = await joinedRoom();
    const sending = room.send('chat', 1);
    const { id } = await connection.takeType('message');
    connection.say({ type: 'error', id, code: 'rate_limited', message: 'slowly', retryAfterMs: 40, fatal: false });
    await assert.rejects(sending, { code: 'rate_limited', retryAfterMs: 40 });
  });

  it('for signals are repeated in their order when refused for their rate', async () => {
    const { room, connection } = await joinedRoom({ welcome: { peers: [peerView('p_a')] } });
    const both = [room.signal('p_a', { k: 1 }), room.signal('p_a', { k: 2 })];
    const first = await connection.takeType('signal');
    await connection.take();
    connection.say({ type: 'error', id: first.id, code: 'rate_limited', message: 'slowly', retryAfterMs: 40, fatal: false });
    await until('a timer', () => timers.due.includes(40));
    both.push(room.signal('p_a', { k: 3 }));
    timers.advance(40);
    const again = [await connection.take(), await connection.take(), await connection.take()];
    assert.deepEqual(again.map(({ data }) => data.k), [1, 2, 3], 'and what came later waited for them');
    connection.say(...again.map(({ id }) => ({ type: 'ack', id, delivered: 1 })));
    await Promise.all(both);
  });

  it('for ICE servers bring them to all who listen', async () => {
    const { room, connection } = await joinedRoom();
    const told = next(room, 'ice');
    const asking = room.refreshIce();
    const { id } = await connection.takeType('ice');
    const iceServers = [{ urls: ['turn:127.0.0.1:3478'], username: 'u', credential: 'c' }];
    connection.say({ type: 'ice', id, iceServers, iceExpiresAt: 1_900_000_000_000 });
    assert.deepEqual((await asking).iceServers, iceServers);
    assert.equal((await told).iceExpiresAt, 1_900_000_000_000);
    assert.deepEqual(room.iceServers, iceServers);
  });

  it('lock, update and end are said as the protocol has them', async () => {
    const { room, connection } = await joinedRoom();
    const locking = room.lock();
    const lock = await connection.takeType('lock');
    assert.equal(lock.locked, true);
    connection.say({ type: 'ack', id: lock.id });
    await locking;
    assert.equal(room.locked, true);
    const updating = room.update({ mic: false });
    const update = await connection.takeType('update');
    assert.equal(update.meta.mic, false);
    connection.say({ type: 'ack', id: update.id });
    await updating;
    assert.deepEqual(room.self.meta, { mic: false });
    const closed = next(room, 'closed');
    const ending = room.end();
    const end = await connection.takeType('end');
    connection.say({ type: 'ack', id: end.id }, { type: 'closed', code: 'room_ended' });
    await ending;
    assert.equal((await closed).code, 'room_ended');
  });
});

describe('What the server says', () => {
  it('is told as events, with the peer as an object', async () => {
    const { room, connection } = await joinedRoom({ welcome: { peers: [peerView('p_a', { name: 'Jun' })] } });
    const events = record(room, 'peer-joined', 'peer-left', 'peer-updated', 'peer-away', 'peer-back', 'message');
    connection.say(
      { type: 'peer-joined', peer: peerView('p_b', { n: 2, offer: false, polite: true }) },
      { type: 'peer-updated', peer: 'p_b', meta: { cam: false } },
      { type: 'peer-away', peer: 'p_b' },
      { type: 'peer-back', peer: 'p_b' },
      { type: 'message', from: 'p_b', event: 'hi', data: [1], seq: 7, ts: 1_800_000_000_000, private: true },
      { type: 'message', from: 'server', event: 'note', data: null, seq: 8, ts: 1_800_000_000_000 },
      { type: 'peer-left', peer: 'p_b', reason: 'kicked' },
    );
    await until('all of them', () => events.length === 7);
    const [[, { peer }]] = events;
    assert.deepEqual(events.map(([name]) => name),
      ['peer-joined', 'peer-updated', 'peer-away', 'peer-back', 'message', 'message', 'peer-left']);
    assert.equal(events[1][1].peer, peer);
    assert.deepEqual(peer.meta, { cam: false });
    assert.equal(peer.polite, true);
    assert.deepEqual(events[4][1],
      { from: 'p_b', peer, event: 'hi', data: [1], seq: 7, ts: 1_800_000_000_000, private: true });
    assert.equal(events[5][1].from, 'server');
    assert.equal(events[5][1].peer, undefined);
    assert.deepEqual(events[6][1], { peer, reason: 'kicked' });
    assert.deepEqual([...room.peers.keys()], ['p_a']);
  });

  it('reaches the other listeners when one of them throws', async (t) => {
    t.mock.method(console, 'error', () => {});
    const { room, connection } = await joinedRoom();
    room.on('message', () => {
      throw new Error('mine');
    });
    const second = next(room, 'message');
    connection.say({ type: 'message', from: 'server', event: 'x', data: null, seq: 1, ts: 1 });
    await second;
    assert.equal(console.error.mock.calls[0].arguments[0].message, 'mine');
  });

  it('waits for a listener if it is a signal', async () => {
    const { room, connection } = await joinedRoom({ welcome: { peers: [peerView('p_a')] } });
    const marker = next(room, 'message');
    connection.say(
      { type: 'signal', from: 'p_a', seq: 1, data: { k: 1 } },
      { type: 'signal', from: 'p_a', seq: 2, data: { k: 2 } },
      { type: 'message', from: 'server', event: 'x', data: null, seq: 3, ts: 1 },
    );
    await marker;
    const heard = record(room, 'signal');
    await until('both', () => heard.length === 2);
    assert.deepEqual(heard.map(([, { data }]) => data.k), [1, 2]);
  });

  it('is forgotten if it is a signal of who has left', async () => {
    const { room, connection } = await joinedRoom({ welcome: { peers: [peerView('p_a'), peerView('p_b')] } });
    const left = next(room, 'peer-left');
    connection.say(
      { type: 'signal', from: 'p_a', seq: 1, data: {} },
      { type: 'signal', from: 'p_b', seq: 2, data: {} },
      { type: 'peer-left', peer: 'p_a', reason: 'left' },
    );
    await left;
    const heard = record(room, 'signal');
    await until('the other one', () => heard.length > 0);
    assert.deepEqual(heard.map(([, { from }]) => from), ['p_b']);
  });

  it('is answered with a pong if it is a ping, after what came before it', async () => {
    const { room, connection } = await joinedRoom({ welcome: { peers: [peerView('p_a')] } });
    room.on('message', () => room.send('reply', null).catch(() => {}));
    connection.say(
      { type: 'message', from: 'p_a', event: 'x', data: null, seq: 1, ts: 1 },
      { type: 'ping', ts: 4711 },
    );
    await until('two messages', () => connection.received.length === 3);
    assert.deepEqual(connection.received[2], { type: 'pong', ts: 4711 });
  });

  it('is passed over if a newer server says it', async () => {
    const { room, connection } = await joinedRoom();
    const after = next(room, 'message');
    connection.say({ type: 'weather', sunny: true }, { type: 'message', from: 'server', event: 'x', data: null, seq: 1, ts: 1 });
    await after;
    assert.equal(room.state, 'joined');
  });
});

describe('A broken connection', () => {
  it('is resumed with the ticket and the last number seen', async () => {
    const peers = [peerView('p_a', { meta: { mic: true } }), peerView('p_b', { n: 2 })];
    const { room, connection } = await joinedRoom({ options: { token: 'secret' }, welcome: { peers } });
    const seen = next(room, 'message');
    connection.say({ type: 'message', from: 'p_a', event: 'x', data: null, seq: 41, ts: 1 });
    await seen;
    const events = record(room, 'peer-joined', 'peer-left', 'peer-updated', 'peer-away', 'ice', 'resumed', 'signal');
    const second = await reconnect(room, connection);
    assert.equal(room.state, 'reconnecting');
    const rejoin = await second.take();
    assert.deepEqual([rejoin.resume, rejoin.lastSeq, rejoin.token], ['rt_1', 41, 'secret']);
    second.say(
      joined(rejoin.id, {
        resumed: true,
        resume: { ticket: 'rt_2', windowMs: 30_000 },
        peers: [peerView('p_a', { meta: { mic: false }, away: true }), peerView('p_c', { n: 3 })],
      }),
      { type: 'signal', from: 'p_a', seq: 43, data: { missed: true } },
    );
    await until('the missed signal', () => events.some(([name]) => name === 'signal'));
    assert.deepEqual(events.map(([name, { peer }]) => [name, peer?.id]), [
      ['peer-left', 'p_b'], ['peer-updated', 'p_a'], ['peer-away', 'p_a'], ['peer-joined', 'p_c'],
      ['ice', undefined], ['resumed', undefined], ['signal', 'p_a'],
    ]);
    assert.deepEqual(events.find(([name]) => name === 'resumed')[1], { rejoined: false });
    const third = await reconnect(room, second);
    const again = await third.take();
    assert.deepEqual([again.resume, again.lastSeq], ['rt_2', 43]);
  });

  it('leads to a new join on the same connection when it cannot be resumed', async () => {
    let tokens = 0;
    const token = () => `token ${(tokens += 1)}`;
    const { room, connection } = await joinedRoom({ options: { token } });
    const seen = next(room, 'message');
    connection.say({ type: 'message', from: 'server', event: 'x', data: null, seq: 41, ts: 1 });
    await seen;
    const second = await reconnect(room, connection);
    const resume = await second.take();
    assert.equal(resume.token, 'token 1', 'the ticket is bound to the token');
    const resumed = next(room, 'resumed');
    second.say({ type: 'error', id: resume.id, code: 'resume_failed', message: 'join without resume', retryAfterMs: null, fatal: false });
    const anew = await second.take();
    assert.deepEqual([anew.type, 'resume' in anew, anew.token], ['join', false, 'token 2']);
    second.say(joined(anew.id, { self: { peer: 'p_new', n: 9, name: 'Mina', role: 'owner' } }));
    assert.deepEqual(await resumed, { rejoined: true });
    assert.equal(room.self.id, 'p_new');
    assert.equal(room.self.role, 'owner');
    const third = await reconnect(room, second);
    assert.equal((await third.take()).lastSeq, 0, 'the numbers of the old session mean nothing');
  });

  it('does not use a ticket again that the server has refused', async () => {
    const { room, connection } = await joinedRoom();
    const second = await reconnect(room, connection);
    const { id } = await second.take();
    second.say({ type: 'error', id, code: 'resume_failed', message: 'join without resume', retryAfterMs: null, fatal: false });
    await second.take();
    const third = await reconnect(room, second);
    assert.equal('resume' in (await third.take()), false);
  });

  it('keeps what was asked meanwhile, and repeats what may be repeated', async () => {
    const { room, connection } = await joinedRoom({ welcome: { peers: [peerView('p_a')] } });
    const lost = room.send('chat', 'was it heard?');
    const signal = room.signal('p_a', { k: 1 });
    await connection.takeType('signal');
    const broken = next(room, 'reconnecting');
    connection.cut();
    const { delayMs } = await broken;
    await rejects(lost, 'connection_lost');
    const waiting = room.send('chat', 'later');
    timers.advance(delayMs);
    const second = await server.accept();
    const { id } = await second.take();
    second.say(joined(id, { resumed: true, peers: [peerView('p_a')] }));
    const [first, then] = [await second.take(), await second.take()];
    assert.deepEqual([first.type, first.data], ['signal', { k: 1 }]);
    assert.deepEqual([then.type, then.data], ['message', 'later']);
    second.say({ type: 'ack', id: first.id, delivered: 1 }, { type: 'ack', id: then.id, delivered: 1 });
    await Promise.all([signal, waiting]);
  });

  it('is tried again after 0.5 s, and ever later up to 15 s, half of it by chance', async () => {
    const { room, connection } = await joinedRoom();
    const delays = [];
    room.on('reconnecting', ({ attempt, delayMs }) => {
      delays.push(delayMs);
      assert.equal(attempt, delays.length);
    });
    connection.cut();
    for (let attempt = 1; attempt <= 7; attempt += 1) {
      await until(`attempt ${attempt}`, () => delays.length === attempt);
      if (attempt === 6) timers.chance = 0;
      timers.advance(delays.at(-1));
      (await server.accept()).cut();
    }
    await until('the last delay', () => delays.length === 8);
    assert.deepEqual(delays, [500, 1000, 2000, 4000, 8000, 15_000, 7500, 7500]);
  });

  it('is noticed when the server has been silent for too long', async () => {
    const { room } = await joinedRoom();
    const broken = next(room, 'reconnecting');
    timers.advance(29_999);
    assert.equal(room.state, 'joined');
    timers.advance(1);
    assert.equal((await broken).reason, 'silence');
  });

  it('is no silence while pings come', async () => {
    const { room, connection } = await joinedRoom();
    for (let i = 1; i <= 4; i += 1) {
      timers.advance(15_000);
      connection.say({ type: 'ping', ts: i });
      await connection.takeType('pong');
    }
    assert.equal(room.state, 'joined');
  });

  it('is given up after the time that the application allows', async () => {
    const { room, connection } = await joinedRoom({ options: { reconnect: { giveUpAfterMs: 1400 } } });
    const closed = next(room, 'closed');
    connection.cut();
    for (const delay of [500, 1000]) {
      await until('a retry', () => timers.due.includes(delay));
      timers.advance(delay);
      (await server.accept()).cut();
    }
    assert.equal((await closed).code, 'unreachable');
    assert.deepEqual(timers.due, []);
  });

  it('closes the room at once when it is not to be reconnected', async () => {
    const { room, connection } = await joinedRoom({ options: { reconnect: false } });
    const closed = next(room, 'closed');
    const waiting = room.send('chat', 1);
    connection.cut();
    assert.equal((await closed).code, 'unreachable');
    await assert.rejects(waiting);
    await rejects(room.send('chat', 2), 'closed');
  });

  it('waits as long as the server says when that is longer', async () => {
    const { room, connection } = await joinedRoom();
    const second = await reconnect(room, connection);
    const { id } = await second.take();
    const broken = next(room, 'reconnecting');
    second.say({ type: 'error', id, code: 'rate_limited', message: 'slowly', retryAfterMs: 7000, fatal: true });
    assert.deepEqual(await broken, { attempt: 2, delayMs: 7000, reason: 'rate_limited' });
  });

  it('is no end when the server sends what is no message', async () => {
    const { room, connection } = await joinedRoom();
    const broken = next(room, 'reconnecting');
    connection.sayText('{"half":');
    await broken;
    assert.notEqual(await connection.end(), 1000);
  });
});

describe('The end', () => {
  for (const code of ['replaced', 'bad_message', 'forbidden', 'token_expired']) {
    it(`comes with a fatal ${code}`, async () => {
      const { room, connection } = await joinedRoom();
      const closed = next(room, 'closed');
      connection.say({ type: 'error', code, message: 'no more', retryAfterMs: null, fatal: true });
      const event = await closed;
      assert.deepEqual([event.code, event.error.code, event.error.fatal], [code, code, true]);
      assert.equal(room.state, 'closed');
      assert.deepEqual(timers.due, []);
    });
  }

  it('comes when we are kicked, told by a message or by the close frame alone', async () => {
    const first = await joinedRoom();
    const closed = next(first.room, 'closed');
    first.connection.say({ type: 'closed', code: 'kicked' });
    assert.deepEqual(await closed, { code: 'kicked', error: null });
    const second = await joinedRoom();
    const closedToo = next(second.room, 'closed');
    second.connection.close(4403, 'kicked');
    assert.equal((await closedToo).code, 'kicked');
  });

  it('is no end of the room when the error is fatal for the connection only', async () => {
    const { room, connection } = await joinedRoom();
    const broken = next(room, 'reconnecting');
    connection.say({ type: 'error', code: 'server_busy', message: 'later', retryAfterMs: null, fatal: true });
    await broken;
    assert.notEqual(await connection.end(), 1000, 'to the server, 1000 would mean that we left');
  });

  it('is told as an error when it is none', async () => {
    const { room, connection } = await joinedRoom();
    const error = next(room, 'error');
    connection.say({ type: 'error', code: 'bad_message', message: 'unknown type', retryAfterMs: null, fatal: false });
    assert.equal((await error).code, 'bad_message');
    assert.equal(room.state, 'joined');
  });

  it('comes with leave, once the server knows', async () => {
    const { room, connection } = await joinedRoom();
    const events = record(room, 'closed', 'reconnecting');
    const leaving = room.leave();
    const { id } = await connection.takeType('leave');
    assert.deepEqual(events, []);
    connection.say({ type: 'ack', id });
    connection.close(1000, 'left');
    await leaving;
    assert.deepEqual(events, [['closed', { code: 'left', error: null }]]);
    assert.equal(await connection.end(), 1000);
    assert.deepEqual(timers.due, []);
  });

  it('comes with leave when the server just closes', async () => {
    const { room, connection } = await joinedRoom();
    const events = record(room, 'closed', 'reconnecting');
    const leaving = room.leave();
    await connection.takeType('leave');
    connection.close(1000);
    await leaving;
    assert.deepEqual(events.map(([name]) => name), ['closed']);
  });

  it('comes with leave although the server does not answer', async () => {
    const { room, connection } = await joinedRoom();
    const leaving = room.leave();
    await connection.takeType('leave');
    timers.advance(2000);
    await leaving;
    assert.equal(room.state, 'closed');
  });

  it('comes with leave in the middle of a reconnect', async () => {
    const { room, connection } = await joinedRoom();
    const broken = next(room, 'reconnecting');
    connection.cut();
    await broken;
    await room.leave();
    assert.deepEqual(timers.due, []);
  });
});

/** A WebSocket without a network, that lets a test be the server. */
function fakeWebSocket(made) {
  return class extends EventTarget {
    readyState = 1;
    constructor(url) {
      super();
      made.push({ url, say: (message) => this.dispatchEvent(Object.assign(new Event('message'), { data: JSON.stringify(message) })) });
      queueMicrotask(() => this.dispatchEvent(new Event('open')));
    }
    send() {}
    close() {}
  };
}

describe('In a browser', () => {
  const browser = new EventTarget();
  before(() => {
    globalThis.addEventListener = browser.addEventListener.bind(browser);
    globalThis.removeEventListener = browser.removeEventListener.bind(browser);
  });
  after(() => {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  });

  it('a page that goes away leaves the room', async () => {
    const { room, connection } = await joinedRoom();
    browser.dispatchEvent(new Event('pagehide'));
    assert.equal(room.state, 'closed');
    await connection.takeType('leave');
    assert.equal(await connection.end(), 1000);
  });

  it('a page that goes away stays, if the application wants it', async () => {
    const { room } = await joinedRoom({ options: { leaveOnPageHide: false } });
    browser.dispatchEvent(new Event('pagehide'));
    assert.equal(room.state, 'joined');
  });

  it('a network that comes back is used at once', async () => {
    const { room, connection } = await joinedRoom();
    const broken = next(room, 'reconnecting');
    connection.cut();
    await broken;
    browser.dispatchEvent(new Event('online'));
    browser.dispatchEvent(new Event('online'));
    assert.equal((await (await server.accept()).take()).resume, 'rt_1');
    assert.equal(server.connections.length, 2);
  });
});

describe('A server that goes away', () => {
  it('cannot lead us from an encrypted connection to a plain one', async () => {
    const made = [];
    const joining = join('wss://one.example/', { room: 'demo', timers: timers.functions, WebSocket: fakeWebSocket(made) });
    made[0].say(joined('join'));
    rooms.push(await joining);
    for (const url of ['ws://plain.example/', 'https://no.example/']) {
      made[0].say({ type: 'goaway', reason: 'drain', reconnectAfterMs: 0, url });
    }
    timers.advance(500);
    assert.deepEqual(made.map(({ url }) => url), ['wss://one.example/', 'wss://one.example/']);
    made[1].say(joined('join', { resumed: true }));
    made[1].say({ type: 'goaway', reason: 'drain', reconnectAfterMs: 0, url: 'wss://two.example/' });
    timers.advance(500);
    assert.equal(made[2].url, 'wss://two.example/');
  });

  it('is left when it says so, and found again', async () => {
    const { room, connection } = await joinedRoom();
    const told = next(room, 'goaway');
    connection.say({ type: 'goaway', reason: 'drain', reconnectAfterMs: 1200 });
    assert.deepEqual(await told, { reason: 'drain', reconnectAfterMs: 1200, url: null });
    assert.equal(room.state, 'joined');
    timers.advance(1200);
    assert.equal(await connection.end(), 4001);
    timers.advance(500);
    const second = await server.accept();
    assert.equal((await second.take()).resume, 'rt_1');
  });

  it('names another one, which is tried first and then in turn with the old one', async () => {
    const other = await ScriptServer.start();
    const { room, connection } = await joinedRoom();
    const told = next(room, 'goaway');
    connection.say({ type: 'goaway', reason: 'drain', reconnectAfterMs: 0, url: other.url });
    await told;
    timers.advance(500);
    (await other.accept()).cut();
    await until('a second attempt', () => timers.due.includes(1000));
    timers.advance(1000);
    const back = await server.accept();
    const { id } = await back.take();
    const resumed = next(room, 'resumed');
    back.say(joined(id, { resumed: true }));
    await resumed;
    await other.stop();
  });
});
