// Runs as a process of its own: sends every datagram back to its sender, over IPv4 and IPv6.

import { once } from 'node:events';
import dgram from 'node:dgram';

const port = Number(process.argv[2]);
for (const type of ['udp4', 'udp6']) {
  const socket = dgram.createSocket({ type, ipv6Only: type === 'udp6' });
  socket.on('message', (bytes, sender) => socket.send(bytes, sender.port, sender.address));
  socket.bind(port);
  await once(socket, 'listening');
}
console.log('ready');
