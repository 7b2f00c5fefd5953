// A server with the Socket.IO door: the test suite's own small driver around it.

import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { freePort } from './ports.mjs';
import { start } from './process.mjs';
import { until } from './until.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const defaultBinary = path.resolve(here, '../../../build/dev/turnpike_socketio_server');

const answers = (url) => fetch(`${url}/healthz`).then((response) => response.ok, () => false);

/// Starts one and returns once it answers. `echo`: the app that the official test suites expect, with pings
/// every 300 ms that want an answer within `pingTimeoutMs`. `port`: a certain one, for a server that comes back.
export async function startSocketIoServer({ echo = false, pingTimeoutMs = 200, port } = {}) {
  const at = port ?? (await freePort({ transports: ['tcp'] }));
  const binary = process.env.TURNPIKE_SOCKETIO_SERVER ?? defaultBinary;
  const server = start('socketio-server', binary, [String(at), ...(echo ? ['echo', String(pingTimeoutMs)] : [])]);
  const url = `http://127.0.0.1:${at}`;
  await until('the server to answer', async () => {
    if (server.hasEnded()) throw new Error('the server ended before it answered');
    return answers(url);
  }, { everyMs: 20 });
  return {
    port: at,
    url,
    async stop() {
      server.kill('SIGTERM');
      await server.ended;
    },
  };
}
