// A WebSocket server that says what a test tells it to, and nothing else.

import { once } from 'node:events';
import { WebSocketServer } from 'ws';
import { until } from './events.mjs';

/** One client's connection, as the server sees it. */
class Connection {
  received = [];
  closed = null;
  #socket;
  #read = 0;

  constructor(socket) {
    this.#socket = socket;
    socket.on('message', (data) => this.received.push(JSON.parse(data.toString())));
    socket.on('close', (code) => {
      this.closed = { code };
    });
  }

  /** The next message that the client sent. */
  async take() {
    await until('a message of the client', () => this.received.length > this.#read, { describe: () => this.received });
    this.#read += 1;
    return this.received[this.#read - 1];
  }

  /** The next message of this type; what comes before it is passed over. */
  async takeType(type) {
    for (;;) {
      const message = await this.take();
      if (message.type === type) return message;
    }
  }

  say(...messages) {
    for (const message of messages) this.#socket.send(JSON.stringify(message));
  }

  sayText(text) {
    this.#socket.send(text);
  }

  close(code, reason) {
    this.#socket.close(code, reason);
  }

  /** As a network that breaks: no close frame. */
  cut() {
    this.#socket.terminate();
  }

  async end() {
    await until('the end of a connection', () => this.closed);
    return this.closed.code;
  }
}

export class ScriptServer {
  connections = [];
  #server;
  #taken = 0;

  static async start() {
    const server = new ScriptServer();
    server.#server = new WebSocketServer({
      host: '127.0.0.1',
      port: 0,
      handleProtocols: (offered) => (offered.has('turnpike.v1') ? 'turnpike.v1' : false),
    });
    await once(server.#server, 'listening');
    server.#server.on('connection', (socket) => server.connections.push(new Connection(socket)));
    return server;
  }

  get url() {
    return `ws://127.0.0.1:${this.#server.address().port}/v1/ws`;
  }

  /** The next connection that a client makes. */
  async accept() {
    await until('a connection', () => this.connections.length > this.#taken);
    this.#taken += 1;
    return this.connections[this.#taken - 1];
  }

  async stop() {
    for (const connection of this.connections) connection.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** A `joined` message; `changes` replaces parts of it. */
export function joined(id, changes = {}) {
  return {
    type: 'joined',
    id,
    self: { peer: 'p_me', n: 1, name: 'Mina', role: 'member' },
    room: { id: 'demo', max: 8, locked: false, meta: {} },
    peers: [],
    iceServers: [{ urls: ['stun:127.0.0.1:3478'] }],
    iceExpiresAt: 1_800_003_600_000,
    iceTransportPolicy: 'all',
    resume: { ticket: 'rt_1', windowMs: 30_000 },
    ping: { intervalMs: 15_000, timeoutMs: 10_000 },
    limits: { maxMessage: 65_536, perSecond: 50 },
    server: { version: '0.1.0', node: 'n1', region: '' },
    ...changes,
  };
}

/** What a server says of a peer to one that came after it. */
export const peerView = (peer, changes = {}) =>
  ({ peer, n: 1, name: peer, meta: {}, polite: false, offer: true, ...changes });
