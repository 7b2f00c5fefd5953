// A small signaling server that speaks turnpike.v1 as the real one does (docs/adr/0020-rooms.md),
// for tests that want to restart it, look inside, or run without a build of turnpike.
//
// Left out: tokens, rates, sizes, webhooks. Timeouts are those of the protocol unless given.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { WebSocketServer } from 'ws';

const random = (prefix) => prefix + randomBytes(6).toString('base64url');

class Member {
  away = false;
  replay = [];
  timer = null;

  constructor(room, socket, { name = '', meta = {}, token = '' }) {
    room.lastN += 1;
    Object.assign(this, { room, socket, name, meta, token, n: room.lastN, peer: random('p_') });
    this.role = room.members.length === 0 ? 'owner' : 'member';
  }

  viewFor({ n }) {
    const view = { peer: this.peer, n: this.n, name: this.name, meta: this.meta };
    return { ...view, polite: n < this.n, offer: n > this.n, ...(this.away && { away: true }) };
  }

  tell(message) {
    if (!this.away) this.socket.send(JSON.stringify(message));
  }

  /** Numbered, and kept for a resume. Returns whether it was there. */
  deliver(message) {
    this.replay.push(message);
    this.tell(message);
    return !this.away;
  }
}

export class TestServer {
  /** Every message of a client, as [peer, message], for assertions. */
  heard = [];
  #rooms = new Map();
  #http;
  #sockets;
  #windowMs;
  #iceServers;

  /**
   * @param handle what to do with plain HTTP requests
   * @param port 0: any
   */
  static async start({ port = 0, windowMs = 30_000, iceServers = [], handle } = {}) {
    const server = new TestServer();
    server.#windowMs = windowMs;
    server.#iceServers = iceServers;
    server.#http = http.createServer(handle ?? ((_, response) => response.writeHead(404).end()));
    const handleProtocols = (offered) => (offered.has('turnpike.v1') ? 'turnpike.v1' : false);
    server.#sockets = new WebSocketServer({ server: server.#http, path: '/v1/ws', handleProtocols });
    server.#sockets.on('connection', (socket) => server.#onConnection(socket));
    server.#http.listen(port, '127.0.0.1');
    await once(server.#http, 'listening');
    return server;
  }

  get port() {
    return this.#http.address().port;
  }

  get url() {
    return `ws://127.0.0.1:${this.port}/v1/ws`;
  }

  /** Ends at once, as if killed: connections break, rooms are forgotten. */
  async stop() {
    for (const { members } of this.#rooms.values()) {
      for (const { timer } of members.splice(0)) clearTimeout(timer);
    }
    this.#rooms.clear();
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, 'close');
  }

  /** Breaks the connection of the member with this name, without a close frame. */
  cut(name) {
    this.#memberNamed(name).socket.terminate();
  }

  /** Forgets the member with this name, as if it had been away for too long. */
  forget(name) {
    const member = this.#memberNamed(name);
    this.#remove(member, 'timeout');
    member.socket.terminate();
  }

  #memberNamed(name) {
    const all = [...this.#rooms.values()].flatMap(({ members }) => members);
    return all.findLast((member) => member.name === name);
  }

  #onConnection(socket) {
    const connection = { socket, member: null };
    socket.on('message', (data) => this.#onMessage(connection, JSON.parse(data.toString())));
    socket.on('close', (code) => this.#onClosed(connection, code));
  }

  #onMessage(connection, message) {
    if (message.type === 'join') {
      this.#onJoin(connection, message);
      return;
    }
    const { member } = connection;
    if (!member) return;
    this.heard.push([member, message]);
    const { type, id } = message;
    const ack = (more = {}) => id !== undefined && member.tell({ type: 'ack', id, ...more });
    switch (type) {
      case 'signal':
        this.#relay(member, message, [message.to], ack, (seq) =>
          ({ type: 'signal', from: member.peer, seq, data: message.data }));
        break;
      case 'message': {
        const to = message.to ?? this.#others(member).map(({ peer }) => peer);
        this.#relay(member, message, to, ack, (seq) => ({
          type: 'message', from: member.peer, event: message.event, data: message.data, seq, ts: Date.now(),
          ...(message.to && { private: true }),
        }));
        break;
      }
      case 'update':
        member.meta = message.meta;
        this.#tellOthers(member, { type: 'peer-updated', peer: member.peer, meta: message.meta });
        ack();
        break;
      case 'ice':
        member.tell({ type: 'ice', id, iceServers: this.#iceServers, iceExpiresAt: Date.now() + 3_600_000 });
        break;
      case 'kick':
        this.#onKick(member, message, ack);
        break;
      case 'leave':
        ack();
        this.#remove(member, 'left');
        connection.member = null;
        connection.socket.close(1000, 'left');
        break;
      case 'end':
        ack();
        this.#onEnd(member.room);
        break;
      default:
        ack();
    }
  }

  #onKick(member, { id, peer }, ack) {
    const target = member.room.members.find((each) => each.peer === peer);
    if (member.role !== 'owner' || !target) {
      const code = target ? 'forbidden' : 'peer_not_found';
      member.tell({ type: 'error', id, code, message: 'no', retryAfterMs: null, fatal: false });
      return;
    }
    ack();
    target.tell({ type: 'closed', code: 'kicked' });
    this.#remove(target, 'kicked');
    target.socket.close(4403, 'kicked');
  }

  #onEnd(room) {
    for (const member of room.members) {
      member.tell({ type: 'closed', code: 'room_ended' });
      member.socket.close(4410, 'room_ended');
    }
    room.members.length = 0;
  }

  #relay(member, { id }, to, ack, compose) {
    const { room } = member;
    const targets = to.map((peer) => room.members.find((each) => each.peer === peer && each !== member));
    if (targets.includes(undefined)) {
      member.tell({ type: 'error', id, code: 'peer_not_found', message: 'no such peer', retryAfterMs: null, fatal: false });
      return;
    }
    room.lastSeq += 1;
    const text = compose(room.lastSeq);
    ack({ delivered: targets.filter((target) => target.deliver(text)).length });
  }

  // --- Coming and going --------------------------------------------------------------------------

  #onJoin(connection, message) {
    if (!this.#rooms.has(message.room)) this.#rooms.set(message.room, { members: [], lastN: 0, lastSeq: 0 });
    const room = this.#rooms.get(message.room);
    if (message.resume) this.#onResume(connection, room, message);
    else this.#admit(connection, room, message);
  }

  #admit(connection, room, message) {
    const member = new Member(room, connection.socket, message);
    connection.member = member;
    room.members.push(member);
    this.#welcome(member, message.id, {});
    for (const other of this.#others(member)) other.tell({ type: 'peer-joined', peer: member.viewFor(other) });
  }

  #onResume(connection, room, { id, resume, lastSeq, token }) {
    const member = room.members.find((each) => each.ticket === resume && each.token === token);
    if (!member || lastSeq > room.lastSeq) {
      const error = { type: 'error', id, code: 'resume_failed', message: 'join without resume' };
      connection.socket.send(JSON.stringify({ ...error, retryAfterMs: null, fatal: false }));
      return;
    }
    clearTimeout(member.timer);
    connection.member = member;
    member.socket = connection.socket;
    const wasAway = member.away;
    member.away = false;
    this.#welcome(member, id, { resumed: true });
    for (const missed of member.replay) {
      if (missed.seq > lastSeq) member.tell(missed);
    }
    if (wasAway) this.#tellOthers(member, { type: 'peer-back', peer: member.peer });
  }

  #welcome(member, id, more) {
    const { room, peer, n, name, role } = member;
    member.ticket = random('rt_');
    member.tell({
      type: 'joined', id, ...more,
      self: { peer, n, name, role },
      room: { id: 'test', max: 8, locked: false, meta: {} },
      peers: this.#others(member).map((other) => other.viewFor(member)),
      iceServers: this.#iceServers,
      iceExpiresAt: Date.now() + 3_600_000,
      iceTransportPolicy: 'all',
      resume: { ticket: member.ticket, windowMs: this.#windowMs },
      ping: { intervalMs: 15_000, timeoutMs: 10_000 },
      limits: { maxMessage: 65_536, perSecond: 50 },
      server: { version: 'test', node: 'n1', region: '' },
    });
  }

  #onClosed({ socket, member }, code) {
    if (!member || member.socket !== socket || !member.room.members.includes(member)) return;
    if (code === 1000) {
      this.#remove(member, 'left');
      return;
    }
    member.away = true;
    this.#tellOthers(member, { type: 'peer-away', peer: member.peer });
    member.timer = setTimeout(() => this.#remove(member, 'timeout'), this.#windowMs);
  }

  #remove(member, reason) {
    clearTimeout(member.timer);
    this.#tellOthers(member, { type: 'peer-left', peer: member.peer, reason });
    const { members } = member.room;
    if (members.includes(member)) members.splice(members.indexOf(member), 1);
  }

  #others(member) {
    return member.room.members.filter((other) => other !== member);
  }

  #tellOthers(member, message) {
    for (const other of this.#others(member)) other.tell(message);
  }
}
