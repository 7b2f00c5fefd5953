// The package as others get it: its types, what is in it, and that it can be imported.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as turnpike from '../turnpike.js';

const web = fileURLToPath(new URL('..', import.meta.url));
const tool = (name) => path.join(web, 'node_modules/.bin', name);

/** Runs a program; its output, or an error that shows it. */
async function run(command, args, directory = web) {
  try {
    const { stdout } = await promisify(execFile)(command, args, { cwd: directory });
    return stdout;
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')}\n${error.stdout}\n${error.stderr}`);
  }
}

describe('The package', () => {
  let directory;
  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'turnpike-client-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  it('has types that a strict application can be written against', () => run(tool('tsc'), ['-p', 'test/types']));

  it('declares what it exports, and exports what it declares', async () => {
    const declared = await readFile(path.join(web, 'turnpike.d.ts'), 'utf8');
    const values = [...declared.matchAll(/^export declare (?:class|function) (\w+)/gm)].map(([, name]) => name);
    // Chat and Files are made by a Call only; the declaration says so with private constructors.
    assert.deepEqual(values.filter((name) => name !== 'Chat' && name !== 'Files').sort(), Object.keys(turnpike).sort());
  });

  it('gives publint nothing to say', async () => {
    const said = await run(tool('publint'), ['--strict']);
    assert.match(said, /All good/);
  });

  it('contains these files and no others', async () => {
    const [{ files }] = JSON.parse(await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts']));
    assert.deepEqual(files.map((file) => file.path).sort(), [
      'LICENSE',
      'README.md',
      'client/call.js',
      'client/chat.js',
      'client/devices.js',
      'client/emitter.js',
      'client/errors.js',
      'client/files.js',
      'client/incoming.js',
      'client/link.js',
      'client/local_media.js',
      'client/mesh.js',
      'client/monitor.js',
      'client/outgoing.js',
      'client/peers.js',
      'client/requests.js',
      'client/room.js',
      'client/signaling.js',
      'client/socket.js',
      'client/stats.js',
      'client/timers.js',
      'client/transfer.js',
      'compat/openvidu-browser.js',
      'package.json',
      'turnpike.d.ts',
      'turnpike.js',
    ]);
  });

  it('can be imported from its tarball, with nothing else installed', async () => {
    const packed = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', directory]);
    const [{ filename }] = JSON.parse(packed);
    const installed = path.join(directory, 'node_modules/turnpike-client');
    await mkdir(installed, { recursive: true });
    await run('tar', ['-xzf', path.join(directory, filename), '--strip-components=1', '-C', installed]);
    await writeFile(path.join(directory, 'main.mjs'), `
      import { Call, join, TurnpikeError } from 'turnpike-client';
      try {
        await join('ws://127.0.0.1:9/', { room: 'x', WebSocket: class { constructor() { throw new Error('no'); } } });
      } catch (error) {
        console.log(typeof Call, error instanceof TurnpikeError, error.code);
      }
    `);
    const said = await run(process.execPath, ['main.mjs'], directory);
    assert.equal(said.trim(), 'function true unreachable');

    // The classic script for OpenVidu's tutorials finds the library from where it lies itself.
    await writeFile(path.join(directory, 'shim.mjs'), `
      import { existsSync } from 'node:fs';
      const shim = import.meta.resolve('turnpike-client/compat/openvidu-browser.js');
      console.log(existsSync(new URL(shim)), existsSync(new URL('../turnpike.js', shim)));
    `);
    assert.equal((await run(process.execPath, ['shim.mjs'], directory)).trim(), 'true true');
  });

  it('refers to its own files only, and by paths that a browser understands', async () => {
    const modules = (await readdir(path.join(web, 'client'))).map((name) => `client/${name}`);
    for (const module of ['turnpike.js', ...modules]) {
      const text = await readFile(path.join(web, module), 'utf8');
      for (const [, target] of text.matchAll(/(?:from|import\()\s*'([^']+)'/g)) {
        assert.match(target, /^\.{1,2}\/[\w./]+\.js$/, `${module} imports ${target}`);
      }
    }
  });
});
