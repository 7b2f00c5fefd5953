// A running server reads its configuration again: SIGHUP, `turnpike reload`, POST /v1/reload.

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeCertificate } from './lib/certificate.mjs';
import { Connection } from './lib/connection.mjs';
import { explained } from './lib/logs.mjs';
import { freePort } from './lib/ports.mjs';
import { run } from './lib/process.mjs';
import { mintRestCredential, restSecret, startServer, turnpike } from './lib/server.mjs';
import { attributeType, messageType, xorAddresses } from './lib/stun.mjs';
import { relayBetween, TurnClient } from './lib/turn_client.mjs';
import { until } from './lib/until.mjs';

const directory = mkdtempSync(path.join(tmpdir(), 'turnpike-e2e-reload-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

/// An IPv4 address of this host that is not loopback, whose peers no rule opens by itself.
const ownAddress = Object.values(networkInterfaces()).flat()
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

let sockets = 0;

/// A server with a control socket of its own; `reload` and `status` are commands to it.
async function startReloadable(settings = {}) {
  const socket = path.join(directory, `${(sockets += 1)}.sock`);
  const metrics = `127.0.0.1:${await freePort()}`;
  const server = await startServer({
    ...settings, metricsListen: metrics, options: ['--set', `control.socket=${socket}`],
  });
  const command = (...args) => run('turnpike', turnpike(), [...args, '--socket', socket, '--output', 'json']);
  const report = ({ code, output }) => {
    const json = output.split('\n').find((line) => line.startsWith('{'));
    return { code, output, ...(json && JSON.parse(json)) };
  };
  return Object.assign(Object.create(server), {
    reload: async () => report(await command('reload')),
    metric: async (name) => {
      const text = await (await fetch(`http://${metrics}/metrics`)).text();
      return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
    },
  });
}

const client = (server, name, options) => TurnClient.allocate(server.port, mintRestCredential(name, options));

describe('A reload', { timeout: 120_000 }, () => {
  let server;
  before(explained(async () => {
    server = await startReloadable({ relaying: { max_allocations_per_user: 3 } });
  }));
  after(() => server?.discard());

  it('by SIGHUP changes a limit for the next client', explained(async () => {
    const mina = await client(server, 'mina');
    await server.reconfigure({ relaying: { max_allocations_per_user: 1 } });
    server.process.kill('SIGHUP');
    await until('the reload', () => server.process.log.text.includes('"event":"reloaded"'));
    await assert.rejects(client(server, 'mina'), /486/);
    (await client(server, 'theo')).discard();
    mina.discard();
  }));

  it('by the command says what has changed, and what needs a restart', explained(async () => {
    await server.reconfigure({ relaying: { max_allocations_per_user: 2 }, mobility: true, limits: { challenge_rate: 9 } });
    const { code, reloaded, changed, needsRestart } = await server.reload();
    assert.equal(code, 0);
    assert.equal(reloaded, true);
    assert.deepEqual(changed, ['relay.max_allocations_per_user']);
    assert.ok(needsRestart.includes('relay.mobility'), needsRestart.join());
    assert.equal(await server.metric('turnpike_config_reload_success'), 1);
    (await client(server, 'mina')).discard(); // her second
    await assert.rejects(client(server, 'mina'), /486/);
  }));

  it('takes another secret at once, and what was allowed by the old one goes on [A11]', explained(async () => {
    const [old, other] = [await client(server, 'old'), await client(server, 'other')];
    const secret = 'another-secret-of-the-end-to-end-tests-0123456789';
    await server.reconfigure({ secret });
    assert.deepEqual((await server.reload()).changed, ['auth.secrets']);
    await assert.rejects(client(server, 'late'), /401/);
    const late = await client(server, 'late', { secret });
    await server.reconfigure({ secret: restSecret });
    await server.reload();
    assert.equal(await relayBetween(old, other, 'still here'), 'still here');
    for (const each of [old, other, late]) each.discard();
  }));

  it('of a broken file changes nothing, and says what is wrong [C07] [P12]', explained(async () => {
    const whole = await readFile(server.config, 'utf8');
    const broken = whole
      .replace('max_allocations_per_user = 2', 'max_allocations_per_user = 50\nmax_alocations = 7');
    assert.notEqual(broken, whole);
    writeFileSync(server.config, broken);
    const { code, output } = await server.reload();
    assert.notEqual(code, 0);
    assert.match(output, /turnpike\.toml:\d+:\d+/);
    assert.match(output, /max_alocations/);
    assert.equal(await server.metric('turnpike_config_reload_success'), 0);
    const clients = [await client(server, 'zoe'), await client(server, 'zoe')];
    await assert.rejects(client(server, 'zoe'), /486/, 'the limit is still two');

    writeFileSync(server.config, whole);
    assert.equal((await server.reload()).code, 0);
    assert.equal(await server.metric('turnpike_config_reload_success'), 1);
    for (const each of clients) each.discard();
  }));
});

describe('Peers that a reload denies', { timeout: 60_000, skip: !ownAddress && 'this host has loopback alone' }, () => {
  let server;
  let peer;
  const clients = [];
  before(explained(async () => {
    server = await startReloadable({ relaying: { allow_peers: [`${ownAddress}/32`] } });
    peer = dgram.createSocket('udp4').bind(0, ownAddress);
    await once(peer, 'listening');
  }));
  after(async () => {
    peer?.close();
    for (const each of clients) each.discard();
    await server?.discard();
  });

  it('lose their permission within a second, both ways, and no others do [P12]', explained(async () => {
    const at = { address: ownAddress, port: peer.address().port };
    const [mina, theo] = [await client(server, 'mina'), await client(server, 'theo')];
    clients.push(mina, theo);
    await mina.permit(at);
    assert.equal(await relayBetween(mina, theo, 'hello'), 'hello');

    const seen = { peer: [], mina: [] };
    peer.on('message', (bytes) => seen.peer.push(bytes.toString()));
    mina.socket.on('message', (bytes) => seen.mina.push(bytes.toString('latin1')));
    const hasSeen = (who, payload) => seen[who].some((text) => text.includes(payload));
    let sent = 0;
    // Whether a datagram reaches `who` before another has gone from relay to relay and back.
    const arrives = async (who) => {
      const number = (sent += 1);
      if (who === 'peer') mina.sendTo(at, `data ${number}.`);
      else peer.send(`data ${number}.`, mina.relayed.port, mina.relayed.address);
      const arrival = theo.receive();
      mina.sendTo(theo.relayed, `there ${number}.`);
      assert.equal(await arrival, `there ${number}.`);
      theo.sendTo(mina.relayed, `back ${number}.`);
      await until('the way back', () => hasSeen('mina', `back ${number}.`), { everyMs: 5 });
      return hasSeen(who, `data ${number}.`);
    };
    await until('data to the peer', () => arrives('peer'));
    await until('data from the peer', () => arrives('mina'));

    await server.reconfigure({ relaying: { allow_peers: [] } });
    assert.deepEqual((await server.reload()).changed, ['relay.allow_peers']);
    const inASecond = { deadlineMs: 1_000, everyMs: 20 };
    await until('nothing to reach the peer', async () => !(await arrives('peer')), inASecond);
    await until('nothing from the peer', async () => !(await arrives('mina')), inASecond);
    for (let i = 0; i < 5; i += 1) {
      assert.equal(await arrives('peer'), false);
      assert.equal(await arrives('mina'), false);
    }
    clients.splice(clients.indexOf(mina), 1); // a refusal closes it
    await assert.rejects(mina.permit(at), /403/);
  }));
});

describe('A certificate that a reload exchanges [L12]', { timeout: 60_000 }, () => {
  let server;
  let first;
  let second;
  before(explained(async () => {
    // The sandbox lets a server read what is below the directories that it was started with.
    [first, second] = await Promise.all(['first', 'first/second'].map(async (name) => {
      await mkdir(path.join(directory, name), { recursive: true });
      return makeCertificate(path.join(directory, name));
    }));
    server = await startReloadable({ tls: first, users: ['alice'] });
  }));
  after(() => server?.discard());

  it('is shown to new connections, and a call over TLS goes on', explained(async () => {
    const other = await client(server, 'theo');
    const call = await Connection.open({ port: server.tlsPort, certificate: first });
    const [relayed] = xorAddresses(await call.allocate('alice'), attributeType.xorRelayedAddress);
    await other.permit(relayed);
    assert.equal((await call.permit(other.relayed)).type, messageType.createPermissionSuccess);
    const relays = async (payload) => {
      const arrival = other.receive();
      call.sendTo(other.relayed, payload);
      assert.equal(await arrival, payload);
    };
    await relays('before');

    await server.reconfigure({ tls: second });
    const { changed } = await server.reload();
    assert.deepEqual(changed, ['tls.certificate', 'tls.key']);
    await relays('after');
    assert.equal((await call.permit(other.relayed)).type, messageType.createPermissionSuccess);

    const renewed = await Connection.open({ port: server.tlsPort, certificate: second });
    assert.equal((await renewed.bind()).type, messageType.bindingSuccess);
    await assert.rejects(Connection.open({ port: server.tlsPort, certificate: first }));
    for (const each of [call, renewed, other]) each.discard();
  }));

  it('that cannot be read changes nothing', explained(async () => {
    await server.reconfigure({ tls: { certificate: second.certificate, key: first.key }, relaying: { max_allocations_per_user: 1 } });
    const { code, output } = await server.reload();
    assert.notEqual(code, 0);
    assert.match(output, /key/);
    const renewed = await Connection.open({ port: server.tlsPort, certificate: second });
    assert.equal((await renewed.bind()).type, messageType.bindingSuccess);
    const clients = [await client(server, 'two'), await client(server, 'two')];
    for (const each of [renewed, ...clients]) each.discard();
  }));
});
