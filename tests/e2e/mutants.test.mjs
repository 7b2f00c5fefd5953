// The conformance suite against servers with one deliberate fault each (tests/mutants): every fault
// is found, by the check that it is meant for, and a server without a fault passes the same checks.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { check } from './lib/conformance.mjs';
import { explained } from './lib/logs.mjs';
import { fullServer, startServer } from './lib/server.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const binary = process.env.TURNPIKE_MUTANTS ?? path.join(root, 'build/dev/turnpike_mutants');
const mutants = JSON.parse(
  execFileSync('python3', ['mutate.py', 'list', 'mutants.toml'], { cwd: path.join(root, 'tests/mutants') }),
);
const atATime = { concurrency: availableParallelism(), timeout: 120_000 };

/// Runs one check against a server with `mutant` awake, or with all of them asleep.
async function tryOn(mutant, { awake }) {
  const server = await startServer({
    binary,
    environment: { TURNPIKE_MUTANT: awake ? mutant.name : '', ...(mutant.full && fullServer) },
    users: ['alice', 'bob'],
    allowPeers: ['127.0.0.0/8', '::1/128'],
    tls: true,
    dtls: true,
    tcpRelays: true,
    mobility: true,
    discoveryAddresses: mutant.discovery && ['127.0.0.1', '127.0.0.2'],
    options: mutant.serve,
  });
  try {
    return await check(mutant.check, { server, over: mutant.over ?? 'udp' });
  } finally {
    await server.discard();
  }
}

describe('A server with the fault that', atATime, () => {
  for (const mutant of mutants) {
    it(`${mutant.name} is found by ${mutant.check}`, explained(async () => {
      const { status, why } = await tryOn(mutant, { awake: true });
      // "warned" is how a broken SHOULD is reported.
      assert.ok(['failed', 'warned'].includes(status), `${status} ${why ?? ''}`);
    }));
  }
});

describe('With all faults asleep the same server passes', atATime, () => {
  const distinct = new Map(mutants.map((mutant) => [`${mutant.check} over ${mutant.over ?? 'udp'}`, mutant]));
  for (const [title, mutant] of distinct) {
    it(title, explained(async () => {
      const { status, expected, got, why } = await tryOn(mutant, { awake: false });
      assert.equal(status, 'passed', `${expected ?? ''} ${got ?? ''} ${why ?? ''}`);
    }));
  }
});
