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
  refreshRequest: 0x0004,
  createPermissionRequest: 0x0008,
  createPermissionSuccess: 0x0108,
  sendIndication: 0x0016,
  dataIndication: 0x0017,
};

export const attributeType = {
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  lifetime: 0x000d,
  realm: 0x0014,
  nonce: 0x0015,
  xorPeerAddress: 0x0012,
  data: 0x0013,
  xorRelayedAddress: 0x0016,
  requestedAddressFamily: 0x0017,
  requestedTransport: 0x0019,
  xorMappedAddress: 0x0020,
  additionalAddressFamily: 0x8000,
};

const padded = (bytes) => bytes + ((4 - (bytes % 4)) % 4);

function attribute([type, value]) {
  const bytes = Buffer.alloc(4 + padded(value.length));
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  Buffer.from(value).copy(bytes, 4);
  return bytes;
}

/// A message with `attributes`, a list of [type, value], and a new transaction id unless one is given;
/// with a `key` also MESSAGE-INTEGRITY (§14.5).
export function encode({ type, attributes = [], key, transactionId = randomBytes(12) }) {
  const body = Buffer.concat(attributes.map(attribute));
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(type, 0);
  header.writeUInt16BE(body.length, 2);
  header.writeUInt32BE(magicCookie, 4);
  transactionId.copy(header, 8);
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

/// What a message says. `attributes` are by type, the last of each; `list` has all of them.
export function decode(message) {
  const list = [];
  for (let at = headerBytes; at < message.length; ) {
    const length = message.readUInt16BE(at + 2);
    list.push([message.readUInt16BE(at), message.subarray(at + 4, at + 4 + length)]);
    at += 4 + padded(length);
  }
  const attributes = new Map(list);
  const error = attributes.get(attributeType.errorCode);
  return {
    type: message.readUInt16BE(0),
    transactionId: transactionIdOf(message),
    attributes,
    list,
    errorCode: error && (error[2] & 7) * 100 + error[3],
  };
}

export const transactionIdOf = (message) => message.toString('hex', 8, headerBytes);

/// The key of long-term credentials with MD5 (§18.5.1.1).
export const longTermKey = (user, realm, password) =>
  createHash('md5').update(`${user}:${realm}:${password}`).digest();

/// The bytes that an address is XORed with (§14.2).
function xorMask(transactionId) {
  const cookie = Buffer.alloc(4);
  cookie.writeUInt32BE(magicCookie, 0);
  return Buffer.concat([cookie, transactionId]);
}

/// The 4 or 16 bytes of an address.
function addressBytes(address) {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number));
  const groups = (text) => (text ? text.split(':').map((group) => parseInt(group, 16)) : []);
  const [head, tail = []] = address.split('::').map(groups);
  const zeroes = Array(8 - head.length - tail.length).fill(0);
  const bytes = Buffer.alloc(16);
  [...head, ...zeroes, ...tail].forEach((group, index) => bytes.writeUInt16BE(group, 2 * index));
  return bytes;
}

/// The value of an XOR-... attribute for a message with this transaction id.
export function xorValue({ address, port }, transactionId) {
  const bytes = addressBytes(address);
  const value = Buffer.alloc(4 + bytes.length);
  value[1] = bytes.length === 4 ? 1 : 2;
  value.writeUInt16BE(port ^ (magicCookie >>> 16), 2);
  const mask = xorMask(transactionId);
  bytes.forEach((byte, index) => (value[4 + index] = byte ^ mask[index]));
  return value;
}

/// The address and port that such a value holds, IPv6 at its shortest.
export function fromXorValue(value, transactionId) {
  const mask = xorMask(transactionId);
  const bytes = value.subarray(4).map((byte, index) => byte ^ mask[index]);
  const groups = Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  const address = value[1] === 1 ? bytes.join('.') : new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
  return { address, port: value.readUInt16BE(2) ^ (magicCookie >>> 16) };
}

/// All the addresses in the attributes of one XOR-... type of a decoded message.
export const xorAddresses = ({ list, transactionId }, wanted) =>
  list
    .filter(([type]) => type === wanted)
    .map(([, value]) => fromXorValue(value, Buffer.from(transactionId, 'hex')));

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
