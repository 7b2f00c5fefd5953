// Faults of the host under a running server: it does not spin, and calls go on.

import assert from 'node:assert/strict';
import { on } from 'node:events';
import net from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { cpuSeconds, Faults, suspend } from './lib/faults.mjs';
import { explained } from './lib/logs.mjs';
import { freePort } from './lib/ports.mjs';
import { ask } from './lib/rooms.mjs';
import { mintRestCredential, startServer } from './lib/server.mjs';
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
      environment: its.faults.environment, http: true, metricsListen: `127.0.0.1:${its.metricsPort}`,
      options: ['--set', `control.socket=${its.socket}`],
    });
    its.clients = [];
    for (const name of ['alice', 'bob']) {
      its.clients.push(await TurnClient.allocate(its.server.port, mintRestCredential(name)));
    }
    assert.equal(await relayBetween(...its.clients, 'before'), 'before');
  }));

  afterEach(async () => {
    for (const client of its.clients) client.discard();
    await its.server.discard();
    rmSync(its.directory, { recursive: true, force: true });
  });

  const allocate = () => TurnClient.allocate(its.server.port, mintRestCredential('carol'));

  /// Of the two clients, who have permissions for each other already.
  function relayPermitted(payload) {
    const [from, to] = its.clients;
    const arrival = to.receive();
    from.sendTo(to.relayed, payload);
    return arrival;
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
    const before = [cpuSeconds(its.server.process.pid), performance.now()];
    const struckBefore = its.faults.struck();
    await until('accepting to fail again', () => its.faults.struck() > struckBefore + 4);
    assert.equal(await relayBetween(...its.clients, 'meanwhile'), 'meanwhile');
    const share = (cpuSeconds(its.server.process.pid) - before[0]) / ((performance.now() - before[1]) / 1000);
    assert.ok(share < 0.25, `${share} of a processor`);
    const told = its.server.process.log.text.match(/"event":"accept_failed"/g);
    assert.equal(told.length, 1, 'one line, however often and in however many threads');
    its.faults.set();
    assert.equal((await ask(`http://127.0.0.1:${its.metricsPort}`, { path: '/metrics' })).status, 200);
    for (const connection of connections) connection.destroy();
    await its.server.stop();
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
      (await allocate()).discard();
    }));
  }

  for (const faults of [['recvmmsg:partial'], ['epoll_wait:EINTR:every=2']]) {
    it(`[Q11] relays as ever with ${faults}`, explained(async () => {
      its.faults.set(...faults);
      for (let i = 0; i < 20; i += 1) assert.equal(await relayBetween(...its.clients, `${i}`), `${i}`);
      assert.ok(its.faults.struck() > 0);
    }));
  }

  it('[Q11] sends what the kernel left of a batch', explained(async () => {
    its.faults.set('sendmmsg:partial');
    const [from, to] = its.clients;
    // Each longer than the one before: else they would leave as a train, which is one message.
    const sent = Array.from({ length: 10 }, (_, i) => 'x'.repeat(i + 1));
    await suspend(its.server.process);
    const arrivals = on(to.socket, 'message', { signal: AbortSignal.timeout(5_000) });
    for (const payload of sent) from.sendTo(to.relayed, payload);
    await setTimeout(100); // for Node.js to hand them to the kernel
    its.server.process.kill('SIGCONT');
    for (const payload of sent) assert.equal(payloadOf((await arrivals.next()).value[0]), payload);
    assert.ok(its.faults.struck() > 0);
  }));

  for (const offset of [86_400 * 2, -86_400 * 2, -Math.floor(Date.now() / 1000)]) {
    it(`[X07] keeps calls, and refuses time-limited credentials, when the clock jumps by ${offset} s`, explained(async () => {
      its.faults.set(`clock_gettime:offset=${offset}`);
      for (let i = 0; i < 5; i += 1) assert.equal(await relayPermitted(`${i}`), `${i}`);
      await assert.rejects(allocate(), /401/);
      its.faults.set();
      (await allocate()).discard();
    }));
  }

  it('[X08] goes on after it was stopped and continued', explained(async () => {
    await suspend(its.server.process);
    const arrival = relayPermitted('kept');
    await assert.rejects(within(1_000, 'a stopped server', arrival), /a stopped server/);
    its.server.process.kill('SIGCONT');
    assert.equal(await arrival, 'kept');
    assert.equal(await relayBetween(...its.clients, 'next'), 'next');
    await its.server.stop();
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
});
