// coturn's command line tools: a client that counts what comes back, and a peer that sends it back.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { localCertificate } from './certificate.mjs';
import { freePort } from './ports.mjs';
import { run, start } from './process.mjs';
import { staticPassword } from './server.mjs';
import { exchange } from './stun.mjs';
import { until, within } from './until.mjs';

export const messagesPerFlow = 20;

/// For servers that are to refuse turnutils_uclient: it asks on until it gets an error it likes, and
/// waits for ever once it is not answered (docs/adr/0045-brute-force.md).
export const neverSilent = ['--set', 'auth.max_failures_per_minute=0'];

/// The flags for a static user, and for the name in a credential made from the shared secret.
export const byPassword = (user) => ['-u', user, '-w', staticPassword];
export const bySecret = (name, secret) => ['-u', name, '-W', secret];

/// Compiles what mends turnutils_uclient, and returns its path.
async function buildFixes() {
  const source = fileURLToPath(new URL('uclient_fixes.c', import.meta.url));
  const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const library = path.join(directory, 'uclient_fixes.so');
  const { code } = await run('cc', 'cc', ['-shared', '-fPIC', '-O1', '-o', library, source]);
  assert.equal(code, 0);
  return library;
}
let fixes;

/// The flags that make the client use TCP, TLS or DTLS. Of the last two it then wants to see our
/// certificate. "dtls-shared" is DTLS on the port that serves plain UDP too.
async function flagsFor(transport) {
  if (transport === 'udp') return [];
  if (transport === 'tcp') return ['-t'];
  const secure = ['-S', '-E', (await localCertificate()).certificate];
  return transport === 'tls' ? ['-t', ...secure] : secure;
}

/// Starts turnutils_uclient against `server`, over UDP unless `over` says "tcp", "tls", "dtls" or
/// "dtls-shared"; `via` is the address at which it reaches the server. `dataBytes`: the size of
/// messages on the data connections of RFC 6062; above 200, as the tool cuts off answers that are
/// longer than a message.
export async function startUclient({ name, server, over = 'udp', via, credentials, flags, dataBytes }) {
  fixes ??= buildFixes();
  const port = String(server.portFor(over));
  const transport = await flagsFor(over);
  const size = dataBytes ? ['-l', String(dataBytes)] : [];
  const args = ['-p', port, '-n', String(messagesPerFlow), ...size, ...transport, ...credentials, ...flags, via];
  const env = { ...process.env, LD_PRELOAD: await fixes, UCLIENT_DATA_BYTES: String(dataBytes ?? '') };
  return start(`turnutils_uclient: ${name}`, 'turnutils_uclient', args, { env });
}

/// Runs turnutils_uclient to its end and returns its exit code and everything it printed.
export async function uclient(options) {
  const tool = await startUclient(options);
  try {
    const { code } = await within(40_000, 'turnutils_uclient to end', tool.ended);
    return { code, output: tool.log.text };
  } finally {
    tool.kill('SIGKILL');
  }
}

/// How many messages turnutils_uclient has sent and received so far; it prints that every second.
export function progress(output) {
  const messages = [...output.matchAll(/tot_send_msgs=(\d+), tot_recv_msgs=(\d+)/g)].at(-1);
  const [sent, received] = messages?.slice(1).map(Number) ?? [0, 0];
  return { sent, received };
}

export function assertNothingLost({ code, output }, flows) {
  const messages = flows * messagesPerFlow;
  const losses = /Total lost packets (\d+) .*total send dropped (\d+)/.exec(output);
  assert.ok(losses, 'turnutils_uclient prints its sums');
  const [lost, dropped] = losses.slice(1).map(Number);
  assert.deepEqual({ ...progress(output), lost, dropped }, { sent: messages, received: messages, lost: 0, dropped: 0 });
  assert.equal(code, 0);
}

/// turnutils_peer sends every datagram back to its sender. It listens on two ports, as the RTCP
/// half of a client talks to the port after the one that was named.
export async function startEchoPeer() {
  // Free of TCP too: a port that our server listens on, over whatever, is no peer.
  const port = await freePort({ following: 1 });
  const listen = ['-L', '127.0.0.1', '-L', '::1', '-p', String(port)];
  const peer = start('turnutils_peer', 'turnutils_peer', listen);
  const greeting = randomBytes(16);
  const isGreeting = (datagram) => datagram.equals(greeting);
  for (const address of ['127.0.0.1', '::1']) {
    for (const listening of [port, port + 1]) {
      const endpoint = { address, port: listening };
      const echoes = () => exchange(endpoint, greeting, isGreeting, 100);
      await until('turnutils_peer to echo', echoes, { everyMs: 20 });
    }
  }
  return { port, stop: () => peer.kill('SIGKILL') };
}
