// A client's TCP or TLS connection to the server, message by message and byte by byte.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { staticPassword } from './server.mjs';
import {
  attributeType, decode, encode, firstMessage, longTermKey, messageType, transactionIdOf, xorValue,
} from './stun.mjs';
import { within } from './until.mjs';

const udp = Buffer.from([17, 0, 0, 0]); // REQUESTED-TRANSPORT (RFC 8656 §18.7)

export class Connection {
  /// Opens a connection to `port` at a loopback address. `certificate` is what a TLS server must
  /// show; without it the connection is plain TCP.
  static async open({ port, address = '127.0.0.1', certificate, protocols }) {
    const startedAt = performance.now();
    const socket = certificate
      ? tls.connect({ host: address, port, ca: certificate.pem, ALPNProtocols: protocols })
      : net.connect({ host: address, port });
    const connection = new Connection(socket, startedAt);
    await once(socket, certificate ? 'secureConnect' : 'connect');
    return connection;
  }

  constructor(socket, startedAt) {
    this.socket = socket;
    this.startedAt = startedAt;
    this.received = Buffer.alloc(0);
    this.isClosed = false;
    this.whenSomethingHappens = withResolvers();

    /// Resolves once the server has closed the connection, however it did.
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.isClosed = true;
        this.closedAt = performance.now();
        this.#wake();
        resolve();
      });
    });
    socket.on('data', (bytes) => {
      this.received = Buffer.concat([this.received, bytes]);
      this.#wake();
    });
    socket.on('error', () => {}); // 'close' follows; a reset is one way to be closed
  }

  #wake() {
    this.whenSomethingHappens.resolve();
    this.whenSomethingHappens = withResolvers();
  }

  /// How long the connection lived, from before it was open at the server.
  get lifetimeMs() {
    return this.closedAt - this.startedAt;
  }

  write(bytes) {
    this.socket.write(bytes);
  }

  /// The next STUN message that arrives.
  async message() {
    for (;;) {
      const bytes = firstMessage(this.received);
      if (bytes) {
        this.received = this.received.subarray(bytes.length);
        return decode(bytes);
      }
      if (this.isClosed) throw new Error('the server closed the connection before it answered');
      await this.whenSomethingHappens.promise;
    }
  }

  /// Sends a request, or what is left of it to send, and returns the answer to it.
  async request(message, bytes = message) {
    this.write(bytes);
    const answer = await within(5_000, 'an answer', this.message());
    if (answer.transactionId !== transactionIdOf(message)) throw new Error('that answers another request');
    return answer;
  }

  bind() {
    return this.request(encode({ type: messageType.bindingRequest }));
  }

  /// Asks for an allocation as RFC 8656 §7.1 wants it: without credentials first, then with those
  /// of a static user.
  async allocate(user) {
    const requested = [attributeType.requestedTransport, udp];
    const type = messageType.allocateRequest;
    const challenge = await this.request(encode({ type, attributes: [requested] }));
    const realm = challenge.attributes.get(attributeType.realm);
    this.key = longTermKey(user, realm, staticPassword);
    this.signed = [
      [attributeType.username, user],
      [attributeType.realm, realm],
      [attributeType.nonce, challenge.attributes.get(attributeType.nonce)],
    ];
    return this.request(encode({ type, attributes: [requested, ...this.signed], key: this.key }));
  }

  /// Asks for a permission for `peer`; after allocate().
  permit(peer) {
    const transactionId = randomBytes(12);
    const attributes = [[attributeType.xorPeerAddress, xorValue(peer, transactionId)], ...this.signed];
    return this.request(encode({ type: messageType.createPermissionRequest, attributes, key: this.key, transactionId }));
  }

  /// Sends `payload` through the relay.
  sendTo(peer, payload) {
    const transactionId = randomBytes(12);
    const attributes = [
      [attributeType.xorPeerAddress, xorValue(peer, transactionId)],
      [attributeType.data, Buffer.from(payload)],
    ];
    this.write(encode({ type: messageType.sendIndication, attributes, transactionId }));
  }

  /// Says goodbye with a FIN.
  end() {
    this.socket.end();
  }

  /// Goes without a goodbye, with a RST.
  reset() {
    this.socket.resetAndDestroy();
  }

  discard() {
    this.socket.destroy();
  }
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve) => (made.resolve = resolve));
  return made;
}
