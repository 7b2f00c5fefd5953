// `turnpike conformance` against a server.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { start } from './process.mjs';
import { restSecret, staticPassword, turnpike } from './server.mjs';
import { within } from './until.mjs';

/// A file with one line that no command line may show.
export async function fileWith(line) {
  const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const file = path.join(directory, 'line');
  await writeFile(file, `${line}\n`, { mode: 0o600 });
  return `@${file}`;
}
const password = await fileWith(staticPassword);
const secret = await fileWith(restSecret);

/// The flags for alice, and for bob where a second user is needed.
export const asAlice = [
  ...['--user', 'alice', '--password', password],
  ...['--second-user', 'bob', '--second-password', password],
];

/// The flags for the secret of our servers' time-limited credentials.
export const withSecret = ['--secret', secret];

/// Runs the suite; returns its exit code and, from --output json, what it found.
export async function runSuite(target, flags, { deadlineMs = 120_000 } = {}) {
  const tool = start('conformance', turnpike(), ['conformance', target, '--output', 'json', ...flags]);
  try {
    const { code } = await within(deadlineMs, 'the suite to end', tool.ended);
    const json = tool.log.text.split('\n').find((line) => line.startsWith('{'));
    return { code, report: json && JSON.parse(json) };
  } finally {
    tool.kill('SIGKILL');
  }
}

/// What the suite reports of a server of server.mjs, with all that it can know about it.
export async function conformance({ server, over = 'udp', address = '127.0.0.1', flags = [], ...options }) {
  const ports = server.tlsPort ? ['--tls-port', String(server.tlsPort)] : [];
  const all = ['--transport', over, ...ports, ...asAlice, ...withSecret, ...flags];
  const { code, report } = await runSuite(server.uri(address), all, options);
  assert.ok(report && code <= 1, `exit code ${code}`); // 1 says that something failed: the report too
  return report;
}

/// The outcome of one check.
export async function check(name, { flags = [], ...options }) {
  const { checks } = await conformance({ ...options, flags: ['--check', name, ...flags] });
  assert.equal(checks.length, 1, `${name} is one check`);
  return checks[0];
}
