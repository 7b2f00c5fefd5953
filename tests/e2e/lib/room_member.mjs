// One member of a room over turnpike.v1, with nothing between it and the wire but `ws`.

import { once } from 'node:events';
import { WebSocket } from 'ws';
import { until } from './until.mjs';

/// Joins `room` at a server on loopback, and returns once it has joined. What it is told is kept by
/// type, in the order in which it came.
export async function joinRoom(port, room) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/ws`, 'turnpike.v1');
  await once(socket, 'open');

  const told = new Map();
  const heard = (type) => told.get(type) ?? told.set(type, []).get(type);
  let closeCode;
  socket.on('message', (text) => {
    const message = JSON.parse(text);
    heard(message.type).push(message);
    if (message.type === 'ping') send({ type: 'pong', ts: message.ts });
  });
  socket.on('close', (code) => {
    closeCode = code;
  });

  function send(message) {
    socket.send(JSON.stringify(message));
  }

  send({ type: 'join', room });
  await until(`a member to join ${room}`, () => heard('joined').length > 0, { everyMs: 5 });

  return {
    /// Its name in the room, as the server gave it.
    peer: heard('joined')[0].self.peer,

    /// All that it was told of this type.
    heard,

    /// Sends an event to all others. With an `id` the server says to how many it went.
    send: (event, data, id) => send({ type: 'message', event, data, ...(id === undefined ? {} : { id }) }),

    /// Waits until it has been told `count` things of this type, and returns them.
    async hears(type, count = 1) {
      const describe = () => `${heard(type).length} of ${count}`;
      await until(`${count} of type ${type}`, () => heard(type).length >= count, { everyMs: 5, describe });
      return heard(type);
    },

    stopReading: () => socket.pause(),
    readOn: () => socket.resume(),

    /// The code with which its connection was closed.
    closed: () => until('the connection to be closed', () => closeCode, { everyMs: 5 }),

    /// Ends it without a word.
    discard: () => socket.terminate(),
  };
}
