// The server under test on the public segment of a lab.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { start } from '../lib/process.mjs';
import { restSecret, turnpike } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';
import { serverAddresses } from './lab.mjs';

/// Where it answers over UDP, as address:port: two addresses, and a second port at the first.
export const stunServers = [`${serverAddresses[0]}:3478`, `${serverAddresses[1]}:3478`, `${serverAddresses[0]}:3479`];

const turnUri = `turn:${stunServers[0]}?transport=udp`;

// Default policy for peers, default limits: the browsers come from the addresses of their boxes.
const configuration = [
  'realm = "e2e.turnpike.test"',
  '[listen]',
  `udp = ${JSON.stringify(stunServers)}`,
  `tcp = ["${stunServers[0]}"]`,
  '[relay]',
  `addresses = ["${serverAddresses[0]}"]`,
  '[auth]',
  `secrets = [{ id = "t", value = "${restSecret}" }]`,
  '',
].join('\n');

/// Starts it in `lab` and returns once it listens.
export async function startLabServer(lab) {
  const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-'));
  const file = path.join(directory, 'turnpike.toml');
  await writeFile(file, configuration, { mode: 0o600 });
  const server = start('server', ...lab.server.command(turnpike(), ['serve', '--config', file]));

  async function discard() {
    server.kill('SIGKILL');
    await server.ended;
    await rm(directory, { recursive: true, force: true });
  }

  try {
    const isUp = () => server.hasEnded() || server.log.text.includes('started');
    await until('the server to listen', isUp, { everyMs: 20 });
    if (server.hasEnded()) throw new Error('the server ended before it listened');
  } catch (error) {
    await discard();
    throw error;
  }
  return { turnUri, discard };
}
