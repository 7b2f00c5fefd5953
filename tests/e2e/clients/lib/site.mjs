// A server with the pages of one client on it: Turnpike, or with CLIENT_TESTS_SERVER=reference the
// small servers of ../reference/ with Turnpike as their relay.

import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { localCertificate } from '../../lib/certificate.mjs';
import { freePort, relayPortRange } from '../../lib/ports.mjs';
import { start } from '../../lib/process.mjs';
import { mintRestCredential, restSecret, turnpike } from '../../lib/server.mjs';
import { until } from '../../lib/until.mjs';
import { serverAddresses } from '../../nat/lab.mjs';

const inThisFolder = (name) => fileURLToPath(new URL(name, import.meta.url));
const socketIoClient = inThisFolder('../../node_modules/socket.io-client/dist/socket.io.min.js');

export const isReference = process.env.CLIENT_TESTS_SERVER === 'reference';

/// Where a server can be: on loopback, or on the public segment of a lab.
async function placeOf(lab) {
  if (lab) return { address: serverAddresses[0], turnPort: 3478, port: 443, command: (...it) => lab.server.command(...it) };
  return { address: '127.0.0.1', turnPort: await freePort(), port: await freePort(), command: (...it) => it };
}

function turnpikeConfiguration({ address, turnPort, port }, { certificate, key }, root) {
  const relay = relayPortRange();
  return [
    'realm = "e2e.turnpike.test"',
    '[tls]',
    `certificate = "${certificate}"`,
    `key = "${key}"`,
    '[listen]',
    `udp = ["${address}:${turnPort}"]`,
    'tcp = []',
    `tls = [${root ? `"${address}:${port}"` : ''}]`,
    '[relay]',
    `ports = "${relay.first}-${relay.last}"`,
    '[auth]',
    `secrets = [{ id = "t", value = "${restSecret}" }]`,
    ...(root ? signalingConfiguration(root) : []),
    '',
  ].join('\n');
}

const signalingConfiguration = (root) => [
  '[signaling]',
  'auth = "open"',
  'doors = ["native", "socketio", "relay", "openvidu"]',
  'joins_per_minute = 0', // every tab here has the same address
  '[limits]',
  'tcp_connections_per_address = 0',
  '[metrics]',
  'listen = ""',
  '[web]',
  `root = "${root}"`,
];

/// Copies the pages of `client` into `root`, with `config` as its config.js.
async function layOutPages(root, client, config) {
  const pages = path.join(root, client);
  await cp(inThisFolder(`../${client}`), pages, { recursive: true });
  await writeFile(path.join(pages, 'config.js'), config);
  await cp(socketIoClient, path.join(pages, 'socket.io.min.js'));
}

/// Starts everything and returns once it listens. `configOf({iceServers})` writes the client's
/// config.js, the one file of it that a user changes.
export async function startSite({ client, configOf, lab }) {
  const place = await placeOf(lab);
  const certificate = await localCertificate();
  const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-'));
  const root = path.join(directory, 'site');
  const turnUri = `turn:${place.address}:${place.turnPort}?transport=udp`;
  const iceServers = [{ urls: turnUri, ...mintRestCredential(client) }];
  const processes = [];

  const run = (name, program, args) => {
    const child = start(name, ...place.command(program, args));
    processes.push(child);
    return until(`the ${name} to listen`, () => {
      if (child.hasEnded()) throw new Error(`the ${name} ended before it listened`);
      return child.log.text.includes('started');
    }, { everyMs: 20 });
  };

  async function discard() {
    for (const child of processes) {
      child.kill('SIGKILL');
      await child.ended;
    }
    await rm(directory, { recursive: true, force: true });
  }

  try {
    await layOutPages(root, client, configOf({ iceServers }));
    const file = path.join(directory, 'turnpike.toml');
    await writeFile(file, turnpikeConfiguration(place, certificate, isReference ? undefined : root), { mode: 0o600 });
    await run('server', turnpike(), ['serve', '--config', file]);
    if (isReference) {
      const { address, port } = place;
      const order = { address, port, root, certificate: certificate.certificate, key: certificate.key, iceServers };
      await run('reference', process.execPath, [inThisFolder('../reference/server.mjs'), JSON.stringify(order)]);
    }
  } catch (error) {
    await discard();
    throw error;
  }

  const host = `${place.address}:${place.port}`;
  return { origin: `https://${host}`, socketOrigin: `wss://${host}`, page: `https://${host}/${client}/index.html`, certificate, discard };
}
