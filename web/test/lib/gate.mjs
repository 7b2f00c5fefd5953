// The site and its signaling on one origin, as the server has them. In front of the test server
// stands a gate that refuses as the real one does: full and locked rooms, missing and wrong tokens.

import { once } from 'node:events';
import http from 'node:http';
import WebSocket, { WebSocketServer } from 'ws';
import { serveSite } from './site.mjs';
import { TestServer } from './test_server.mjs';

const closeCodes = { room_full: 4423, room_locked: 4423, unauthorized: 4401, token_expired: 4401, forbidden: 4403 };

/** Rooms that start with this want a token; "good" is one. */
const guarded = 'guarded-';

export class Gate {
  /** What was asked for, as it would be in a log. */
  requested = [];
  #http = http.createServer(serveSite);
  #sockets = new WebSocketServer({ server: this.#http, path: '/v1/ws', handleProtocols: () => 'turnpike.v1' });
  #rooms = new Map();

  /** `max` is how many may be in a room; `iceServers` are what they get. */
  static async start({ max = 8, iceServers = [] } = {}) {
    const gate = new Gate();
    gate.max = max;
    gate.rooms = await TestServer.start({ iceServers });
    const note = ({ url }) => gate.requested.push(url);
    gate.#http.on('request', note).on('upgrade', note);
    gate.#sockets.on('connection', (socket) => gate.#onConnection(socket));
    gate.#http.listen(0, '127.0.0.1');
    await once(gate.#http, 'listening');
    gate.origin = `http://127.0.0.1:${gate.#http.address().port}`;
    return gate;
  }

  /** While false, nobody gets in or back: connections are refused before the WebSocket opens. */
  isOpen = true;

  async stop() {
    await this.rooms.stop();
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, 'close');
  }

  #roomOf(name) {
    if (!this.#rooms.has(name)) this.#rooms.set(name, { inside: 0, isLocked: false });
    return this.#rooms.get(name);
  }

  #obstacle({ room, token = '', resume }) {
    const { inside, isLocked } = this.#roomOf(room);
    if (room.startsWith(guarded) && token !== 'good') return token === 'old' ? 'token_expired' : 'unauthorized';
    if (resume) return null;
    if (isLocked) return 'room_locked';
    return inside >= this.max ? 'room_full' : null;
  }

  #onConnection(socket) {
    if (!this.isOpen) {
      socket.terminate();
      return;
    }
    const upstream = new WebSocket(this.rooms.url, 'turnpike.v1');
    const isUp = once(upstream, 'open');
    let room = null;
    let name = '';
    socket.on('message', async (data) => {
      const message = JSON.parse(data.toString());
      if (message.type === 'join') {
        const code = this.#obstacle(message);
        if (code) {
          socket.send(JSON.stringify({ type: 'error', id: message.id, code, message: code, retryAfterMs: null, fatal: true }));
          socket.close(closeCodes[code], code);
          return;
        }
        name = message.room;
        room = this.#roomOf(name);
        room.inside += 1;
      }
      if (message.type === 'lock') room.isLocked = message.locked;
      await isUp;
      upstream.send(data.toString());
    });
    upstream.on('message', (data) => {
      const message = JSON.parse(data.toString());
      // The test server knows one name for all rooms.
      if (message.type === 'joined') Object.assign(message.room, { id: name, max: this.max });
      socket.send(JSON.stringify(message));
    });
    const close = (other) => (code, reason) => {
      if (code === 1006 || code === 1005) other.terminate();
      else if (other.readyState === WebSocket.OPEN) other.close(code, reason.toString());
    };
    upstream.on('close', close(socket));
    socket.on('close', (code, reason) => {
      if (room) room.inside -= 1;
      isUp.then(() => close(upstream)(code, reason), () => {});
    });
    upstream.on('error', () => socket.terminate());
    isUp.catch(() => {});
  }
}
