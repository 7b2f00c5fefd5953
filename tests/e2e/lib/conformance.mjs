// `turnpike conformance` against a server of server.mjs.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { staticPassword, turnpike } from './server.mjs';

/// Runs the suite as alice, with bob for what needs a second user, and returns what it reports as
/// JSON. Both have `staticPassword`.
export async function conformance({ server, over = 'udp', address = '127.0.0.1', flags = [] }) {
  const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-'));
  const password = path.join(directory, 'password');
  await writeFile(password, staticPassword, { mode: 0o600 });
  const command = [
    'conformance', server.uri(address), '--transport', over,
    ...(server.tlsPort ? ['--tls-port', String(server.tlsPort)] : []),
    '--user', 'alice', '--password', `@${password}`,
    '--second-user', 'bob', '--second-password', `@${password}`,
    '--output', 'json', ...flags,
  ];
  try {
    return await new Promise((resolve, reject) => {
      execFile(turnpike(), command, { timeout: 60_000, maxBuffer: 16 << 20 }, (error, stdout, stderr) => {
        // Exit code 1 says that something failed, which the report says too.
        if (error && error.code !== 1) reject(new Error(`turnpike ${command.join(' ')}: ${stderr || error}`));
        else resolve(JSON.parse(stdout));
      });
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/// The outcome of one check.
export async function check(name, options) {
  const { checks } = await conformance({ ...options, flags: ['--check', name] });
  assert.equal(checks.length, 1, `${name} is one check`);
  return checks[0];
}
