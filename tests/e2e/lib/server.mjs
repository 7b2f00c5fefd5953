// The server under test: its configuration, its start, its end, and credentials for it.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freeUdpPort, relayPortRange } from './ports.mjs';
import { start } from './process.mjs';
import { answersBinding } from './stun.mjs';
import { until, within } from './until.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const defaultBinary = path.resolve(here, '../../../build/release/turnpike');

/// The secret that REST credentials are made with; the server wants 32 bytes at least.
export const restSecret = 'end-to-end-tests-only-not-a-secret-0123456789';

/// The password of every static user in these tests.
export const staticPassword = 'correct horse battery staple';

// JSON's strings are TOML's, for the plain ASCII used here.
function toml({ port, relay, users }) {
  const inlineUsers = users.map(
    (name) => `{ name = ${JSON.stringify(name)}, password = ${JSON.stringify(staticPassword)} }`,
  );
  return [
    'realm = "e2e.turnpike.test"',
    '',
    '[listen]',
    `udp = ["127.0.0.1:${port}", "[::1]:${port}"]`,
    '',
    '[relay]',
    `ports = "${relay.first}-${relay.last}"`,
    '',
    '[limits]',
    '# Every client here has the same address, so the budget for challenges would be shared.',
    'challenge_rate = 0',
    '',
    '[auth]',
    `secrets = [{ id = "t", value = ${JSON.stringify(restSecret)} }]`,
    `users = [${inlineUsers.join(', ')}]`,
    '',
  ].join('\n');
}

/// The environment without what would override the configuration file.
function cleanEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TURNPIKE__')));
}

/// Makes a time-limited credential as a web service would: the user name is the expiry and a
/// name, the password the base64 of HMAC-SHA1(secret, user name).
export function mintRestCredential(name, { secret = restSecret, lifetimeS = 600 } = {}) {
  const username = `${Math.floor(Date.now() / 1000) + lifetimeS}:${name}`;
  const credential = createHmac('sha1', secret).update(username).digest('base64');
  return { username, credential };
}

/// What the server counted, from the line it logs when it stops: datagrams by where they ended.
function countersIn(log) {
  const line = log.split('\n').findLast((text) => text.includes('"event":"counters"'));
  assert.ok(line, 'the log ends without a line of counters');
  return Object.fromEntries(Object.entries(JSON.parse(line)).map(([name, value]) => [name, Number(value)]));
}

/// Starts the server and returns once it answers on IPv4 and IPv6.
///
/// `users` are static users with `staticPassword`. `allowPeers` are the CIDRs of the hard-denied
/// ranges (loopback, in these tests) whose peers may be reached all the same.
export async function startServer({ users = [], allowPeers = [] } = {}) {
  const binary = process.env.TURNPIKE_BINARY ?? defaultBinary;
  const port = await freeUdpPort();
  const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-'));
  const config = path.join(directory, 'turnpike.toml');
  await writeFile(config, toml({ port, relay: relayPortRange(), users }), { mode: 0o600 });

  const flags = allowPeers.flatMap((cidr) => ['--insecure-allow-peers', cidr]);
  const command = ['serve', '--config', config, ...flags];
  const server = start('server', binary, command, { env: cleanEnvironment() });

  async function discard() {
    server.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  }

  async function answersOn(address) {
    // Without this a server that refused its configuration would be polled until the deadline.
    if (server.hasEnded()) {
      const { code } = await server.ended;
      throw new Error(`the server ended with exit code ${code} before it answered`);
    }
    return answersBinding({ address, port });
  }

  try {
    for (const address of ['127.0.0.1', '::1']) {
      await until(`the server to answer on ${address}`, () => answersOn(address), { everyMs: 20 });
    }
  } catch (error) {
    await discard();
    throw error;
  }

  return {
    port,

    /// The TURN URI of this server at a loopback address.
    uri: (address) => `turn:${address.includes(':') ? `[${address}]` : address}:${port}?transport=udp`,

    /// Ends the server as systemd would, insists on a clean end, and returns its counters: the
    /// number of datagrams by the name of their Reason.
    async stop() {
      server.kill('SIGTERM');
      const end = await within(10_000, 'the server to stop after SIGTERM', server.ended);
      assert.deepEqual(end, { code: 0, signal: null }, 'SIGTERM ends the server with exit code 0');
      return countersIn(server.log.text);
    },

    /// Removes whatever is left, for a test run that did not come to `stop`.
    discard,
  };
}
