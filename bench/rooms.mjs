// script/bench rooms: a server and rooms/rooms_load.cpp, each on a core of its own, and a table of what
// the load measured.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePort, relayPortRange } from '../tests/e2e/lib/ports.mjs';
import { start } from '../tests/e2e/lib/process.mjs';
import { until } from '../tests/e2e/lib/until.mjs';
import { runLoad } from './lib/load.mjs';
import { chooseCores, describeBuild, describeMachine } from './lib/machine.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const binary = process.env.TURNPIKE_BINARY ?? path.join(root, 'build/release/turnpike');
const load = path.join(root, 'build/release/turnpike_rooms_load');

function options() {
  const text = (value) => ({ type: 'string', default: value });
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { rooms: text('200'), members: text('4'), rate: text('20') },
  });
  if (positionals.length > 1) throw new Error('one number of seconds at most');
  return { ...values, seconds: positionals[0] ?? '10' };
}

/// On loopback without keys anybody may join any room. Everybody here has one address, so what limits
/// one is switched off; what limits a member is as it comes. A flooder that is closed stays in its room,
/// away, until it can no longer resume, so the room must be larger than usual.
async function writeConfig(directory, port) {
  const { first, last } = relayPortRange();
  const config = path.join(directory, 'turnpike.toml');
  await writeFile(config, [
    'realm = "bench.turnpike.test"', 'workers = 1',
    '[listen]', `udp = ["127.0.0.1:${port}"]`, `tcp = ["127.0.0.1:${port}"]`, 'tls = []',
    '[relay]', `ports = "${first}-${last}"`,
    '[limits]', 'tcp_connections_per_address = 0',
    '[signaling]', 'joins_per_minute = 0', 'max_peers = 64',
    '[metrics]', 'listen = ""',
    '[auth]', 'secrets = [{ id = "t", value = "benchmarks-only-not-a-secret-0123456789" }]', '',
  ].join('\n'), { mode: 0o600 });
  return config;
}

async function startServer(core, directory) {
  const port = await freePort();
  const config = await writeConfig(directory, port);
  const server = start('server', 'taskset', ['-c', String(core), binary, 'serve', '--config', config]);
  const answers = () => fetch(`http://127.0.0.1:${port}/healthz`).then(() => true, () => server.hasEnded());
  await until('the server to answer', answers, { everyMs: 20 });
  if (server.hasEnded()) throw new Error(`the server did not start:\n${server.log.text}`);
  return { ...server, port };
}

async function measure({ server, core, rooms, members, rate, seconds }) {
  const flags = Object.entries({ port: server.port, 'server-pid': server.pid, rooms, members, rate, seconds });
  const args = flags.flatMap(([name, value]) => [`--${name}`, String(value)]);
  return runLoad('load', 'taskset', ['-c', core, load, ...args], server);
}

const milliseconds = (us) => (us / 1000).toFixed(us < 1000 ? 3 : 2);
const perSecond = (count, { seconds }) => (count / seconds).toFixed(0);
const share = (cpuSeconds, { seconds }) => `${((100 * cpuSeconds) / seconds).toFixed(0)} %`;

const columns = [
  ['beside', (phase) => phase.name],
  ['sent/s', (phase) => perSecond(phase.sent, phase)],
  ['delivered/s', (phase) => perSecond(phase.delivered, phase)],
  ['p50 ms', ({ latencyUs }) => milliseconds(latencyUs.p50)],
  ['p99 ms', ({ latencyUs }) => milliseconds(latencyUs.p99)],
  ['p99.9 ms', ({ latencyUs }) => milliseconds(latencyUs.p999)],
  ['max ms', ({ latencyUs }) => milliseconds(latencyUs.max)],
  ['server CPU', (phase) => share(phase.serverCpuSeconds, phase)],
  ['µs/sent', ({ serverCpuSeconds, sent }) => ((1e6 * serverCpuSeconds) / sent).toFixed(1)],
  ['load CPU', (phase) => share(phase.ownCpuSeconds, phase)],
  ['load late p99 ms', ({ lagUs }) => milliseconds(lagUs.p99)],
];

function table(phases) {
  const rows = [columns.map(([title]) => title), ...phases.map((phase) => columns.map(([, show]) => show(phase)))];
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')).join('\n');
}

/// What must not be, as sentences.
function findings({ phases, faults, fellowFaults, slowReader, flooders }, wantedPerSecond) {
  const found = [];
  for (const [whose, { lost, doubled, disordered }] of [['of the rooms', faults], ['beside the misbehaving', fellowFaults]]) {
    if (lost + doubled + disordered > 0) found.push(`messages ${whose}: ${lost} lost, ${doubled} doubled, ${disordered} out of order`);
  }
  if (slowReader.closeCode !== 1013) found.push(`the slow reader was not closed with 1013 (${slowReader.closeCode || 'still open'})`);
  if (flooders.closed4429 !== flooders.count) found.push(`only ${flooders.closed4429} of ${flooders.count} flooders were closed with 4429`);
  for (const { name, sent, seconds } of phases) {
    if (sent / seconds < 0.99 * wantedPerSecond) found.push(`"${name}": the load could not keep its rate of ${wantedPerSecond} messages/s`);
  }
  return found;
}

function report(result, { rooms, members, rate, seconds }, cores) {
  const { faults, fellowFaults, slowReader, flooders } = result;
  const inWords = ({ lost, doubled, disordered }) => `${lost} lost, ${doubled} doubled, ${disordered} out of order`;
  console.log(`server on core ${cores.server}, load on core ${cores.load}${cores.server === cores.load ? ' (there is only one)' : ''}`);
  console.log(`${rooms} rooms of ${members}, ${rate} messages/s of each member, ${seconds} s each\n`);
  console.log(table(result.phases));
  console.log(`\nthe rooms: ${inWords(faults)}; others in the rooms of the misbehaving: ${inWords(fellowFaults)}`);
  console.log(`slow reader: closed with ${slowReader.closeCode || 'nothing'}`);
  console.log(`flooders: ${flooders.count}, of which ${flooders.closed4429} closed with 4429; ${flooders.sent} messages, ${flooders.refused} refused one by one`);
  const found = findings(result, rooms * members * rate);
  for (const finding of found) console.log(`FINDING: ${finding}`);
  return found.length === 0;
}

async function main() {
  const wanted = options();
  const cores = chooseCores();
  console.log(`\n${describeBuild(binary)}\n${describeMachine()}`);
  const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-bench-'));
  let server;
  try {
    server = await startServer(cores.server, directory);
    const result = await measure({ server, core: cores.load, ...wanted });
    if (!report(result, wanted, cores)) process.exitCode = 1;
  } finally {
    server?.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  }
}

await main();
