// Faults of the host under a running server: it does not spin, and calls go on.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import dgram from 'node:dgram';
import { on, once } from 'node:events';
import net from 'node:net';
import {
  closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmdirSync, rmSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Faults, shareOfProcessor, suspend } from './lib/faults.mjs';
import { descriptorsOf } from './lib/holdings.mjs';
import { explained } from './lib/logs.mjs';
import { freePort } from './lib/ports.mjs';
import { run } from './lib/process.mjs';
import { ask } from './lib/rooms.mjs';
import { mintRestCredential, startServer, turnpike } from './lib/server.mjs';
import { encode, messageType } from './lib/stun.mjs';
import { payloadOf, relayBetween, TurnClient } from './lib/turn_client.mjs';
import { until, within } from './lib/until.mjs';

describe('A server in a faulty host', { timeout: 60_000 }, () => {
  const its = {};

  beforeEach(explained(async () => {
    its.faults = await Faults.prepare();
    its.directory = mkdtempSync(path.join(tmpdir(), 'turnpike-faults-'));
    its.socket = path.join(its.directory, 'control.sock');
    its.metricsPort = await freePort();
    its.server = await startServer({
      environment: { ...its.faults.environment, TURNPIKE__AUTH__NONCE_LIFETIME: '1h' },
      http: true, metricsListen: `127.0.0.1:${its.metricsPort}`,
      options: ['--set', `control.socket=${its.socket}`],
    });
    its.clients = [];
    for (const name of ['alice', 'bob']) {
      its.clients.push(await TurnClient.allocate(its.server.port, mintRestCredential(name)));
    }
    assert.equal(await relayBetween(...its.clients, 'before'), 'before');
    its.descriptors = descriptorsOf(its.server.process.pid);
    its.lasting = []; // faults that cannot be taken back
  }));

  afterEach(explained(async () => {
    try {
      if (!its.server.process.hasEnded()) await checkThatItIsWell();
    } finally {
      for (const client of its.clients) client.discard();
      await its.server.discard();
      rmSync(its.directory, { recursive: true, force: true });
    }
  }));

  /// After every fault: what was opened meanwhile is closed again, calls go on, and it ends in order.
  async function checkThatItIsWell() {
    its.faults.set(...its.lasting);
    const { pid } = its.server.process;
    const describe = () => `${descriptorsOf(pid)} descriptors, not ${its.descriptors}`;
    await until('as many descriptors as before', () => descriptorsOf(pid) === its.descriptors, { describe });
    assert.equal(await relayBetween(...its.clients, 'after'), 'after');
    await its.server.stop();
  }

  const allocate = () => TurnClient.allocate(its.server.port, mintRestCredential('carol'));

  /// Of the two clients, who have permissions for each other already.
  async function relayPermitted(payload) {
    const [from, to] = its.clients;
    const arrival = to.receive();
    await from.sendTo(to.relayed, payload);
    return arrival;
  }

  /// How many datagrams did not leave, for that reason.
  async function unsent(reason) {
    const { body } = await ask(`http://127.0.0.1:${its.metricsPort}`, { path: '/metrics' });
    return Number(body.toString().match(new RegExp(`turnpike_send_dropped_total{reason="${reason}"} (\\d+)`))[1]);
  }

  /// Has the server read `count` datagrams in a batch or two, each longer than the one before, padding
  /// and all: else they would leave as a train, which is one message.
  async function sendBatch(count) {
    const [from, to] = its.clients;
    const payloads = Array.from({ length: count }, (_, i) => 'x'.repeat(4 * (i + 1)));
    await suspend(its.server.process);
    for (const payload of payloads) await from.sendTo(to.relayed, payload);
    its.server.process.kill('SIGCONT');
    return payloads;
  }

  /// Two connections that wait when the server looks again, one at each of two listeners.
  async function connectToTwoListeners() {
    await suspend(its.server.process);
    const connections = [its.server.httpPort, its.metricsPort].map((port) => net.connect(port, '127.0.0.1'));
    for (const connection of connections) connection.on('error', () => {});
    return Promise.all(connections.map((c) => new Promise((resolve) => c.on('connect', () => resolve(c))))).then((all) => {
      its.server.process.kill('SIGCONT');
      return all;
    });
  }

  it('[Q11] pauses accepting without descriptors, goes on relaying, and takes who has waited', explained(async () => {
    its.faults.set('accept4:EMFILE');
    const connections = await connectToTwoListeners();
    await until('accepting to fail more than once', () => its.faults.struck() > 3);
    const share = await shareOfProcessor(its.server.process.pid, async () => {
      const struckBefore = its.faults.struck();
      await until('accepting to fail again', () => its.faults.struck() > struckBefore + 4);
      assert.equal(await relayBetween(...its.clients, 'meanwhile'), 'meanwhile');
    });
    assert.ok(share < 0.25, `${share} of a processor`);
    const told = its.server.process.log.text.match(/"event":"accept_failed"/g);
    assert.equal(told.length, 1, 'one line, however often and in however many threads');
    its.faults.set();
    assert.equal((await ask(`http://127.0.0.1:${its.metricsPort}`, { path: '/metrics' })).status, 200);
    for (const connection of connections) connection.destroy();
  }));

  it('[Q11] [X12] ends in order when it is told to while it has no descriptors', explained(async () => {
    its.faults.set('accept4:EMFILE');
    const connections = await connectToTwoListeners();
    await until('accepting to fail', () => its.faults.struck() > 0);
    its.server.process.kill('SIGTERM');
    const end = await within(5_000, 'the server to end', its.server.process.ended);
    assert.deepEqual(end, { code: 0, signal: null });
    for (const connection of connections) connection.destroy();
  }));

  for (const fault of ['socket:EMFILE', 'bind:EADDRNOTAVAIL', 'epoll_ctl:ENOSPC']) {
    it(`[Q11]${fault.startsWith('bind') ? ' [X09]' : ''} answers an Allocate with 508 while ${fault}`, explained(async () => {
      its.faults.set(fault);
      await assert.rejects(allocate(), /508/);
      assert.ok(its.faults.struck() > 0);
      assert.equal(await relayBetween(...its.clients, 'meanwhile'), 'meanwhile');
      its.faults.set();
      await (await allocate()).end();
    }));
  }

  it('[Q11] answers an Allocate with 508 at its limit of descriptors, and goes on relaying', explained(async () => {
    const { pid } = its.server.process;
    const setLimit = (limit) => run('prlimit', 'prlimit', ['--pid', `${pid}`, `--nofile=${limit}:`]);
    const before = execFileSync('prlimit', ['--pid', `${pid}`, '--nofile', '--noheadings', '--output=SOFT'], { encoding: 'utf8' }).trim();
    assert.equal((await setLimit(its.descriptors + 5)).code, 0);
    const more = [];
    await assert.rejects(async () => {
      for (let i = 0; i < 20; i += 1) more.push(await allocate());
    }, /508/);
    assert.equal(await relayBetween(...its.clients, 'meanwhile'), 'meanwhile');
    assert.equal((await setLimit(before)).code, 0);
    more.push(await allocate());
    for (const client of more) await client.end();
  }));

  for (const faults of [['recvmmsg:partial'], ['epoll_wait:EINTR:every=2']]) {
    it(`[Q11] relays as ever with ${faults}`, explained(async () => {
      its.faults.set(...faults);
      for (let i = 0; i < 20; i += 1) assert.equal(await relayBetween(...its.clients, `${i}`), `${i}`);
      assert.ok(its.faults.struck() > 0);
    }));
  }

  it('[Q11] sends what the kernel left of a batch', explained(async () => {
    its.faults.set('sendmmsg:partial');
    const arrivals = on(its.clients[1].socket, 'message', { signal: AbortSignal.timeout(5_000) });
    for (const payload of await sendBatch(10)) assert.equal(payloadOf((await arrivals.next()).value[0]), payload);
    assert.ok(its.faults.struck() > 0);
  }));

  // A refused datagram is tried twice: the first error may be about an earlier one.
  const unsentBy = { ENOBUFS: { reason: 'full', attempts: 1 }, EPERM: { reason: 'refused', attempts: 2 } };
  const binding = () => encode({ type: messageType.bindingRequest });
  const sends = {
    sendto: () => its.clients[0].send(binding()), // the answer is in one piece
    sendmsg: () => its.clients[0].sendTo(its.clients[1].relayed, 'lost'), // header and payload are not
  };
  for (const [call, send] of Object.entries(sends)) {
    for (const [error, { reason, attempts }] of Object.entries(unsentBy)) {
      it(`[Q11] drops and counts what is not sent while ${call} fails with ${error}, and does not spin`, explained(async () => {
        its.faults.set(`${call}:${error}`);
        const before = await unsent(reason);
        const share = await shareOfProcessor(its.server.process.pid, async () => {
          for (let sent = 1; sent <= 20; sent += 1) {
            await send();
            await until('sending to fail', () => its.faults.struck() >= sent * attempts, { everyMs: 5 });
          }
        });
        await until('what was dropped to be counted', async () => (await unsent(reason)) === before + 20);
        assert.equal(its.faults.struck(), 20 * attempts);
        assert.ok(share < 0.25, `${share} of a processor`);
        its.faults.set();
        assert.equal(await relayPermitted('next'), 'next', 'and nothing that was dropped before it');
      }));
    }
  }

  it('[Q11] drops what is left of a batch when there is no room for it', explained(async () => {
    its.faults.set('sendmmsg:partial:times=1', 'sendmmsg:ENOBUFS', 'sendmsg:ENOBUFS');
    const before = await unsent('full');
    const arrival = its.clients[1].receive(); // the first of the batch that is sent in part
    await sendBatch(10);
    await arrival;
    await until('what was dropped to be counted', async () => (await unsent('full')) === before + 9);
    assert.ok(its.faults.struck(1) > 0);
  }));

  it('[Q11] drops one by one what is refused of a batch', explained(async () => {
    its.faults.set('sendmmsg:EPERM', 'sendmsg:EPERM');
    const before = await unsent('refused');
    await sendBatch(10);
    await until('what was dropped to be counted', async () => (await unsent('refused')) === before + 10);
    assert.equal(its.faults.struck(0) + its.faults.struck(1), 2 * 10);
  }));

  for (const error of ['ENOBUFS', 'EPERM']) {
    it(`[Q11] ends a connection that cannot be written to (${error}), and no other`, explained(async () => {
      const other = net.connect(its.server.port, '127.0.0.1');
      await once(other, 'connect');
      its.faults.set(`send:${error}:times=1`);
      const connection = net.connect(its.server.port, '127.0.0.1', () => connection.write(binding()));
      await within(5_000, 'the connection to end', once(connection, 'close'));
      other.write(binding());
      await within(5_000, 'an answer', once(other, 'data'));
      other.destroy();
    }));
  }

  for (const offset of [86_400 * 2, -86_400 * 2, -Math.floor(Date.now() / 1000)]) {
    it(`[X07] keeps calls, and refuses time-limited credentials, when the clock jumps by ${offset} s`, explained(async () => {
      its.faults.set(`clock_gettime:offset=${offset}`);
      for (let i = 0; i < 5; i += 1) assert.equal(await relayPermitted(`${i}`), `${i}`);
      await assert.rejects(allocate(), /401/);
      its.faults.set();
      await (await allocate()).end();
    }));
  }

  it('[X08] goes on after it was stopped and continued', explained(async () => {
    await suspend(its.server.process);
    const arrival = relayPermitted('kept');
    await assert.rejects(within(1_000, 'a stopped server', arrival), /a stopped server/);
    its.server.process.kill('SIGCONT');
    assert.equal(await arrival, 'kept');
    assert.equal(await relayBetween(...its.clients, 'next'), 'next');
  }));

  it('[X08] sweeps what has run out while it was stopped, and nothing else', explained(async () => {
    const patient = await allocate();
    await patient.refresh(3600);
    await suspend(its.server.process);
    its.lasting = ['boottime:offset=601']; // this clock never goes back
    its.faults.set(...its.lasting);
    its.server.process.kill('SIGCONT');
    await patient.refresh(3600);
    for (const client of its.clients) await assert.rejects(client.refresh(600), /437/);
    its.clients = [patient, await allocate()];
    assert.equal(await relayBetween(...its.clients, 'later'), 'later');
  }));
});

describe('A server whose name server is slow', { timeout: 60_000 }, () => {
  it('[X06] [X12] ends at once when it is told to while the hook is being looked up', explained(async () => {
    const faults = await Faults.prepare();
    faults.set('getaddrinfo:late:delay=20000');
    const server = await startServer({ environment: { ...faults.environment, TURNPIKE__AUTH__HOOK: 'https://hook.test/' } });
    const asked = TurnClient.allocate(server.port, { username: 'dora', credential: 'guess' });
    asked.catch(() => {}); // nobody answers
    await until('the hook to be looked up', () => faults.struck() > 0);
    server.process.kill('SIGTERM');
    const end = await within(3_000, 'the server to end', server.process.ended);
    assert.deepEqual(end, { code: 0, signal: null });
    await server.discard();
  }));

  it('[X06] relays, and lets in whom it knows without it', explained(async () => {
    const faults = await Faults.prepare();
    faults.set('getaddrinfo:late:delay=20000');
    const server = await startServer({ environment: { ...faults.environment, TURNPIKE__AUTH__HOOK: 'https://hook.test/' } });
    const clients = [await TurnClient.allocate(server.port, mintRestCredential('alice'))];
    const asked = TurnClient.allocate(server.port, { username: 'dora', credential: 'guess' });
    asked.catch(() => {}); // nobody answers
    try {
      await until('the hook to be looked up', () => faults.struck() > 0);
      clients.push(await TurnClient.allocate(server.port, mintRestCredential('bob')));
      assert.equal(await relayBetween(...clients, 'meanwhile'), 'meanwhile');
    } finally {
      for (const client of clients) client.discard();
      await server.discard();
    }
  }));
});

/// A control group of its own for the memory of one process, of whichever version there is.
class MemoryGroup {
  static #kinds = [
    { top: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes', inUse: 'memory.usage_in_bytes', prefix: 'total_', none: '-1' },
    { top: '/sys/fs/cgroup', limit: 'memory.max', inUse: 'memory.current', prefix: '', none: 'max' },
  ];

  /// Undefined where none can be made.
  static make() {
    const kind = MemoryGroup.#kinds.find(({ top }) => existsSync(path.join(top, 'cgroup.procs')));
    const folder = kind && path.join(kind.top, `turnpike-e2e-${process.pid}`);
    try {
      mkdirSync(folder);
    } catch {
      return undefined;
    }
    if (existsSync(path.join(folder, kind.limit))) return new MemoryGroup(kind, folder);
    rmdirSync(folder);
    return undefined;
  }

  constructor(kind, folder) {
    Object.assign(this, kind, { folder });
  }

  /// Writes a program to `file` that is `program` in this group.
  wrap(program, file) {
    const procs = path.join(this.folder, 'cgroup.procs');
    writeFileSync(file, `#!/bin/sh\necho $$ > ${procs} && exec ${program} "$@"\n`, { mode: 0o700 });
    return file;
  }

  /// What is held, but for pages of files.
  held() {
    const read = (name) => readFileSync(path.join(this.folder, name), 'utf8');
    const pages = (kind) => Number(read('memory.stat').match(new RegExp(`^${this.prefix}${kind}_file (\\d+)`, 'm'))[1]);
    return Number(read(this.inUse)) - pages('active') - pages('inactive');
  }

  /// So that `share` of the limit is held now; nothing: no limit.
  setLimit(share) {
    const limit = share ? `${Math.round(this.held() / share)}` : this.none;
    writeFileSync(path.join(this.folder, this.limit), limit);
  }

  remove() {
    rmdirSync(this.folder);
  }
}

describe('A server whose memory runs out', { timeout: 60_000 }, () => {
  /// `setLimit(pid, share)` has so much of a limit in use, or lifts it. Started with `binary`, if there is one.
  async function checkShortage(setLimit, binary) {
    const metricsListen = `127.0.0.1:${await freePort()}`;
    const server = await startServer({ binary, metricsListen });
    const { pid } = server.process;
    const allocate = () => TurnClient.allocate(server.port, mintRestCredential('carol'));
    const clients = [await allocate(), await allocate()];
    try {
      const ready = async () => (await ask(`http://${metricsListen}`, { path: '/readyz' })).body.toString();
      assert.equal(await ready(), 'ready\n');
      assert.equal(await relayBetween(...clients, 'before'), 'before');
      setLimit(pid, 0.92);
      await until('it to notice', async () => (await ready()).startsWith('memory: '));
      await assert.rejects(allocate(), /508/);
      assert.equal(await relayBetween(...clients, 'meanwhile'), 'meanwhile');
      setLimit(pid);
      await until('it to notice', async () => (await ready()) === 'ready\n');
      await (await allocate()).end();
      assert.match(server.process.log.text, /"event":"memory_short"[^]*"event":"memory_enough"/);
      await server.stop();
    } finally {
      for (const client of clients) client.discard();
      await server.discard();
      await server.process.ended;
    }
  }

  it('[X13] lets nobody in, says so, keeps its calls, and goes on when there is more', explained(async (context) => {
    const group = MemoryGroup.make();
    if (!group) {
      context?.skip('no right to make control groups');
      return;
    }
    const directory = mkdtempSync(path.join(tmpdir(), 'turnpike-memory-'));
    try {
      await checkShortage((pid, share) => group.setLimit(share), group.wrap(turnpike(), path.join(directory, 'turnpike')));
    } finally {
      group.remove();
      rmSync(directory, { recursive: true, force: true });
    }
  }));

  it('[X13] does the same at the end of its address space', explained(async () => {
    await checkShortage((pid, share) => {
      const kB = Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmSize:\s+(\d+)/)[1]);
      const limit = share ? Math.round((kB * 1024) / share) : 'unlimited';
      execFileSync('prlimit', ['--pid', pid, `--as=${limit}:`]);
    });
  }));
});

describe('A server whose log nobody reads', { timeout: 60_000 }, () => {
  it('[X01] goes on, and ends when it is told to', explained(async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'turnpike-log-'));
    const log = path.join(directory, 'log');
    execFileSync('mkfifo', [log]);
    const pipe = openSync(log, 'r+'); // open, so that writers do not wait for a reader; never read
    const program = path.join(directory, 'turnpike');
    writeFileSync(program, `#!/bin/sh\nexec ${turnpike()} "$@" 2> ${log}\n`, { mode: 0o700 });
    const server = await startServer({ binary: program, workers: 1 });
    const allocate = (name) => TurnClient.allocate(server.port, mintRestCredential(name));
    const clients = [await allocate('alice'), await allocate('bob')];
    try {
      // Two lines each, of some 250 bytes: more than the 64 KiB that a pipe holds.
      for (let i = 0; i < 300; i += 1) await (await allocate('carol')).end();
      assert.equal(await relayBetween(...clients, 'meanwhile'), 'meanwhile');
      server.process.kill('SIGTERM');
      const end = await within(10_000, 'the server to end', server.process.ended);
      assert.deepEqual(end, { code: 0, signal: null });
    } finally {
      for (const client of clients) client.discard();
      await server.discard();
      closeSync(pipe);
      rmSync(directory, { recursive: true, force: true });
    }
  }));
});

/// Addresses of the loopback interface that may come and go. ./own_network gives each test file one.
const changeAddress = (verb, address) => execFileSync('ip', ['addr', verb, `${address}/32`, 'dev', 'lo']);

function skippedWithoutNetwork(context) {
  if (process.env.OWN_NETWORK) return false;
  context?.skip('no network of its own');
  return true;
}

describe('A server whose address goes away', { timeout: 60_000 }, () => {
  const relayAddress = '11.22.0.1';
  const peerAddress = '11.22.0.2';

  it('[X09] loses what it would send from there, keeps its calls, and goes on when it is back', explained(async (context) => {
    if (skippedWithoutNetwork(context)) return;
    for (const address of [relayAddress, peerAddress]) changeAddress('add', address);
    const metricsListen = `127.0.0.1:${await freePort()}`;
    const server = await startServer({
      relaying: { addresses: [relayAddress] }, allowPeers: [`${peerAddress}/32`], metricsListen,
    });
    const allocate = (name) => TurnClient.allocate(server.port, mintRestCredential(name));
    const clients = [await allocate('alice'), await allocate('bob')];
    const peer = dgram.createSocket('udp4').on('message', (bytes, from) => peer.send(bytes, from.port, from.address));
    try {
      await once(peer.bind(0, peerAddress), 'listening');
      const at = { address: peerAddress, port: peer.address().port };
      const echo = async (payload) => {
        const arrival = clients[0].receive();
        await clients[0].sendTo(at, payload);
        return arrival;
      };
      const refused = async () => {
        const { body } = await ask(`http://${metricsListen}`, { path: '/metrics' });
        return Number(body.toString().match(/send_dropped_total{reason="refused"} (\d+)/)[1]);
      };
      await clients[0].permit(at);
      assert.equal(await echo('before'), 'before');
      const descriptors = descriptorsOf(server.process.pid);

      changeAddress('del', relayAddress);
      for (let i = 0; i < 20; i += 1) await clients[0].sendTo(at, 'lost');
      await until('what was not sent to be counted', async () => (await refused()) === 20);
      await assert.rejects(allocate('carol'), /508/);
      assert.equal(await relayBetween(...clients, 'inside'), 'inside', 'which needs no socket');
      await until('no descriptor more', () => descriptorsOf(server.process.pid) === descriptors);

      changeAddress('add', relayAddress);
      assert.equal(await echo('after'), 'after');
      await (await allocate('carol')).end();
      await server.stop();
    } finally {
      peer.close();
      for (const client of clients) client.discard();
      await server.discard();
    }
  }));

  it('[X09] serves on at its other addresses while a listener has lost its own, and there again when it is back', explained(async (context) => {
    if (skippedWithoutNetwork(context)) return;
    const host = '11.22.0.3';
    changeAddress('add', host);
    const server = await startServer({ alsoListenOn: [host] });
    const clients = [];
    try {
      clients.push(await TurnClient.allocate(server.port, mintRestCredential('alice'), { host }));
      clients.push(await TurnClient.allocate(server.port, mintRestCredential('bob')));
      const [away, here] = clients;
      assert.equal(await relayBetween(away, here, 'before'), 'before');

      changeAddress('del', host);
      const share = await shareOfProcessor(server.process.pid, async () => {
        for (let i = 0; i < 20; i += 1) await here.sendTo(away.relayed, 'lost');
        const carol = await TurnClient.allocate(server.port, mintRestCredential('carol'));
        assert.equal(await relayBetween(here, carol, 'meanwhile'), 'meanwhile');
        await carol.end();
        await pause(500); // to see whether it spins
      });
      assert.ok(share < 0.25, `${share} of a processor`);

      changeAddress('add', host);
      assert.equal(await relayBetween(here, away, 'after'), 'after');
      assert.equal(await relayBetween(away, here, 'after, too'), 'after, too');
      await away.end();
      await server.stop();
    } finally {
      for (const client of clients) client.discard();
      await server.discard();
    }
  }));
});
