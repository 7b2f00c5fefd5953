// The server under test on the public segment of a lab.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { localCertificate } from '../lib/certificate.mjs';
import { start } from '../lib/process.mjs';
import { restSecret, turnpike } from '../lib/server.mjs';
import { until } from '../lib/until.mjs';
import { serverAddresses } from './lab.mjs';

/// Where it answers over UDP, as address:port: two addresses, and a second port at the first.
export const stunServers = [`${serverAddresses[0]}:3478`, `${serverAddresses[1]}:3478`, `${serverAddresses[0]}:3479`];

const turnUri = `turn:${stunServers[0]}?transport=udp`;

// On the loopback of the server's namespace, where nobody else is.
const metricsAddress = '127.0.0.1:9100';

// Default policy for peers, default limits: the browsers come from the addresses of their boxes.
const configurationWith = ({ certificate, key }, discovery) => [
  'realm = "e2e.turnpike.test"',
  '[tls]',
  `certificate = "${certificate}"`,
  `key = "${key}"`,
  '[listen]',
  `udp = ${JSON.stringify(stunServers)}`,
  `tcp = ["${stunServers[0]}"]`,
  `tls = ["${serverAddresses[0]}:443"]`,
  '[relay]',
  `addresses = ["${serverAddresses[0]}"]`,
  ...(discovery
    ? ['[nat_discovery]', `addresses = ${JSON.stringify(serverAddresses)}`, 'ports = [3478, 3479]']
    : []),
  '[auth]',
  `secrets = [{ id = "t", value = "${restSecret}" }]`,
  '[signaling]',
  'auth = "open"',
  'joins_per_minute = 0',
  '[metrics]',
  `listen = "${metricsAddress}"`,
  '',
].join('\n');

// A program for node: what the server says at the URL.
const fetchProgram = 'fetch(process.argv[1]).then((answer) => answer.text()).then((text) => console.log(text))';

/// The sum of the lines of `text`, the exposition of the metrics, whose names and labels match.
function sumIn(text, pattern) {
  const lines = text.split('\n').map((line) => line.split(' ')).filter(([name]) => pattern.test(name));
  if (lines.length === 0) throw new Error(`there is no metric ${pattern}`);
  return lines.reduce((sum, [, value]) => sum + Number(value), 0);
}

/// Starts it in `lab` and returns once it listens. `discovery` switches RFC 5780 on.
export async function startLabServer(lab, { discovery = false } = {}) {
  const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-'));
  const file = path.join(directory, 'turnpike.toml');
  await writeFile(file, configurationWith(await localCertificate(), discovery), { mode: 0o600 });
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

  return {
    turnUri,

    /// Its configuration.
    file,

    /// Where its pages are, with `localCertificate()`.
    origin: `https://${serverAddresses[0]}`,

    /// The sum of the metrics whose names with their labels, as /metrics has them, match.
    sumOf(pattern) {
      const text = lab.server.run(process.execPath, ['-e', fetchProgram, `http://${metricsAddress}/metrics`]);
      return sumIn(text.toString(), pattern);
    },

    discard,
  };
}
