// Many rooms at once, over turnpike.v1: what is sent arrives, once and in order, and what one member
// does wrong is felt by nobody else. script/bench rooms measures the same under load.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { explained } from './lib/logs.mjs';
import { Member } from './lib/rooms.mjs';
import { startServer } from './lib/server.mjs';

const oneMinuteMs = 60_000;
const burst = 50; // of one member at once; the server lets 200 pass

/// Every member of every room sends `burst` numbered messages, as fast as the socket takes them.
function allSpeak(rooms) {
  for (let n = 0; n < burst; n += 1) {
    for (const member of rooms.flat()) member.post('count', { n });
  }
}

/// Every member has heard every number of every other one of its room: none missing, none twice, in
/// order. And nothing of anybody else.
async function assertAllHeard(rooms) {
  for (const room of rooms) {
    for (const member of room) {
      const others = room.filter((other) => other !== member);
      await member.hears('message', burst * others.length);
      const numbers = Object.fromEntries(others.map(({ peer }) => [peer, []]));
      for (const { from, data } of member.told('message')) {
        assert.ok(numbers[from], `${from} is in another room`);
        numbers[from].push(data.n);
      }
      const expected = Array.from({ length: burst }, (_, n) => n);
      for (const [from, heard] of Object.entries(numbers)) assert.deepEqual(heard, expected, `from ${from}`);
      assert.deepEqual(member.told('error'), []);
    }
  }
}

describe('Many rooms', { timeout: 2 * oneMinuteMs }, () => {
  let server;
  let everybody = [];
  before(explained(async () => {
    server = await startServer({ signaling: { joins_per_minute: 0 } });
  }));
  afterEach(() => {
    for (const member of everybody) member.discard();
    everybody = [];
  });
  after(() => server?.discard());

  let opened = 0;
  /// A new room and its members.
  async function openRoom(members = 4) {
    opened += 1;
    const room = [];
    for (let i = 0; i < members; i += 1) {
      const member = await Member.join(`ws://127.0.0.1:${server.port}`, { room: `room ${opened}` });
      everybody.push(member);
      room.push(member);
      await member.joined();
    }
    return room;
  }

  async function openRooms(count) {
    const rooms = [];
    for (let i = 0; i < count; i += 1) rooms.push(await openRoom());
    return rooms;
  }

  it('20 rooms of 4, each member sending 50 messages at once: nothing is lost, doubled or out of order', explained(async () => {
    const rooms = await openRooms(20);
    allSpeak(rooms);
    await assertAllHeard(rooms);
  }));

  it('a slow reader is closed with 1013; its room goes on and the others lose nothing [H16]', explained(async () => {
    const others = await openRooms(5);
    const [slow, first, second] = await openRoom(3);
    slow.socket.pause();
    allSpeak(others);

    // One at a time, so that only the one that does not read falls behind: the kernel's buffers for it
    // fill up, then its queue in the server.
    const large = 'x'.repeat(60_000);
    let sent = 0;
    while (first.told('peer-away').length === 0) {
      assert.ok(sent < 350, `${sent} large messages, and the slow reader is still there`);
      const [from, to] = sent % 2 === 0 ? [first, second] : [second, first];
      sent += 1;
      from.post('large', { sent, large }, sent);
      await to.hears('message', Math.ceil(sent / 2));
    }
    assert.equal(first.told('peer-away')[0].peer, slow.peer);
    slow.socket.resume();
    assert.equal(await slow.closed(), 1013);
    const seen = slow.told('message').map(({ data }) => data.sent);
    assert.deepEqual(seen, seen.map((_, i) => i + 1), 'what it did get has no gap');

    await second.hears('peer-away');
    first.post('on', null, 'last');
    const ofFirst = Math.ceil(sent / 2) + 1;
    assert.equal((await second.hears('message', ofFirst)).at(-1).event, 'on');
    assert.deepEqual((await first.hears('ack', ofFirst)).at(-1), { type: 'ack', id: 'last', delivered: 1 });
    await assertAllHeard(others);
  }));

  it('a flooder is refused and then closed with 4429; the others lose nothing [H15] [H19]', explained(async () => {
    const others = await openRooms(5);
    const [flooder, ...fellows] = await openRoom();
    for (let n = 0; n < 1000; n += 1) flooder.post('flood', { n }, n);
    allSpeak(others);

    assert.equal(await flooder.closed(), 4429);
    const errors = flooder.told('error');
    assert.ok(errors.every(({ code }) => code === 'rate_limited'));
    assert.ok(errors.some(({ fatal, retryAfterMs }) => !fatal && retryAfterMs > 0), 'it was warned');
    assert.ok(errors.at(-1).fatal);

    // What was acknowledged has arrived, what was refused has not.
    const passed = flooder.told('ack').map(({ id }) => id);
    assert.ok(passed.length >= 200 && passed.length < 1000, `${passed.length} passed`);
    for (const fellow of fellows) {
      await fellow.hears('peer-away');
      assert.deepEqual(fellow.told('message').map(({ data }) => data.n), passed);
    }
    await assertAllHeard(others);
    allSpeak([fellows]);
    for (const fellow of fellows) await fellow.hears('message', passed.length + 2 * burst);
  }));
});
