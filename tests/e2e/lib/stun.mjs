// The smallest STUN client: one Binding request (RFC 8489 §5), to find out whether a server is up.

import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';

const bindingRequestType = 0x0001;
const bindingSuccessType = 0x0101;
const magicCookie = 0x2112a442;

function bindingRequest(transactionId) {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(bindingRequestType, 0);
  header.writeUInt32BE(magicCookie, 4);
  transactionId.copy(header, 8);
  return header;
}

function answers(datagram, transactionId) {
  return (
    datagram.length >= 20 &&
    datagram.readUInt16BE(0) === bindingSuccessType &&
    datagram.subarray(8, 20).equals(transactionId)
  );
}

/// Sends `datagram` and tells whether a reply that `accepts` likes comes back in time.
export function exchange({ address, port }, datagram, accepts, timeoutMs) {
  return new Promise((resolve) => {
    const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const finish = (answered) => {
      clearTimeout(timer);
      socket.close();
      resolve(answered);
    };
    const timer = setTimeout(finish, timeoutMs, false);
    socket.on('message', (reply) => accepts(reply) && finish(true));
    socket.on('error', () => finish(false));
    socket.send(datagram, port, address);
  });
}

/// True when the server at `endpoint` answers a Binding request with success.
export function answersBinding(endpoint, timeoutMs = 100) {
  const transactionId = randomBytes(12);
  const accepts = (reply) => answers(reply, transactionId);
  return exchange(endpoint, bindingRequest(transactionId), accepts, timeoutMs);
}
