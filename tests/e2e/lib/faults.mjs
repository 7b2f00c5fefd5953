// Faults under a running server: system calls that fail by ../../support/fault_shim.c.

import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './process.mjs';
import { until } from './until.mjs';

const sharedBytes = 4096;
const generationBytes = 16;
const countsOffset = 3072;

const directory = mkdtempSync(path.join(tmpdir(), 'turnpike-faults-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

async function buildShim() {
  const source = fileURLToPath(new URL('../../support/fault_shim.c', import.meta.url));
  const library = path.join(directory, 'fault_shim.so');
  const { code } = await run('cc', 'cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);
  assert.equal(code, 0);
  return library;
}
let shim;
let made = 0;

/// What one server's system calls do. `environment` is for that server.
export class Faults {
  static async prepare() {
    shim ??= buildShim();
    const file = path.join(directory, `${(made += 1)}`);
    writeFileSync(file, Buffer.alloc(sharedBytes));
    return new Faults(file, await shim);
  }

  constructor(file, library) {
    this.file = file;
    this.generation = 0;
    this.environment = { LD_PRELOAD: library, FAULT_SHIM: file };
  }

  /// From now on these rules hold, and no others; none: all is well again.
  set(...rules) {
    const shared = openSync(this.file, 'r+');
    writeSync(shared, Buffer.alloc(sharedBytes - countsOffset), 0, undefined, countsOffset);
    writeSync(shared, Buffer.from(`${rules.join('\n')}\0`), 0, undefined, generationBytes);
    writeSync(shared, Buffer.from(`${(this.generation += 1)}`.padEnd(generationBytes)), 0, undefined, 0);
    closeSync(shared);
  }

  /// How often the rule at `index` has struck.
  struck(index = 0) {
    const shared = openSync(this.file, 'r');
    const count = Buffer.alloc(8);
    readSync(shared, count, 0, 8, countsOffset + 8 * index);
    closeSync(shared);
    return Number(count.readBigUInt64LE());
  }
}

/// The seconds of a processor that a process has used.
export function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/// How much of a processor a process uses while `work` is being done.
export async function shareOfProcessor(pid, work) {
  const begin = performance.now();
  const before = cpuSeconds(pid);
  await work();
  return (cpuSeconds(pid) - before) / ((performance.now() - begin) / 1000);
}

/// Stops a process. The signal alone only asks for it: each thread stops when it gets to know.
export async function suspend(process) {
  const tasks = `/proc/${process.pid}/task`;
  const isStopped = (task) => readFileSync(path.join(tasks, task, 'stat'), 'utf8').split(') ')[1].startsWith('T');
  process.kill('SIGSTOP');
  await until('every thread to stop', () => readdirSync(tasks).every(isStopped));
}
