// The servers that the browser tests run against. Each has `port`, `url`, `hasRelay`, `restart()` and
// `stop()`.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort, relayPortRange } from '../../../tests/e2e/lib/ports.mjs';
import { start } from '../../../tests/e2e/lib/process.mjs';
import { mintRestCredential } from '../../../tests/e2e/lib/server.mjs';
import { until } from './events.mjs';
import { TestServer } from './test_server.mjs';

const binary = process.env.TURNPIKE_BINARY;
const secret = 'browser-tests-only-not-a-secret-0123456789';

/** What a server answers to a WebSocket handshake at /v1/ws; null: nobody is there. */
function handshakeStatus(port) {
  return new Promise((resolve) => {
    const request = http.get({
      host: '127.0.0.1', port, path: '/v1/ws', headers: {
        connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13',
        'sec-websocket-key': 'dHVybnBpa2UgdGVzdHMhIQ==', 'sec-websocket-protocol': 'turnpike.v1',
      },
    });
    request.on('response', (response) => {
      response.destroy();
      resolve(response.statusCode);
    });
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode);
    });
    request.on('error', () => resolve(null));
  });
}

/** The real server, everything on loopback: then anybody may join any room. */
async function startTurnpike() {
  const port = await freePort();
  const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-web-'));
  const config = path.join(directory, 'turnpike.toml');
  const { first, last } = relayPortRange();
  await writeFile(config, [
    'realm = "web.turnpike.test"',
    '[listen]', `udp = ["127.0.0.1:${port}"]`, `tcp = ["127.0.0.1:${port}"]`, 'tls = []',
    '[relay]', `ports = "${first}-${last}"`,
    '[limits]', 'challenge_rate = 0', 'tcp_connections_per_address = 0',
    '[auth]', `secrets = [{ id = "t", value = ${JSON.stringify(secret)} }]`, '',
  ].join('\n'), { mode: 0o600 });

  let server;
  async function begin() {
    server = start('turnpike', binary, ['serve', '--config', config]);
    const answers = async () => server.hasEnded() || (await handshakeStatus(port)) !== null;
    await until('turnpike to answer', answers);
    if (server.hasEnded()) throw new Error(`turnpike did not start:\n${server.log.text}`);
  }
  async function end() {
    server.kill('SIGTERM');
    await server.ended;
  }
  await begin();
  return {
    port,
    url: `ws://127.0.0.1:${port}/v1/ws`,
    hasRelay: true,
    async restart() {
      await end();
      await begin();
    },
    async stop() {
      await end();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The small server, with the real one for its relays if there is one. */
async function startTestServer() {
  const turn = binary && (await startTurnpike());
  const iceServers = turn
    ? [{ urls: [`turn:127.0.0.1:${turn.port}?transport=udp`], ...mintRestCredential('tester', { secret }) }]
    : [];
  let server = await TestServer.start({ iceServers });
  const { url, port } = server;
  return {
    port,
    url,
    hasRelay: Boolean(turn),
    async restart() {
      await server.stop();
      server = await TestServer.start({ port, iceServers });
    },
    async stop() {
      await server.stop();
      await turn?.stop();
    },
  };
}

/** Why the real server is left out; false: it is not. */
async function reasonToSkip() {
  if (!binary) return 'TURNPIKE_BINARY names no server';
  const server = await startTurnpike();
  const status = await handshakeStatus(server.port);
  await server.stop();
  return status === 101 ? false : `this turnpike has no /v1/ws (status ${status})`;
}

export const backends = [
  // One of them is enough: the small one is for work on the client without a build of the server.
  { name: 'the small server of the tests', start: startTestServer, skip: binary && 'the real one is there' },
  { name: 'turnpike serve', start: startTurnpike, skip: await reasonToSkip() },
];
