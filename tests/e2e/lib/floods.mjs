// Floods from strangers, by name, and the programs that make them: udp_flooder.c, handshake_flooder.c,
// and connections that say hardly anything.

import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { dtlsClientHello, tlsClientHello } from './client_hello.mjs';
import { reportIn, run, start } from './process.mjs';
import { attributeType, encode, messageType } from './stun.mjs';
import { within } from './until.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

const hex = (bytes) => bytes.toString('hex');
const allocate = encode({
  type: messageType.allocateRequest,
  attributes: [[attributeType.requestedTransport, Buffer.from([17, 0, 0, 0])]],
});
const binding = encode({ type: messageType.bindingRequest });

/// A million addresses would be no other flood: a server that keeps nothing has the same to do.
const everywhere = { networks: 4000, addresses: 25 };

/// Each datagram from a network of its own: IPv6 has no end of them (2^36 /56 in 3fff::/20).
const everywhereIpv6 = { isIpv6: true, networks: 2 ** 36, addresses: 1 };

const overUdp = (message, { isIpv6 = false, networks, addresses } = everywhere, { port = 'port', train = 1 } = {}) => ({
  program: 'udp_flooder',
  isIpv6,
  argumentsFor: (server, rate, seconds) =>
    [isIpv6 ? '::1' : '127.0.0.1', server[port], rate, seconds, networks, addresses, message, train],
});
const handshakes = (over, hellos) => ({
  program: 'handshake_flooder',
  argumentsFor: (server, rate, seconds) => [over, server.tlsPort, rate, seconds, ...hellos().map(hex)],
});

/// What a flood is made of, by name. `startFlood` makes one.
export const floods = {
  garbage: overUdp('garbage'),
  /// The same, four from one address at once, for a core does not make 300,000 single ones a second.
  'garbage-trains': overUdp('garbage', everywhere, { train: 4 }),
  'garbage-ipv6': overUdp('garbage', everywhereIpv6),
  binding: overUdp(hex(binding)),
  'binding-ipv6': overUdp(hex(binding), everywhereIpv6),
  /// Requests that a server challenges, from 100,000 addresses of 4,000 networks.
  allocate: overUdp(hex(allocate)),
  'allocate-ipv6': overUdp(hex(allocate), everywhereIpv6),
  /// The same from one network; of IPv6 a /56, each from another address of another /64 in it.
  'allocate-one-network': overUdp(hex(allocate), { networks: 1, addresses: 250 }),
  'allocate-one-network-ipv6': overUdp(hex(allocate), { isIpv6: true, networks: 1, addresses: 2 ** 28 }),
  /// ClientHellos without a cookie, from 10,000 addresses.
  'dtls-hello': overUdp(hex(dtlsClientHello()), { networks: 400, addresses: 25 }, { port: 'tlsPort' }),
  'dtls-hello-ipv6': overUdp(hex(dtlsClientHello()), everywhereIpv6, { port: 'tlsPort' }),
  'dtls-handshake': handshakes('dtls', () => [dtlsClientHello(), dtlsClientHello({ cookie: Buffer.alloc(32) })]),
  'tls-handshake': handshakes('tls', () => [tlsClientHello()]),
};

/// Makes 3fff::/20, where IPv6 floods come from, addresses of this host. Returns why not, when it cannot: it
/// is done in a network namespace (../own_network) alone.
export function cannotFloodIpv6() {
  if (!process.env.OWN_NETWORK) return 'not in a network namespace of its own: nobody else here may lose 3fff::/20';
  // By a gateway, which nobody asks: without one the kernel would remember every address that is answered.
  const commands = [
    'link add strangers type veth peer name nowhere', 'link set nowhere up', 'link set strangers up',
    '-6 route replace local 3fff::/20 via fe80::1 dev strangers',
  ];
  const ip = (command) => execFileSync('ip', command.split(' '), { stdio: 'pipe' });
  try {
    if (ip('-6 route show table local 3fff::/20').length > 0) return undefined; // done before
    commands.forEach(ip);
    writeFileSync('/proc/sys/net/ipv6/ip_nonlocal_bind', '1'); // as everybody may with 127.0.0.0/8
  } catch (error) {
    return `no IPv6 sources: ${error.message}`;
  }
  return undefined;
}

/// Bytes that the network brings to the sources of the flood `name` for each byte that it brings to the
/// server, IP and UDP headers with them; undefined where those are not counted.
export function amplificationOf(name, { sent, sent_bytes: into, answers, answer_bytes: out }) {
  const headerBytes = floods[name].isIpv6 ? 48 : 28;
  return into && (out + headerBytes * answers) / (into + headerBytes * sent);
}

let directory;
const compiled = new Map();

/// The path of `program`, compiled from its source beside this file.
async function compile(program) {
  if (compiled.has(program)) return compiled.get(program);
  if (!directory) {
    directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-floods-'));
    process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  }
  const executable = path.join(directory, program);
  const { code, output } = await run('cc', 'cc', ['-O2', '-Wall', '-o', executable, path.join(here, `${program}.c`)]);
  if (code !== 0) throw new Error(output);
  compiled.set(program, executable);
  return executable;
}

/// Floods `server`, which has {port, tlsPort}, `rate` times a second for `seconds`. `before` is put in
/// front of the command, as "nice". `ended()` returns what the flooder counted, once it has done.
export async function startFlood(name, server, { rate, seconds, before = [] }) {
  const { program, argumentsFor } = floods[name];
  const [command, ...args] = [...before, await compile(program), ...argumentsFor(server, rate, seconds).map(String)];
  const flooder = start(name, command, args);
  return {
    stop: () => flooder.kill('SIGKILL'),
    async ended() {
      const { code } = await within((seconds + 20) * 1000, `the flood ${name} to end`, flooder.ended);
      if (code !== 0) throw new Error(`the flood ${name} failed:\n${flooder.log.text}`);
      return reportIn(flooder.log.text);
    },
  };
}

/// So many connections to `port` over TCP, of `perAddress` from each address, that each say one byte
/// and then no more. `closed()` is how many of them the server has closed by now.
export async function openSlowConnections(port, { count, perAddress = 50 }) {
  let closed = 0;
  const connect = (number) => new Promise((resolve, reject) => {
    const from = Math.floor(number / perAddress);
    const localAddress = `127.80.${from >> 8}.${(from & 0xff) + 1}`;
    const socket = net.connect({ port, host: '127.0.0.1', localAddress });
    socket.on('error', reject); // once it is connected: reset, which ends in 'close' too
    socket.on('connect', () => {
      socket.write(Buffer.from([0])); // as a STUN message begins
      resolve(socket);
    });
    socket.on('close', () => (closed += 1));
    socket.resume();
  });
  const sockets = [];
  const atOnce = 200; // no listener's queue is too short for that
  for (let first = 0; first < count; first += atOnce) {
    const numbers = Array.from({ length: Math.min(atOnce, count - first) }, (_, i) => first + i);
    sockets.push(...(await Promise.all(numbers.map(connect))));
  }
  return {
    closed: () => closed,
    discard: () => sockets.forEach((socket) => socket.destroy()),
  };
}
