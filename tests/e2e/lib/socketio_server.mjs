// `turnpike serve` with the Socket.IO door.

import { startServer } from './server.mjs';

/// Starts one: with the profiles of tutorials, or with `echo`, the app that the official test suites
/// expect, and pings every second that want an answer within `pingTimeout`.
export async function startSocketIoServer({ echo = false, pingTimeout = '1s' } = {}) {
  const server = await startServer({
    signaling: {
      auth: 'open',
      joins_per_minute: 0,
      doors: ['socketio'],
      ...(echo ? { socketio_profiles: ['echo'], socketio_ping_interval: '1s', socketio_ping_timeout: pingTimeout } : {}),
    },
  });
  return Object.assign(server, { url: `http://127.0.0.1:${server.port}` });
}
