// Loopback ports that are free now.

import { randomInt } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';

async function bound(transport, address, port) {
  const isUdp = transport === 'udp';
  const socket = isUdp ? dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4') : net.createServer();
  const failed = once(socket, 'error').then(([error]) => Promise.reject(error));
  if (isUdp) socket.bind({ address, port, exclusive: true });
  else socket.listen({ host: address, port, exclusive: true });
  try {
    await Promise.race([once(socket, 'listening'), failed]);
  } finally {
    failed.catch(() => {});
  }
  return socket;
}

/// Every socket that must be possible at once; `offset` counts from the first port.
function wanted(transports, following) {
  const offsets = Array.from({ length: following + 1 }, (_, offset) => offset);
  const addresses = ['127.0.0.1', '::1'];
  return offsets.flatMap((offset) =>
    transports.flatMap((transport) => addresses.map((address) => ({ transport, address, offset }))));
}

// Above the relays (see relayPortRange) and below what the kernel picks from for clients, which would
// sooner or later take a port before the server that is to have it has started.
const chosenPorts = { first: 30_000, count: 2_700 };

/// A port, chosen at random, that is free on both 127.0.0.1 and ::1 for each of the `transports`, as
/// are the `following` ports after it.
///
/// The sockets are closed before the caller opens its own, so another test could take the port in
/// between: there are some 2,700, we live with that.
export async function freePort({ transports = ['udp', 'tcp'], following = 0 } = {}) {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const sockets = [];
    try {
      const port = chosenPorts.first + randomInt(chosenPorts.count);
      for (const { transport, address, offset } of wanted(transports, following)) {
        sockets.push(await bound(transport, address, port + offset));
      }
      return port;
    } catch (error) {
      if (error.code !== 'EADDRINUSE') throw error;
    } finally {
      for (const socket of sockets) socket.close();
    }
  }
  throw new Error('found no free port on loopback');
}

let serversStarted = 0;

/// A range for the relays of one server: 250 ports, or fewer, below the range from which the kernel
/// picks (32768 and up), so that no client socket sits on one of them. Another test run on this
/// machine at the same time most likely gets another range.
export function relayPortRange({ ports = 250 } = {}) {
  const slice = (process.pid * 4 + serversStarted++) % 80;
  const first = 10_000 + slice * 250;
  return { first, last: first + ports - 1 };
}

/// The ports from `first` to `last` on which some UDP socket of this machine is bound.
export async function openRelays({ first, last }) {
  const tables = await Promise.all(['udp', 'udp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8')));
  const lines = tables.flatMap((table) => [...table.matchAll(/^ *\d+: [0-9A-F]+:([0-9A-F]{4}) /gm)]);
  const ports = lines.map(([, port]) => parseInt(port, 16));
  return ports.filter((port) => port >= first && port <= last);
}
