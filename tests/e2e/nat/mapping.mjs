// Runs as a process of its own, inside a home: asks several STUN servers, from one UDP socket, where
// it appears to be. Its arguments are the servers, address:port; it prints {port, mapped: [{address, port}]}.

import { once } from 'node:events';
import dgram from 'node:dgram';
import { attributeType, decode, encode, messageType, transactionIdOf, xorAddresses } from '../lib/stun.mjs';
import { within } from '../lib/until.mjs';

const socket = dgram.createSocket('udp4');
socket.bind(0);
await once(socket, 'listening');

/// Asks again every 200 ms: the first packets of a new network can be lost.
async function askForMapping(server) {
  const [address, port] = server.split(':');
  const request = encode({ type: messageType.bindingRequest });
  const ask = () => socket.send(request, Number(port), address);
  const asking = setInterval(ask, 200);
  ask();
  try {
    for (;;) {
      const [reply] = await within(5_000, `an answer from ${server}`, once(socket, 'message'));
      if (transactionIdOf(reply) !== transactionIdOf(request)) continue; // a second answer to an earlier one
      return xorAddresses(decode(reply), attributeType.xorMappedAddress)[0];
    }
  } finally {
    clearInterval(asking);
  }
}

const mapped = [];
for (const server of process.argv.slice(2)) mapped.push(await askForMapping(server));
console.log(JSON.stringify({ port: socket.address().port, mapped }));
socket.close();
