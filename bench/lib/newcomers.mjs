// New clients that come while others are at work: does each get its allocation in three tries?

import dgram from 'node:dgram';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { attributeType, decode, encode, longTermKey, messageType, transactionIdOf } from '../../tests/e2e/lib/stun.mjs';

const tries = 3;
const patienceMs = 250;
const overUdp = [attributeType.requestedTransport, Buffer.from([17, 0, 0, 0])];

/// The answer to `message`, sent `tries` times at most; undefined when none comes.
async function ask(socket, port, message) {
  let onMessage;
  const answered = new Promise((resolve) => {
    onMessage = (bytes) => transactionIdOf(bytes) === transactionIdOf(message) && resolve(decode(bytes));
  });
  socket.on('message', onMessage);
  let answer;
  for (let i = 0; i < tries && !answer; i += 1) {
    socket.send(message, port, '127.0.0.1');
    answer = await Promise.race([answered, pause(patienceMs)]);
  }
  socket.off('message', onMessage);
  return answer;
}

/// Allocates as a new client at `address` does, and leaves. True when it got its allocation.
async function arrive(port, address, { user, password }) {
  const socket = dgram.createSocket('udp4');
  try {
    await new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, address, resolve);
    });
    const challenge = await ask(socket, port, encode({ type: messageType.allocateRequest, attributes: [overUdp] }));
    const [realm, nonce] = [attributeType.realm, attributeType.nonce].map((type) => challenge?.attributes.get(type));
    if (!realm || !nonce) return false;
    const signed = (type, attributes) => encode({
      type, key: longTermKey(user, realm, password), transactionId: randomBytes(12),
      attributes: [...attributes, [attributeType.username, user], [attributeType.realm, realm], [attributeType.nonce, nonce]],
    });
    const answer = await ask(socket, port, signed(messageType.allocateRequest, [overUdp]));
    await ask(socket, port, signed(messageType.refreshRequest, [[attributeType.lifetime, Buffer.alloc(4)]]));
    return answer?.type === messageType.allocateSuccess;
  } finally {
    socket.close();
  }
}

/// `perSecond` of them for `seconds`, each from a network of its own; returns {came, served}.
export async function newcomers(port, { user, password, perSecond = 20, seconds }) {
  const all = [];
  const startedAt = performance.now();
  for (let number = 0; number < perSecond * seconds; number += 1) {
    await pause(startedAt + (1000 * number) / perSecond - performance.now());
    all.push(arrive(port, `127.96.${number % 256}.${1 + (number >> 8)}`, { user, password }));
  }
  const served = (await Promise.all(all)).filter(Boolean).length;
  return { came: all.length, served };
}
