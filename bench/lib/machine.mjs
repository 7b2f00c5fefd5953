// The machine that a benchmark runs on: what it is, and which core does what.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

/// One core for the server and one for the load, the same one where there is only one; and all of them.
export function chooseCores() {
  const allowed = readFileSync('/proc/self/status', 'utf8').match(/^Cpus_allowed_list:\s*(.+)$/m)[1];
  const cores = allowed.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  return { server: cores[0], load: cores[1] ?? cores[0], all: cores };
}

/// Two lines for the head of a table: hardware and kernel, and how busy it was before.
export function describeMachine() {
  const model = os.cpus()[0]?.model.trim() ?? 'unknown processor';
  const [busy] = os.loadavg();
  const lines = [`${model}, ${os.cpus().length} cores, ${os.type()} ${os.release()} ${os.machine()}`];
  lines.push(`load average before: ${busy.toFixed(2)}${busy > 0.5 ? ' (not a quiet machine)' : ''}`);
  return lines.join('\n');
}

/// What `binary version` says, and from which commit of the repository.
export function describeBuild(binary) {
  const version = execFileSync(binary, ['version'], { encoding: 'utf8' }).split('\n')[0];
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
  return `${version} (${commit})`;
}
