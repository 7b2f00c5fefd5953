// HAProxy in front of the server: one port for each way in which it can speak the PROXY protocol.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from './ports.mjs';
import { start } from './process.mjs';
import { until } from './until.mjs';

/// How a balancer introduces its clients. Version 2 also asks once in a while, with LOCAL headers,
/// whether the server is there.
const ways = {
  v1: 'send-proxy',
  v2: 'send-proxy-v2 proxy-v2-options crc32c check check-send-proxy inter 200ms fall 1 rise 1',
  none: '',
};

function configuration(sections, statusPort) {
  return [
    'defaults',
    '  mode tcp',
    '  timeout connect 5s',
    '  timeout client 60s',
    '  timeout server 60s',
    ...sections.flatMap(({ over, way, port, server }) => [
      `listen ${over}_${way}`,
      `  bind 127.0.0.1:${port}`,
      `  bind [::1]:${port}`,
      `  server turnpike 127.0.0.1:${server} ${ways[way]}`,
    ]),
    'frontend status',
    '  mode http',
    `  bind 127.0.0.1:${statusPort}`,
    '  stats enable',
    '  stats uri /',
    '',
  ].join('\n');
}

const canConnect = (port) =>
  new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

/// Starts HAProxy before the listeners of `server` that expect balancers, on 127.0.0.1 and ::1.
export async function startHaproxy(server) {
  const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-'));
  const sections = [];
  for (const over of ['tcp', 'tls']) {
    for (const way of Object.keys(ways)) {
      const port = await freePort({ transports: ['tcp'] });
      sections.push({ over, way, port, server: server.proxiedPorts[over] });
    }
  }
  const statusPort = await freePort({ transports: ['tcp'] });
  const file = path.join(directory, 'haproxy.cfg');
  await writeFile(file, configuration(sections, statusPort));
  const balancer = start('haproxy', process.env.HAPROXY ?? '/usr/sbin/haproxy', ['-db', '-f', file]);
  await until('haproxy to listen', () => canConnect(statusPort), { everyMs: 20 });

  return {
    /// The port to reach the server over "tcp" or "tls", introduced by "v1", "v2" or "none".
    portFor: (over, way) => sections.find((section) => section.over === over && section.way === way).port,

    /// What HAProxy says of the server behind `over`: "UP", "DOWN", "no check".
    async status(over, way) {
      const response = await fetch(`http://127.0.0.1:${statusPort}/;csv`);
      const lines = (await response.text()).split('\n').map((line) => line.split(','));
      const column = lines[0].indexOf('status');
      return lines.find(([proxy, name]) => proxy === `${over}_${way}` && name === 'turnpike')[column];
    },

    async stop() {
      balancer.kill('SIGKILL');
      await balancer.ended;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
