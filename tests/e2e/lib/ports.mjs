// Loopback ports that are free now.

import dgram from 'node:dgram';
import { once } from 'node:events';

async function bound(address, port) {
  const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const failed = once(socket, 'error').then(([error]) => Promise.reject(error));
  socket.bind({ address, port, exclusive: true });
  try {
    await Promise.race([once(socket, 'listening'), failed]);
  } finally {
    failed.catch(() => {});
  }
  return socket;
}

/// A UDP port, chosen by the kernel, that is free on both 127.0.0.1 and ::1, as are the
/// `following` ports after it.
///
/// The sockets are closed before the caller opens its own, so another process could take the
/// port in between: the kernel picks from some 28,000, we live with that.
export async function freeUdpPort({ following = 0 } = {}) {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const sockets = [];
    try {
      const first = await bound('127.0.0.1', 0);
      sockets.push(first);
      const { port } = first.address();
      sockets.push(await bound('::1', port));
      for (let next = port + 1; next <= port + following; next += 1) {
        sockets.push(await bound('127.0.0.1', next), await bound('::1', next));
      }
      return port;
    } catch (error) {
      if (error.code !== 'EADDRINUSE') throw error;
    } finally {
      for (const socket of sockets) socket.close();
    }
  }
  throw new Error('found no free UDP port on loopback');
}

let serversStarted = 0;

/// A range for the relays of one server: 250 ports below the range from which the kernel picks
/// (32768 and up), so that no client socket sits on one of them. Another test run on this
/// machine at the same time most likely gets another range.
export function relayPortRange() {
  const slice = (process.pid * 4 + serversStarted++) % 80;
  const first = 10_000 + slice * 250;
  return { first, last: first + 249 };
}
