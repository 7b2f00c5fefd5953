// A TURN client on one UDP socket, with the credentials of an RTCIceServer.

import { once } from 'node:events';
import dgram from 'node:dgram';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { attributeType, decode, encode, longTermKey, messageType, transactionIdOf, xorAddresses, xorValue } from './stun.mjs';
import { within } from './until.mjs';

const overUdp = [attributeType.requestedTransport, Buffer.from([17, 0, 0, 0])];

export class TurnClient {
  /// Allocates at `host`:`port`, coming from `address`; rejects with the error code when it is refused. A
  /// request is sent `tries` times, `patienceMs` apart, as long as nobody answers.
  static async allocate(port, { username, credential }, {
    host = '127.0.0.1', address = '127.0.0.1', tries = 10, patienceMs = 500,
  } = {}) {
    const client = new TurnClient({ host, port, username, tries, patienceMs });
    const type = messageType.allocateRequest;
    try {
      client.socket.bind(0, address);
      await once(client.socket, 'listening');
      client.challenge = (await client.#exchange(encode({ type, attributes: [overUdp] }))).attributes;
      const realm = client.challenge.get(attributeType.realm);
      client.key = longTermKey(username, realm, credential);
      const answer = await client.#request(type, () => [overUdp]);
      [client.relayed] = xorAddresses(answer, attributeType.xorRelayedAddress);
    } catch (error) {
      client.discard(); // an open socket would keep node alive
      throw error;
    }
    return client;
  }

  constructor(properties) {
    Object.assign(this, properties);
    this.socket = dgram.createSocket(this.host.includes(':') ? 'udp6' : 'udp4');
  }

  async #exchange(message) {
    const id = transactionIdOf(message);
    let onMessage;
    const answered = new Promise((resolve) => {
      onMessage = (bytes) => transactionIdOf(bytes) === id && resolve(decode(bytes));
    });
    this.socket.on('message', onMessage);
    try {
      for (let i = 0; i < this.tries; i += 1) {
        await this.send(message);
        const answer = await Promise.race([answered, pause(this.patienceMs, undefined, { ref: false })]);
        if (answer) return answer;
      }
    } finally {
      this.socket.off('message', onMessage);
    }
    throw new Error(`no answer from the relay in ${this.tries} tries`);
  }

  async #request(type, attributesFor) {
    const transactionId = randomBytes(12);
    const attributes = [
      ...attributesFor(transactionId),
      [attributeType.username, this.username],
      [attributeType.realm, this.challenge.get(attributeType.realm)],
      [attributeType.nonce, this.challenge.get(attributeType.nonce)],
    ];
    const answer = await this.#exchange(encode({ type, attributes, key: this.key, transactionId }));
    if (!answer.errorCode) return answer;
    this.discard();
    throw new Error(`the relay refused with ${answer.errorCode}`);
  }

  permit(peer) {
    return this.#request(messageType.createPermissionRequest, (id) => [
      [attributeType.xorPeerAddress, xorValue(peer, id)],
    ]);
  }

  /// Lifetime 0 ends the allocation.
  refresh(lifetimeS) {
    const lifetime = Buffer.alloc(4);
    lifetime.writeUInt32BE(lifetimeS);
    return this.#request(messageType.refreshRequest, () => [[attributeType.lifetime, lifetime]]);
  }

  /// Resolves once the kernel has the datagram.
  sendTo(peer, payload) {
    const transactionId = randomBytes(12);
    const attributes = [
      [attributeType.xorPeerAddress, xorValue(peer, transactionId)],
      [attributeType.data, Buffer.from(payload)],
    ];
    return this.send(encode({ type: messageType.sendIndication, attributes, transactionId }));
  }

  /// The same for any datagram to the server.
  send(datagram) {
    return new Promise((resolve, reject) => {
      this.socket.send(datagram, this.port, this.host, (error) => (error ? reject(error) : resolve()));
    });
  }

  /// The payload of the next datagram from a peer.
  async receive() {
    const [bytes] = await within(5_000, 'a datagram through the relay', once(this.socket, 'message'));
    return payloadOf(bytes);
  }

  /// Ends the allocation and goes.
  async end() {
    await this.refresh(0);
    this.discard();
  }

  /// A second time, too.
  discard() {
    if (this.isClosed) return;
    this.isClosed = true;
    this.socket.close();
  }
}

/// What a Data indication carries.
export const payloadOf = (indication) => decode(indication).attributes.get(attributeType.data)?.toString();

/// Sends `payload` from the relay of one client to that of the other, and insists that it arrives.
export async function relayBetween(from, to, payload) {
  await Promise.all([from.permit(to.relayed), to.permit(from.relayed)]);
  const arrival = to.receive();
  await from.sendTo(to.relayed, payload);
  return arrival;
}
