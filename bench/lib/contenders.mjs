// The servers that are compared, each on one core: this one, coturn, and a forwarder without TURN.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { localCertificate } from '../../tests/e2e/lib/certificate.mjs';
import { start } from '../../tests/e2e/lib/process.mjs';
import { answersBinding, exchange } from '../../tests/e2e/lib/stun.mjs';
import { until } from '../../tests/e2e/lib/until.mjs';

export const user = 'bench';
export const password = 'benchmarks-only-not-a-password';
const usualRealm = 'bench.turnpike.test';
// Room for the largest case. Nobody else should be relaying on a machine that measures.
const relayPorts = { first: 20_000, last: 65_535 };

/// Four ports below those of the relays: coturn takes the port after each of its two as well.
let portsTaken = (process.pid % 400) * 16;
const nextPorts = () => 10_000 + (portsTaken += 4) % 10_000;

/// Where a server with metrics has them.
export const metricsPort = (port) => port + 1;

const coturn = process.env.COTURN ?? 'turnserver';

/// Who measures the relay comes from few networks: what limits one is off.
const noLimits = ['challenge_rate = 0', 'tcp_connections_per_address = 0', 'handshake_rate = 0', 'handshake_rate_total = 0'];

/// Everybody here is one user.
async function turnpikeArguments(directory, {
  port, tlsPort, workers = 1, batchUs = 0, binary, realm = usualRealm, limits = noLimits, hasMetrics = false, hasIpv6 = false,
  set = [],
}) {
  const { certificate, key } = await localCertificate();
  const config = path.join(directory, 'turnpike.toml');
  const quoted = JSON.stringify;
  const listen = (number) => quoted([`127.0.0.1:${number}`, ...(hasIpv6 ? [`[::1]:${number}`] : [])]);
  await writeFile(config, [
    `realm = "${realm}"`, `workers = ${workers}`,
    '[tls]', `certificate = ${quoted(certificate)}`, `key = ${quoted(key)}`,
    '[listen]', `udp = ${listen(port)}`, `tcp = ${listen(port)}`, `tls = ${listen(tlsPort)}`, `dtls = ${listen(tlsPort)}`,
    '[relay]', `ports = "${relayPorts.first}-${relayPorts.last}"`, `batch_us = ${batchUs}`,
    'max_allocations_per_user = 0', 'max_allocations_per_network = 0',
    '[limits]', ...limits,
    '[signaling]', 'enabled = false',
    '[metrics]', `listen = "${hasMetrics ? `127.0.0.1:${metricsPort(port)}` : ''}"`,
    '[control]', 'socket = ""',
    '[log]', 'level = "warn"',
    '[auth]', `users = [{ name = "${user}", password = "${password}" }]`, '',
  ].join('\n'), { mode: 0o600 });
  return [
    binary, 'serve', '--config', config, '--insecure-allow-peers', '127.0.0.0/8',
    ...(hasIpv6 ? ['--insecure-allow-peers', '::1/128'] : []), ...set.flatMap((each) => ['--set', each]),
  ];
}

/// One relay thread, no log, nothing that is not needed; a static user, whose key coturn keeps.
async function coturnArguments(directory, { port, tlsPort, realm = usualRealm, hasIpv6 = false }) {
  const { certificate, key } = await localCertificate();
  const config = path.join(directory, 'turnserver.conf');
  await writeFile(config, [
    `listening-port=${port}`, `tls-listening-port=${tlsPort}`, 'listening-ip=127.0.0.1', 'relay-ip=127.0.0.1',
    ...(hasIpv6 ? ['listening-ip=::1', 'relay-ip=::1'] : []),
    `min-port=${relayPorts.first}`, `max-port=${relayPorts.last}`, 'relay-threads=1',
    'lt-cred-mech', `realm=${realm}`, `user=${user}:${password}`, `cert=${certificate}`, `pkey=${key}`,
    'allow-loopback-peers', 'no-cli', 'log-file=/dev/null', 'simple-log', 'no-rfc5780',
    `pidfile=${path.join(directory, 'pid')}`, `userdb=${path.join(directory, 'turndb')}`, '',
  ].join('\n'), { mode: 0o600 });
  return [coturn, '-c', config];
}

const forwarderArguments = (gro) => (directory, { port, forwarder }) =>
  [forwarder, '--listen', `127.0.0.1:${port}`, ...(gro ? ['--gro'] : [])];

/// The forwarder answers a request for a relay: to number 0, for the peer 127.0.0.1:9.
const forwarderGreeting = Buffer.from('5450667700000000' + '7f0000010009', 'hex');
const answersForwarder = (endpoint) =>
  exchange(endpoint, forwarderGreeting, (reply) => reply.length === forwarderGreeting.length, 100);

const turnpike = { makeArguments: turnpikeArguments, answers: answersBinding };
const bareForwarder = (gro) =>
  ({ makeArguments: forwarderArguments(gro), answers: answersForwarder, flags: ['--against', 'forwarder'] });

/// By name: what to run and when it is ready. Those with -few are the same, for a case that gives them fewer
/// allocations.
export const contenders = {
  turnpike,
  'turnpike-few': turnpike,
  /// With the limits that a configuration has unless it says otherwise.
  'turnpike-limited': {
    makeArguments: (directory, options) => turnpikeArguments(directory, { ...options, limits: [], hasMetrics: true }),
    answers: answersBinding,
  },
  'turnpike-batched': {
    makeArguments: (directory, options) => turnpikeArguments(directory, { ...options, batchUs: 100 }),
    answers: answersBinding,
  },
  'turnpike-two': {
    makeArguments: (directory, options) => turnpikeArguments(directory, { ...options, workers: 2 }),
    answers: answersBinding,
  },
  coturn: { makeArguments: coturnArguments, answers: answersBinding },
  forwarder: bareForwarder(false),
  'forwarder-few': bareForwarder(false),
  'forwarder-gro': bareForwarder(true),
};

/// Starts one on `cores`, and returns when it answers. `set` are further keys of our configuration; with
/// `hasIpv6` a TURN server is on ::1 as well.
export async function startContender(name, { cores, binary, forwarder, realm, set, hasIpv6 }) {
  const { makeArguments, answers, flags = [] } = contenders[name];
  const directory = await mkdtemp(path.join(tmpdir(), `turnpike-bench-${name}-`));
  const port = nextPorts();
  const tlsPort = port + 2;
  const options = { port, tlsPort, binary, forwarder, realm, set, hasIpv6 };
  const server = start(name, 'taskset', ['-c', cores.join(','), ...(await makeArguments(directory, options))]);
  async function stop() {
    server.kill('SIGKILL');
    await server.ended;
    await rm(directory, { recursive: true, force: true });
  }
  try {
    const isReady = async () => server.hasEnded() || answers({ address: '127.0.0.1', port });
    await until(`${name} to answer`, isReady, { everyMs: 20 });
    if (server.hasEnded()) throw new Error(`${name} did not start:\n${server.log.text}`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { name, pid: server.pid, port, tlsPort, flags, stop, log: server.log };
}

/// "coturn 4.6.1"; nothing when there is none.
export function coturnVersion() {
  try {
    const text = execFileSync(coturn, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return text.match(/\d+\.\d+(\.\d+)?/)?.[0];
  } catch (error) {
    return error.stdout?.match(/\d+\.\d+(\.\d+)?/)?.[0];
  }
}
