// Runs as a process of its own, inside a network namespace: a TURN client on one UDP socket. Its
// argument is JSON, what it met is JSON on standard output:
// {server: {address, port}, local?: {address, port}, user?, families?, peers?} ->
// {mapped, from, tcpMapped?, relayed?, echoed?}

import { once } from 'node:events';
import dgram from 'node:dgram';
import { randomBytes } from 'node:crypto';
import { Connection } from './connection.mjs';
import { staticPassword } from './server.mjs';
import {
  attributeType, decode, encode, longTermKey, messageType, transactionIdOf, xorAddresses, xorValue,
} from './stun.mjs';
import { within } from './until.mjs';

const { server, local = {}, user, overTcp, families = [], peers = [] } = JSON.parse(process.argv[2]);

const socket = dgram.createSocket('udp6');
socket.bind({ ...local });
await once(socket, 'listening');

let from;
async function exchange(message) {
  const received = once(socket, 'message');
  socket.send(message, server.port, server.address);
  const [bytes, sender] = await within(5_000, 'an answer', received);
  from = sender.address;
  return decode(bytes);
}

async function request(message) {
  const answer = await exchange(message);
  if (answer.transactionId !== transactionIdOf(message)) throw new Error('that answers another request');
  return answer;
}

let challenge;
/// A request with credentials; `attributes` makes its own from a transaction id.
async function authenticated(type, attributes) {
  const transactionId = randomBytes(12);
  const own = attributes(transactionId);
  challenge ??= (await request(encode({ type, attributes: own }))).attributes;
  const realm = challenge.get(attributeType.realm);
  const signed = [
    ...own,
    [attributeType.username, user],
    [attributeType.realm, realm],
    [attributeType.nonce, challenge.get(attributeType.nonce)],
  ];
  const key = longTermKey(user, realm, staticPassword);
  const answer = await request(encode({ type, attributes: signed, key, transactionId }));
  if (answer.errorCode) throw new Error(`request ${type} was refused: ${answer.errorCode}`);
  return answer;
}

const familyValue = (family) => Buffer.from([family === 4 ? 1 : 2, 0, 0, 0]);
/// [6] asks for an IPv6 relay, [4, 6] for both.
const familyAttributes = {
  '6': [[attributeType.requestedAddressFamily, familyValue(6)]],
  '4,6': [[attributeType.additionalAddressFamily, familyValue(6)]],
};

const bound = await request(encode({ type: messageType.bindingRequest }));
const report = { mapped: xorAddresses(bound, attributeType.xorMappedAddress)[0], from, echoed: [] };

if (overTcp) {
  const connection = await Connection.open(server);
  report.tcpMapped = xorAddresses(await connection.bind(), attributeType.xorMappedAddress)[0];
  report.tcpLocal = connection.socket.localPort;
  connection.discard();
}

if (families.length > 0) {
  const requested = [attributeType.requestedTransport, Buffer.from([17, 0, 0, 0])];
  const allocated = await authenticated(messageType.allocateRequest, () => [requested, ...familyAttributes[families]]);
  report.relayed = xorAddresses(allocated, attributeType.xorRelayedAddress);
}

for (const peer of peers) {
  const peerAttribute = (id) => [attributeType.xorPeerAddress, xorValue(peer, id)];
  await authenticated(messageType.createPermissionRequest, (id) => [peerAttribute(id)]);
  const transactionId = randomBytes(12);
  const payload = randomBytes(8);
  const attributes = [peerAttribute(transactionId), [attributeType.data, payload]];
  const echo = await exchange(encode({ type: messageType.sendIndication, attributes, transactionId }));
  report.echoed.push({
    isOurs: echo.type === messageType.dataIndication && payload.equals(echo.attributes.get(attributeType.data)),
    from: xorAddresses(echo, attributeType.xorPeerAddress)[0],
  });
}

socket.close();
console.log(`report ${JSON.stringify(report)}`);
