// script/bench flood: people at work, and what floods from strangers do to them.

import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fileWith } from '../tests/e2e/lib/conformance.mjs';
import { amplificationOf, cannotFloodIpv6, openSlowConnections, startFlood } from '../tests/e2e/lib/floods.mjs';
import { residentBytesOf } from '../tests/e2e/lib/holdings.mjs';
import { answersBinding, encode, messageType } from '../tests/e2e/lib/stun.mjs';
import { coturnVersion, password, startContender, user } from './lib/contenders.mjs';
import { median, percent, replaceIn, shown, table } from './lib/figures.mjs';
import { cases } from './lib/flood_cases.mjs';
import { runLoad } from './lib/load.mjs';
import { chooseCores, describeBuild, describeMachine } from './lib/machine.mjs';
import { newcomers } from './lib/newcomers.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const binary = process.env.TURNPIKE_BINARY ?? path.join(root, 'build/release/turnpike');
const load = process.env.TURNPIKE_LOAD ?? path.join(root, 'build/release/turnpike');
const documentPath = path.join(root, 'docs/floods.md');
const jsonPath = path.join(root, 'build/bench/flood.json');

/// Echoes: the server relays each twice.
const people = [{ family: 'ipv4', allocations: 200, rate: 5000 }];
/// Over IPv6 all come from ::1, so from one network: more would wait for their challenges (50 a second).
const peopleOfBoth = [{ family: 'ipv4', allocations: 160, rate: 2500 }, { family: 'ipv6', allocations: 40, rate: 2500 }];
const addresses = { ipv4: '127.0.0.1', ipv6: '::1' };
const realm = 'turn.example'; // what a challenge weighs depends on it
const marginS = 1; // a flood begins before the people come, and ends after them
/// Above this share of the time, others on the machine are part of what was measured.
const quietEnough = 0.03;

function options() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: [] },
      seconds: { type: 'string', default: '4' },
      rounds: { type: 'string', default: '5' },
      coturn: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
  });
  for (const name of values.only) {
    if (!cases.some((one) => one.name === name)) throw new Error(`no case is called ${name}; --list shows them`);
  }
  const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];
  if (!(seconds >= 0.5 && seconds <= 200) || !(rounds >= 1)) throw new Error('--seconds 0.5 to 200, --rounds 1 or more');
  return { ...values, seconds, rounds };
}

// --- What is measured ----------------------------------------------------------------------------

/// People get their processor before anybody else on the core, where that is allowed: what they wait for
/// is the server.
function firstOnTheCore() {
  try {
    execFileSync('chrt', ['-r', '1', 'true'], { stdio: 'ignore' });
    return ['chrt', '-r', '1'];
  } catch {
    return [];
  }
}

/// Datagrams, or trains of them, that found the server's receive buffer full.
async function lostAtSocket({ port }) {
  const inHex = port.toString(16).toUpperCase().padStart(4, '0');
  const tables = await Promise.all(['udp', 'udp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')));
  const lines = tables.join('\n').split('\n').map((line) => line.trim().split(/\s+/));
  const ofServer = lines.filter(([, local]) => local?.endsWith(`:${inHex}`));
  return ofServer.reduce((sum, columns) => sum + Number(columns.at(-1)), 0);
}

/// The packets of some people, to peers and back: the report of `turnpike bench`.
async function atWorkOver({ family, allocations, rate }, server, { seconds, passwordFile, before }) {
  const address = family === 'ipv6' ? `[${addresses.ipv6}]` : addresses.ipv4;
  const [command, ...args] = [
    ...before, load, 'bench', `${address}:${server.port}`, '--user', user, '--password', passwordFile, '--mode', 'echo',
    '--allocations', allocations, '--rate', rate, '--seconds', seconds, '--server-pid', server.pid, '--output', 'json',
    ...server.flags,
  ];
  return runLoad(`people of ${server.name} over ${family}`, command, args, server);
}

/// Of all people, by a load for each family; of what cannot be summed, the worst.
async function atWork(groups, server, settings) {
  const reports = await Promise.all(groups.map((some) => atWorkOver(some, server, settings)));
  const sum = (pick) => reports.reduce((all, report) => all + pick(report), 0);
  const most = (pick) => Math.max(...reports.map(pick));
  // Two loads wait for each other: then only the server's waiting tells of others.
  const waitedNs = ({ server: usage, load: own }) => Math.max(0, usage.waited_ns, ...(reports.length > 1 ? [] : [own.waited_ns]));
  return {
    loss: sum(({ packets }) => packets.lost) / sum(({ packets }) => packets.sent),
    perSecond: sum(({ packets, seconds }) => packets.relayed / seconds),
    p50: most(({ latency_us: latency }) => latency.p50),
    p99: most(({ latency_us: latency }) => latency.p99),
    cameLate: most(({ set_up_seconds: took }) => took) > 2 * marginS, // the flood was over before they were
    core: most(({ server: usage }) => usage.cpu_share),
    disturbed: most((report) => waitedNs(report) / 1e9 / report.seconds),
  };
}

/// How long a TCP connection with a Binding takes, for somebody with nothing bad in mind; milliseconds.
function timeConnection(port, request) {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress: '127.97.0.1' }, () => socket.write(request));
    socket.once('error', reject);
    socket.once('data', () => {
      socket.destroy();
      resolve(performance.now() - startedAt);
    });
  });
}

async function timeConnections(port) {
  const times = [];
  for (let i = 0; i < 200; i += 1) times.push(await timeConnection(port, encode({ type: messageType.bindingRequest })));
  return times.sort((a, b) => a - b)[Math.ceil(0.99 * times.length) - 1];
}

/// Begins the case's flood; `ended()` is what came of it.
async function beginFlood(one, server, seconds) {
  if (one.slow) {
    const slow = await openSlowConnections(server.port, { count: one.slow });
    const connectP99Ms = timeConnections(server.port);
    return {
      async ended() {
        const p99 = await connectP99Ms;
        slow.discard();
        return { connectP99Ms: p99, perSecond: undefined };
      },
    };
  }
  const flood = await startFlood(one.flood, server, {
    rate: one.rate, seconds: seconds + 2 * marginS + 1, before: ['nice', '-n', '5'],
  });
  return {
    async ended() {
      const report = await flood.ended();
      const { sent, begun, answer_bytes: out, sent_bytes: into, seconds: took } = report;
      return {
        perSecond: (sent ?? begun) / took,
        amplification: amplificationOf(one.flood, report),
        payloadAmplification: into && out / into,
      };
    },
  };
}

/// People and newcomers, with the case's flood or without any.
async function measure(one, server, settings, withFlood) {
  const before = { resident: residentBytesOf(server.pid), lost: await lostAtSocket(server) };
  const flood = withFlood && (await beginFlood(one, server, settings.seconds));
  if (flood && !one.slow) await pause(1000 * marginS);
  const present = one.isIpv6 ? peopleOfBoth : people;
  const families = present.map(({ family }) => family);
  const arriving = newcomers(server.port, { user, password, seconds: settings.seconds, families });
  const working = await atWork(present, server, settings);
  const during = residentBytesOf(server.pid);
  const { came, served } = await arriving;
  const flooded = flood ? await flood.ended() : {};
  for (const family of families) {
    const endpoint = { address: addresses[family], port: server.port };
    if (!(await answersBinding(endpoint, 2000))) throw new Error(`the server has gone from ${family}`);
  }
  return {
    ...working,
    newcomers: served / came,
    resident: Math.max(during, residentBytesOf(server.pid)) - before.resident,
    lostAtSocket: (await lostAtSocket(server)) - before.lost,
    flood: flooded,
  };
}

/// Without and with in turns, so that what disturbs the machine disturbs both.
async function measureCase(one, name, settings) {
  const server = await startContender(name, { cores: [settings.cores.server], binary, realm, hasIpv6: one.isIpv6 });
  const rounds = [];
  try {
    await measure(one, server, { ...settings, seconds: 0.5 }, true); // buffers and code are there after this
    for (let i = 0; i < settings.rounds; i += 1) {
      const without = await measure(one, server, settings, false);
      rounds.push({ without, with: await measure(one, server, settings, true) });
    }
  } finally {
    await server.stop();
  }
  return summary(one, name, rounds);
}

/// Microseconds; what a flood adds is told from neighbouring runs.
const latency = (rounds, name) => ({
  without: median(rounds.map((round) => round.without[name])),
  with: median(rounds.map((round) => round.with[name])),
  added: median(rounds.map((round) => round.with[name] - round.without[name])),
  ratio: median(rounds.map((round) => round.with[name] / round.without[name])),
});

function summary(one, name, rounds) {
  const of = (pick) => median(rounds.map(pick));
  return {
    case: one.name,
    server: name,
    flood: of((round) => round.with.flood.perSecond),
    calls: of((round) => round.with.perSecond),
    loss: { without: of((round) => round.without.loss), with: of((round) => round.with.loss) },
    p50: latency(rounds, 'p50'),
    p99: latency(rounds, 'p99'),
    newcomers: of((round) => round.with.newcomers),
    amplification: of((round) => round.with.flood.amplification),
    payloadAmplification: of((round) => round.with.flood.payloadAmplification),
    connectP99Ms: of((round) => round.with.flood.connectP99Ms),
    // What one round adds is there in the next: the first tells all.
    resident: Math.max(...rounds.map((round) => round.with.resident)),
    lostAtSocket: of((round) => round.with.lostAtSocket),
    core: { without: of((round) => round.without.core), with: of((round) => round.with.core) },
    // With a flood the cores are busy with it: what others took is seen without.
    disturbed: of((round) => round.without.disturbed),
    cameLate: rounds.some((round) => round.with.cameLate),
    rounds,
  };
}

// --- Promises and tables -------------------------------------------------------------------------

const kB = (bytes) => `${shown(bytes / 1024)} kB`;

/// What has to be true of a case, as {text, holds}.
function judge({ promises }, result) {
  const bound = (value, most, text) => (most === undefined || value === undefined ? [] : [{ text, holds: value <= most }]);
  return [
    ...bound(result.loss.with, promises.loss, `loss ≤ ${percent(promises.loss)}`),
    ...bound(result.p99.added / 1000, promises.addedP99Ms, `p99 ≤ +${promises.addedP99Ms} ms`),
    ...bound(result.resident, promises.resident, `memory ≤ ${kB(promises.resident ?? 0)}`),
    ...bound(1 - result.newcomers, promises.newcomers && 1 - promises.newcomers, `new ≥ ${percent(promises.newcomers)}`),
    ...bound(result.amplification, promises.amplification, `out/in ≤ ${promises.amplification}`),
    ...bound(result.connectP99Ms, promises.connectP99Ms, `TCP connect p99 ≤ ${promises.connectP99Ms} ms`),
  ];
}

const ratio = (value) => (value === undefined ? '' : shown(value));
const shownLatency = (us) => `${shown(us.without)} → ${shown(us.with)} (×${shown(us.ratio)})`;

function cellsOf(one, result) {
  const promised = result.server === 'coturn' ? [] : judge(one, result);
  return [
    `\`${one.name}\``, result.server === 'coturn' ? 'coturn' : 'turnpike',
    result.flood === undefined ? `${one.slow} open` : shown(result.flood),
    `${percent(result.loss.without)} → ${percent(result.loss.with)}`,
    shownLatency(result.p50), shownLatency(result.p99),
    percent(result.newcomers, 4), ratio(result.amplification), ratio(result.payloadAmplification),
    kB(result.resident), `${percent(result.core.without, 2)} → ${percent(result.core.with, 2)}`,
    [...promised.map(({ text, holds }) => (holds ? text : `**${text}**`)),
      ...(result.connectP99Ms === undefined ? [] : [`(connect p99 ${shown(result.connectP99Ms)} ms)`])].join('; '),
  ];
}

const columns = [
  'case', 'server', 'flood /s', 'loss without → with', 'p50 µs', 'p99 µs', 'new clients served', 'bytes out/in', 'of payload',
  'memory', 'core of the server', 'promised (missed in bold)',
];

function print(one, result) {
  const [, , flood, loss, p50, p99, served, outIn, payload, memory, core] = cellsOf(one, result);
  console.log(`\n${one.name} (${result.server}): ${one.title}`);
  console.log(`  flood ${flood}/s; ${shown(result.calls)} packets/s of people: loss ${loss}, p50 ${p50} µs, p99 ${p99} µs`);
  console.log(`  new clients ${served}, out/in ${outIn || '–'} (payload ${payload || '–'}), memory +${memory}, core ${core}, lost at the socket ${result.lostAtSocket}`);
  if (result.disturbed > quietEnough) console.log(`  DISTURBED ${percent(result.disturbed, 2)}`);
  if (result.cameLate) console.log('  LATE: people had to wait so long for their allocations that they outlasted the flood');
  if (result.server === 'coturn') return;
  for (const { text, holds } of judge(one, result)) {
    console.log(`  ${holds ? 'holds  ' : 'FINDING'} ${text}`);
    if (!holds) process.exitCode = 1;
  }
}

/// The cases that are asked for and can be made here.
function chosen(only) {
  const isAsked = ({ name }) => only.length === 0 || only.includes(name);
  const obstacle = cannotFloodIpv6();
  if (!obstacle) return cases.filter(isAsked);
  if (cases.some((one) => one.isIpv6 && only.includes(one.name))) throw new Error(obstacle);
  console.log(`without the cases over IPv6: ${obstacle}`);
  return cases.filter((one) => isAsked(one) && !one.isIpv6);
}

async function main() {
  const wanted = options();
  if (wanted.list) {
    for (const { name, title } of cases) console.log(`${name.padEnd(26)} ${title}`);
    return;
  }
  const version = wanted.coturn ? coturnVersion() : undefined;
  if (wanted.coturn && !version) throw new Error('no coturn here: apt install coturn, or COTURN=path');
  const cores = chooseCores();
  const before = firstOnTheCore();
  const head = [
    `${describeBuild(binary)}${version ? `, coturn ${version}` : ''}`,
    ...describeMachine().split('\n'),
    `server on core ${cores.server}; people${before.length > 0 ? ' (ahead of the rest, by SCHED_RR)' : ''}, newcomers and flood on core ${cores.load}; medians of ${wanted.rounds} interleaved rounds of ${wanted.seconds} s`,
    `\`script/bench ${['flood', ...process.argv.slice(2)].join(' ')}\`, ${new Date().toISOString().slice(0, 10)}`,
  ];
  console.log(`\n${head.join('\n')}`);
  execFileSync('taskset', ['-cp', String(cores.load), String(process.pid)], { stdio: 'ignore' }); // children too
  const settings = { ...wanted, cores, before, passwordFile: await fileWith(password) };

  const results = [];
  for (const one of chosen(wanted.only)) {
    for (const name of ['turnpike-limited', ...(version ? ['coturn'] : [])]) {
      results.push([one, await measureCase(one, name, settings)]);
      print(...results.at(-1));
    }
  }
  const worst = Math.max(...results.map(([, { disturbed }]) => disturbed));
  head.push(`others had the cores for ${percent(worst, 2)} of the time at worst${worst > quietEnough ? ': measure again on a quiet machine' : ''}`);
  console.log(`\n${head.at(-1)}`);
  await mkdir(path.dirname(jsonPath), { recursive: true });
  await writeFile(jsonPath, `${JSON.stringify({ head, results: results.map(([, result]) => result) }, null, 1)}\n`);
  if (wanted.only.length > 0) return;
  const lines = [...head.map((line) => `- ${line}`), '', table(columns, results.map((pair) => cellsOf(...pair)), 2)];
  await replaceIn(documentPath, 'floods', lines.join('\n'));
  console.log(`written: ${path.relative(root, documentPath)}`);
}

await main();
