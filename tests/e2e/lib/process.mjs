// Child processes: their output kept as a log, their end awaited, none left behind.

import { spawn } from 'node:child_process';
import { openLog } from './logs.mjs';
import { within } from './until.mjs';

const running = new Set();

// A test file that dies half-way must not leave a server on the machine.
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/// Starts `command`. `ended` resolves to {code, signal}; it rejects if there is no such program.
export function start(name, command, args, { env = process.env } = {}) {
  const log = openLog(name);
  log.append(`$ ${[command, ...args].join(' ')}\n`);
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.stdout.setEncoding('utf8').on('data', log.append);
  child.stderr.setEncoding('utf8').on('data', log.append);

  const ended = new Promise((resolve, reject) => {
    child.once('error', (error) => {
      running.delete(child);
      const missing = error.code === 'ENOENT';
      reject(missing ? new Error(`${command} is not there; script/test builds or installs it`) : error);
    });
    // 'close', not 'exit': only then has all output arrived.
    child.once('close', (code, signal) => {
      running.delete(child);
      log.append(`[ended: ${signal ?? `exit code ${code}`}]\n`);
      resolve({ code, signal });
    });
  });
  ended.catch(() => {}); // whoever awaits it sees the error; nobody awaiting it is no crash

  return {
    pid: child.pid,
    log,
    ended,
    hasEnded: () => !running.has(child),
    kill: (signal) => child.kill(signal),
  };
}

/// Runs a tool to its end and returns its exit code and everything it printed.
export async function run(name, command, args, { deadlineMs = 40_000, env } = {}) {
  const tool = start(name, command, args, { env });
  try {
    const { code } = await within(deadlineMs, `${command} to end`, tool.ended);
    return { code, output: tool.log.text };
  } finally {
    tool.kill('SIGKILL');
  }
}

/// The JSON of a tool's last line that is an object; undefined without one.
export function reportIn(output) {
  const json = output.split('\n').findLast((line) => line.startsWith('{'));
  return json && JSON.parse(json);
}
