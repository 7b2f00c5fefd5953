// Members of rooms, and HTTP, as any program would speak them: turnpike.v1 over the npm package `ws`.

import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { WebSocket } from 'ws';
import { until, within } from './until.mjs';

const patienceMs = 15_000;

/// One WebSocket at /v1/ws: what it received, and how it ended.
export class Member {
  /// Opens it at `url`; `options` are those of `ws`.
  static async open(url, options = {}) {
    const socket = new WebSocket(`${url}/v1/ws`, 'turnpike.v1', options);
    const member = new Member(socket);
    await within(patienceMs, 'the WebSocket to open', once(socket, 'open'));
    return member;
  }

  /// Opens it and asks to join. Whoever is refused has `closeCode` in the end.
  static async join(url, { options, ...join } = {}) {
    const member = await Member.open(url, options);
    member.send({ type: 'join', id: 1, room: 'demo', ...join });
    return member;
  }

  constructor(socket) {
    this.socket = socket;
    this.received = [];
    socket.on('message', (data) => this.#receive(JSON.parse(data)));
    socket.on('close', (code) => (this.closeCode = code));
    socket.on('error', () => {}); // 'close' follows
  }

  #receive(message) {
    this.received.push(message);
    if (message.type === 'ping') this.send({ type: 'pong', ts: message.ts });
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  /// Sends an event to all others. With an `id` the server says to how many it went.
  post(event, data, id) {
    this.send({ type: 'message', event, data, ...(id === undefined ? {} : { id }) });
  }

  /// Its name in the room, once it has joined.
  get peer() {
    return this.told('joined')[0].self.peer;
  }

  /// All that it was told of this type, in order.
  told(type) {
    return this.received.filter((message) => message.type === type);
  }

  /// Waits until it has been told `count` things of this type, and returns them.
  async hears(type, count = 1) {
    const describe = () => `${this.told(type).length} of ${count}`;
    const hasHeard = () => this.told(type).length >= count;
    await until(`${count} of type ${type}`, hasHeard, { deadlineMs: patienceMs, everyMs: 5, describe });
    return this.told(type);
  }

  /// The first message of this type that arrived or will.
  heard(type, deadlineMs = patienceMs) {
    return until(`a message "${type}"`, () => this.told(type)[0], { deadlineMs, everyMs: 10, describe: () => this.received });
  }

  joined() {
    return this.heard('joined');
  }

  /// The code with which the server closed it.
  closed(deadlineMs = patienceMs) {
    return until('the WebSocket to be closed', () => this.closeCode, {
      deadlineMs, everyMs: 10, describe: () => this.received,
    });
  }

  discard() {
    this.socket.terminate();
  }
}

/// One request on a connection of its own: {status, headers, body}. Unlike fetch() it sends the
/// path as it is and any header, and leaves codings to the caller.
export async function ask(url, { path = '/', ...options } = {}) {
  const { body, ...others } = options;
  const { hostname, port, protocol } = new URL(url);
  const request = (protocol === 'https:' ? https : http).request({
    hostname: hostname.replace(/[[\]]/g, ''), port, path, agent: false, ...others,
  });
  request.end(body);
  const [response] = await within(patienceMs, `an answer to ${path}`, once(request, 'response'));
  const chunks = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

/// The REST API with `key`: resolves to {status, headers, json}.
export function restClient(url, key) {
  return async (method, path, body) => {
    const headers = {
      ...(key ? { Authorization: `Bearer ${key}` } : {}),
      ...(body ? { 'Content-Type': 'application/json' } : {}),
    };
    const answer = await ask(url, { method, path, headers, body: body && JSON.stringify(body) });
    const text = answer.body.toString();
    return { ...answer, json: text ? JSON.parse(text) : undefined };
  };
}
