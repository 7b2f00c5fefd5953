// As much of STUN (RFC 8489) as it takes to ask a server for something and read its answer.

import { createHash, createHmac, randomBytes } from 'node:crypto';
import dgram from 'node:dgram';

const magicCookie = 0x2112a442;
const headerBytes = 20;

export const messageType = {
  bindingRequest: 0x0001,
  bindingSuccess: 0x0101,
  allocateRequest: 0x0003,
  allocateSuccess: 0x0103,
  allocateError: 0x0113,
};

export const attributeType = {
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  realm: 0x0014,
  nonce: 0x0015,
  xorRelayedAddress: 0x0016,
  requestedTransport: 0x0019,
  xorMappedAddress: 0x0020,
};

const padded = (bytes) => bytes + ((4 - (bytes % 4)) % 4);

function attribute([type, value]) {
  const bytes = Buffer.alloc(4 + padded(value.length));
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  Buffer.from(value).copy(bytes, 4);
  return bytes;
}

/// A message with a new transaction id and `attributes`, a list of [type, value]; with a `key` also
/// MESSAGE-INTEGRITY (§14.5).
export function encode({ type, attributes = [], key }) {
  const body = Buffer.concat(attributes.map(attribute));
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(type, 0);
  header.writeUInt16BE(body.length, 2);
  header.writeUInt32BE(magicCookie, 4);
  randomBytes(12).copy(header, 8);
  if (!key) return Buffer.concat([header, body]);
  const integrityBytes = 4 + 20;
  header.writeUInt16BE(body.length + integrityBytes, 2); // what is covered ends before it
  const hmac = createHmac('sha1', key).update(header).update(body).digest();
  return Buffer.concat([header, body, attribute([attributeType.messageIntegrity, hmac])]);
}

/// The bytes of the message at the start of `stream`, or undefined when it is not all there.
export function firstMessage(stream) {
  if (stream.length < headerBytes) return undefined;
  const bytes = headerBytes + stream.readUInt16BE(2);
  return stream.length < bytes ? undefined : stream.subarray(0, bytes);
}

/// What a message says. `attributes` are by type, the last of each.
export function decode(message) {
  const attributes = new Map();
  for (let at = headerBytes; at < message.length; ) {
    const length = message.readUInt16BE(at + 2);
    attributes.set(message.readUInt16BE(at), message.subarray(at + 4, at + 4 + length));
    at += 4 + padded(length);
  }
  const error = attributes.get(attributeType.errorCode);
  return {
    type: message.readUInt16BE(0),
    transactionId: transactionIdOf(message),
    attributes,
    errorCode: error && (error[2] & 7) * 100 + error[3],
  };
}

export const transactionIdOf = (message) => message.toString('hex', 8, headerBytes);

/// The key of long-term credentials with MD5 (§18.5.1.1).
export const longTermKey = (user, realm, password) =>
  createHash('md5').update(`${user}:${realm}:${password}`).digest();

/// The address and port in an XOR-… attribute of a decoded message (§14.2), as the URL standard
/// writes them: IPv6 at its shortest.
export function xorAddress({ attributes, transactionId }, type) {
  const value = attributes.get(type);
  const pad = Buffer.alloc(4);
  pad.writeUInt32BE(magicCookie, 0);
  const mask = Buffer.concat([pad, Buffer.from(transactionId, 'hex')]);
  const bytes = value.subarray(4).map((byte, index) => byte ^ mask[index]);
  const groups = Array.from({ length: bytes.length / 2 }, (_, i) => ((bytes[2 * i] << 8) | bytes[2 * i + 1]).toString(16));
  const address = value[1] === 1 ? bytes.join('.') : new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
  return { address, port: value.readUInt16BE(2) ^ (magicCookie >>> 16) };
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
  const request = encode({ type: messageType.bindingRequest });
  const accepts = (reply) =>
    firstMessage(reply) &&
    decode(reply).type === messageType.bindingSuccess &&
    transactionIdOf(reply) === transactionIdOf(request);
  return exchange(endpoint, request, accepts, timeoutMs);
}
