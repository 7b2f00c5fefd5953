// coturn's server, for what is to be shown of another implementation than ours.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { localCertificate } from './certificate.mjs';
import { freePort, relayPortRange } from './ports.mjs';
import { start } from './process.mjs';
import { staticPassword } from './server.mjs';
import { answersBinding } from './stun.mjs';
import { until } from './until.mjs';

/// Starts turnserver on loopback with static users, and peers on loopback; it answers when this
/// returns. `moreAddresses` are listened at too: with a second IPv4 address it does NAT discovery.
export async function startCoturn({ users, moreAddresses = [] }) {
  // coturn takes the port after each of the two as well.
  const port = await freePort({ following: 3 });
  const tlsPort = port + 2;
  const { certificate, key } = await localCertificate();
  const relay = relayPortRange();
  const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-coturn-'));
  const file = path.join(directory, 'turnserver.conf');
  const lines = [
    `listening-port=${port}`,
    `tls-listening-port=${tlsPort}`,
    ...['127.0.0.1', ...moreAddresses, '::1'].flatMap((address) => [`listening-ip=${address}`, `relay-ip=${address}`]),
    `min-port=${relay.first}`,
    `max-port=${relay.last}`,
    'lt-cred-mech',
    'realm=e2e.coturn.test',
    ...users.map((name) => `user=${name}:${staticPassword}`),
    `cert=${certificate}`,
    `pkey=${key}`,
    'allow-loopback-peers',
    'no-cli',
    'log-file=stdout',
    `pidfile=${path.join(directory, 'pid')}`,
    `userdb=${path.join(directory, 'turndb')}`,
  ];
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  const server = start('coturn', 'turnserver', ['-c', file]);

  async function discard() {
    server.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  }

  try {
    for (const address of ['127.0.0.1', '::1']) {
      await until(`coturn to answer on ${address}`, () => answersBinding({ address, port }), { everyMs: 20 });
    }
  } catch (error) {
    await discard();
    throw error;
  }
  return { port, tlsPort, relay, discard };
}
