// The client against the real server, where TURNPIKE_BINARY names one: what the scripted servers of
// the other tests say is what it says.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { join } from '../turnpike.js';
import { backends } from './lib/backends.mjs';
import { next } from './lib/events.mjs';

const { start, skip } = backends[1];
const patienceMs = 60_000;

describe('Over turnpike serve', { skip }, () => {
  let backend;
  before(async () => {
    backend = await start();
  });
  after(() => backend?.stop());

  let rooms = 0;
  /** Two in a room of their own; the first one owns it. */
  async function two() {
    rooms += 1;
    const enter = (name) => join(backend.url, { room: `room ${rooms}`, name, meta: { name }, WebSocket, timeoutMs: patienceMs });
    const mina = await enter('Mina');
    const joined = next(mina, 'peer-joined', undefined, patienceMs);
    const jun = await enter('Jun');
    await joined;
    return { mina, jun, minaSeen: [...jun.peers.values()][0], junSeen: [...mina.peers.values()][0] };
  }

  it('both know each other, their roles, and where to relay', async () => {
    const { mina, jun, minaSeen, junSeen } = await two();
    assert.deepEqual([junSeen.name, junSeen.meta, junSeen.offer, junSeen.polite], ['Jun', { name: 'Jun' }, false, true]);
    assert.deepEqual([minaSeen.name, minaSeen.offer, minaSeen.polite], ['Mina', true, false]);
    assert.equal(mina.self.role, 'owner');
    assert.ok(jun.iceExpiresAt > Date.now());
    assert.ok((await jun.refreshIce()).iceServers.some(({ credential }) => credential));
    await Promise.all([mina.leave(), jun.leave()]);
  });

  it('messages, signals and updates arrive, and what is refused rejects', async () => {
    const { mina, jun, junSeen } = await two();
    const heard = ['message', 'signal', 'peer-updated'].map((event) => next(jun, event, undefined, patienceMs));
    assert.deepEqual(await mina.send('chat', { text: '안녕' }), { delivered: 1 });
    await mina.signal(junSeen, { candidate: null });
    await mina.update({ mic: false });
    await mina.reportPath(junSeen, { local: 'relay', remote: 'host', protocol: 'udp', relayProtocol: 'tls', rttMs: 3 });
    const [message, signal, updated] = await Promise.all(heard);
    assert.deepEqual(message.data, { text: '안녕' });
    assert.deepEqual(signal.data, { candidate: null });
    assert.deepEqual(updated.peer.meta, { mic: false });
    await assert.rejects(jun.lock(), { code: 'forbidden', fatal: false });
    const closed = next(jun, 'closed', undefined, patienceMs);
    await mina.kick(junSeen);
    assert.equal((await closed).code, 'kicked');
    await mina.leave();
  });

  it('a restart of the server leaves everybody who they were', async () => {
    const { mina, jun, junSeen } = await two();
    const back = [mina, jun].map((room) => next(room, 'resumed', undefined, patienceMs));
    await backend.restart();
    assert.deepEqual(await Promise.all(back), [{ rejoined: true }, { rejoined: true }]);
    if (junSeen.away) await next(mina, 'peer-back', undefined, patienceMs);
    assert.equal([...mina.peers.values()][0], junSeen);
    assert.deepEqual(await mina.send('still', null, { to: junSeen }), { delivered: 1 });
    const ended = next(jun, 'closed', undefined, patienceMs);
    await (mina.self.role === 'owner' ? mina : jun).end();
    assert.equal((await ended).code, 'room_ended');
  });
});
