// The tutorial's two routes, and the socket over which openvidu-browser.js (beside this file)
// connects with the token that they gave.

import { randomUUID } from 'node:crypto';
import { WebSocketServer } from 'ws';

export class Sessions {
  #members = new Map(); // session id: Map of member id to socket
  #tokens = new Map(); // token: session id
  #upgrades = new WebSocketServer({ noServer: true });

  constructor(iceServers) {
    this.iceServers = iceServers;
  }

  async answer(request, pathname, response) {
    const [, , , sessionId, connections] = pathname.split('/');
    if (request.method !== 'POST') return response.writeHead(405).end();
    if (sessionId === undefined) {
      const chunks = await request.toArray();
      const { customSessionId } = JSON.parse(Buffer.concat(chunks));
      if (!this.#members.has(customSessionId)) this.#members.set(customSessionId, new Map());
      return response.end(customSessionId);
    }
    if (connections !== 'connections' || !this.#members.has(sessionId)) return response.writeHead(404).end();
    const token = randomUUID();
    this.#tokens.set(token, sessionId);
    return response.end(token);
  }

  accept(request, socket, head) {
    const token = new URL(request.url, 'https://reference.test').searchParams.get('token');
    const sessionId = this.#tokens.get(token);
    if (sessionId === undefined) return socket.destroy();
    this.#tokens.delete(token);
    return this.#upgrades.handleUpgrade(request, socket, head, (client) => this.#enter(sessionId, client));
  }

  #enter(sessionId, client) {
    const members = this.#members.get(sessionId);
    const id = randomUUID();
    const say = (socket, message) => socket.send(JSON.stringify(message));
    say(client, { type: 'entered', iceServers: this.iceServers, members: [...members.keys()] });
    members.set(id, client);
    client.on('message', (text) => {
      const { to, ...rest } = JSON.parse(text);
      if (members.has(to)) say(members.get(to), { ...rest, from: id });
    });
    client.on('close', () => {
      members.delete(id);
      for (const other of members.values()) say(other, { type: 'gone', from: id });
    });
  }
}
