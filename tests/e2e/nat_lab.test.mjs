// The NAT laboratory's boxes are what they are said to be: measured with STUN from inside each home,
// by one socket that asks two addresses of the server and two ports of one of them.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { explained } from './lib/logs.mjs';
import { run } from './lib/process.mjs';
import { within } from './lib/until.mjs';
import { labObstacle, makeLab } from './nat/lab.mjs';
import { startLabServer, stunServers } from './nat/server.mjs';

const mappingScript = fileURLToPath(new URL('nat/mapping.mjs', import.meta.url));

/// The namespaces that the process has made and not removed.
const namespacesOf = (pid) =>
  execFileSync('ip', ['netns', 'list']).toString().match(new RegExp(`^turnpike-${pid}-\\S+`, 'gm')) ?? [];

describe('The NAT laboratory', { timeout: 60_000, skip: labObstacle() }, () => {
  let lab;
  let server;

  before(explained(async () => {
    lab = makeLab({ open: 'direct', easy: 'easy', symmetric: 'symmetric' });
    server = await startLabServer(lab);
  }));
  after(async () => {
    await server?.discard();
    lab?.remove();
  });

  /// {port, mapped} of one socket in that home.
  async function measure(home) {
    const [command, args] = home.command(process.execPath, [mappingScript, ...stunServers]);
    const { code, output } = await run(`socket in ${home.name}`, command, args);
    assert.equal(code, 0);
    return JSON.parse(/^\{.*\}$/m.exec(output)[0]);
  }

  /// How many different endpoints a socket appears at, all of them on the home's public address.
  function appearances({ mapped }, home) {
    assert.equal(mapped.length, stunServers.length);
    for (const { address } of mapped) assert.equal(address, home.publicAddress);
    return new Set(mapped.map(({ port }) => port)).size;
  }

  it('has a home without a NAT, whose sockets appear as they are', explained(async () => {
    const { open } = lab.homes;
    const { port, mapped } = await measure(open);
    assert.deepEqual(mapped, stunServers.map(() => ({ address: open.address, port })));
  }));

  it('has an easy NAT: one mapping, whatever the destination', explained(async () => {
    const { easy } = lab.homes;
    assert.notEqual(easy.publicAddress, easy.address);
    assert.equal(appearances(await measure(easy), easy), 1);
  }));

  it('has a symmetric NAT: another mapping for each address and each port', explained(async () => {
    const { symmetric } = lab.homes;
    assert.equal(appearances(await measure(symmetric), symmetric), stunServers.length);
  }));

  it('leaves nothing behind when a second lab beside it is taken down', explained(async () => {
    const before = namespacesOf(process.pid);
    const second = makeLab({ easy: 'easy' });
    assert.ok(namespacesOf(process.pid).length > before.length);
    const stranded = spawn(...second.homes.easy.command('sleep', ['1000']));
    await once(stranded, 'spawn');
    second.remove();
    await within(5_000, 'what ran in it to end', once(stranded, 'close'));
    assert.deepEqual(namespacesOf(process.pid), before);
    assert.equal(appearances(await measure(lab.homes.easy), lab.homes.easy), 1, 'the first still works');
  }));

  it('leaves nothing behind when it is interrupted, even by an impatient user', explained(async () => {
    const source = `
      import { makeLab } from ${JSON.stringify(new URL('nat/lab.mjs', import.meta.url))};
      makeLab({ easy: 'easy' });
      console.log('made');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', source], { detached: true });
    await within(10_000, 'the lab', once(child.stdout, 'data'));
    assert.equal(namespacesOf(child.pid).length, 3, 'server, home, box');
    const toItsGroup = (signal) => process.kill(-child.pid, signal);
    toItsGroup('SIGINT');
    const interrupting = setInterval(() => child.exitCode === null && toItsGroup('SIGINT'), 10);
    await within(10_000, 'its end', once(child, 'close')).finally(() => clearInterval(interrupting));
    assert.deepEqual(namespacesOf(child.pid), []);
  }));
});
