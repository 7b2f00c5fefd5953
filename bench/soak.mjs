// script/bench soak: thousands of allocations that are kept, others that come and go, for as long as one
// likes; then everything must be given back.

import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fileWith } from '../tests/e2e/lib/conformance.mjs';
import { countable, holdings } from '../tests/e2e/lib/holdings.mjs';
import { reportIn, start } from '../tests/e2e/lib/process.mjs';
import { until } from '../tests/e2e/lib/until.mjs';
import { metricsPort, password, startContender, user } from './lib/contenders.mjs';
import { percent, replaceIn, shown, slope, table } from './lib/figures.mjs';
import { chooseCores, describeBuild, describeMachine } from './lib/machine.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const binary = process.env.TURNPIKE_BINARY ?? path.join(root, 'build/release/turnpike');
const documentPath = path.join(root, 'docs/soak.md');
const jsonPath = path.join(root, 'build/bench/soak.json');

const MB = 1024 * 1024;
/// What the allocator may keep of what was given back to it, when there is nothing any more.
const keptByAllocator = 1 * MB;
const slopeMost = 1 * MB; // an hour (G1)
/// Memory settles first: a tenth of the time, five minutes at most.
const settlingS = (seconds) => Math.min(300, seconds / 10);
/// Permissions last five minutes and clients refresh them after four: this is ten times as often.
const refreshS = 24;
const warmUpS = 5;

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      allocations: { type: 'string', default: '10000' },
      churn: { type: 'string', default: '1000' },
      rate: { type: 'string', default: '5000' },
      'no-memory': { type: 'boolean', default: false },
    },
  });
  if (positionals.length > 1) throw new Error('one number of seconds at most');
  const numbers = Object.fromEntries(['allocations', 'churn', 'rate'].map((name) => [name, Number(values[name])]));
  return { ...numbers, measuresMemory: !values['no-memory'], seconds: Number(positionals[0] ?? 60) };
}

/// A `turnpike bench` against the server.
function load(server, passwordFile, flags) {
  const args = [
    'bench', `127.0.0.1:${server.port}`, '--tls-port', server.tlsPort, '--user', user, '--password', passwordFile,
    '--server-pid', server.pid, '--output', 'json', ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
  ].map(String);
  const run = start(`load (${flags.mode})`, binary, args);
  return (async () => {
    const { code } = await run.ended;
    return { code, text: run.log.text, report: reportIn(run.log.text) };
  })();
}

async function succeeded(loads) {
  const results = await Promise.all(loads);
  for (const { code, text } of results) if (code !== 0) throw new Error(`the load failed:\n${text}`);
  return results.map(({ report }) => report);
}

// --- The soak ------------------------------------------------------------------------------------

/// Both loads for `seconds`; every second `sample` is called.
async function keepAndChurn(server, settings, seconds, sample) {
  const { passwordFile, allocations, churn, rate } = settings;
  let isOver = false;
  const loads = succeeded([
    load(server, passwordFile, { mode: 'echo', allocations, rate, refresh: refreshS, seconds }),
    load(server, passwordFile, { mode: 'churn', rate: churn, seconds, 'clients-from': '127.2.0.0/16' }),
  ]).finally(() => (isOver = true));
  while (!isOver) {
    const startedAt = performance.now();
    await sample();
    await Promise.race([loads.catch(() => {}), pause(1000 + startedAt - performance.now())]);
  }
  return loads;
}

/// The quota of the one user: what is kept, and room for those that come and go.
const quotaOf = ({ allocations }) => allocations + 1000;

async function soak(settings) {
  const server = await startContender('turnpike-limited', {
    cores: [settings.cores.server], binary, set: [`relay.max_allocations_per_user=${quotaOf(settings)}`],
  });
  const held = () => holdings({ pid: server.pid, metrics: `127.0.0.1:${metricsPort(server.port)}` });
  const untilGone = (wanted) => until('everything to be given back', async () => {
    const now = await held();
    return now.allocations === 0 && now.portsInUse === 0 && now.descriptors <= (wanted?.descriptors ?? Infinity);
  }, { describe: held }).catch((error) => console.log(`  ${error.message}`)); // judged by what is held then
  try {
    // As many as there will be, twice: tables have grown and buffers are there after this.
    for (let i = 0; i < 2; i += 1) {
      await keepAndChurn(server, settings, warmUpS, () => {});
      await untilGone();
    }
    const warm = await held();
    const startedAt = performance.now();
    const samples = [];
    const [kept, passing] = await keepAndChurn(server, settings, settings.seconds, async () => {
      samples.push({ seconds: (performance.now() - startedAt) / 1000, ...(await held()) });
    });
    await untilGone(warm);
    const end = await held();
    const quota = quotaOf(settings);
    const all = await load(server, settings.passwordFile, { mode: 'idle', allocations: quota, seconds: 0.1 });
    const tooMany = await load(server, settings.passwordFile, { mode: 'idle', allocations: quota + 1, seconds: 0.1 });
    await untilGone(warm);
    return {
      warm, end, samples, kept, passing, afterwards: await held(),
      quota: { wanted: quota, isWhole: all.code === 0 && tooMany.code === 1 && tooMany.text.includes('486') },
    };
  } finally {
    await server.stop();
  }
}

/// While all of the kept ones are there, and after memory has settled; bytes an hour.
function residentSlope(samples, { seconds, allocations }) {
  const full = samples.filter((sample) => sample.allocations >= allocations);
  const begin = (full[0]?.seconds ?? 0) + settlingS(seconds);
  const points = full.filter((sample) => sample.seconds >= begin).map((sample) => [sample.seconds, sample.residentBytes]);
  return points.length < 3 ? undefined : 3600 * slope(points);
}

function soakRows(result, settings) {
  const { warm, end, kept, passing, quota, samples } = result;
  const growth = residentSlope(samples, settings);
  const peak = Math.max(...samples.map((sample) => sample.residentBytes));
  const grown = end.residentBytes - warm.residentBytes;
  const same = (name) => end[name] === warm[name];
  const row = (what, value, wanted, holds) => ({ what, value, wanted, holds });
  return [
    row('packets lost', `${kept.packets.lost} of ${kept.packets.sent}`, 'none', kept.packets.lost === 0),
    row('refreshes of allocation and channel that failed', `${kept.upkeep.failed} of ${kept.upkeep.done + kept.upkeep.failed}`, 'none',
      kept.upkeep.failed === 0),
    row('allocations made and deleted beside them', `${passing.transactions.completed}, ${shown(passing.transactions.per_second)} a second`,
      `${settings.churn} a second, none failed`,
      passing.transactions.failed === 0 && passing.transactions.per_second >= 0.98 * settings.churn),
    row('memory, at most', `${shown(peak / MB)} MB`, '', true),
    row('memory, slope with all there', growth === undefined ? '–' : `${shown(growth / MB)} MB/h`,
      settings.seconds >= 600 ? '< 1 MB/h' : '(too short to tell)', settings.seconds < 600 || growth < slopeMost),
    row('memory after it, against before', `${grown < 0 ? '−' : '+'}${shown(Math.abs(grown) / 1024)} kB`,
      `≤ +${keptByAllocator / 1024} kB, which the allocator may keep`, grown <= keptByAllocator),
    row('descriptors before and after', `${warm.descriptors}, ${end.descriptors}`, 'the same', same('descriptors')),
    row('relay ports in use before and after', `${warm.portsInUse}, ${end.portsInUse}`, 'the same', same('portsInUse')),
    row('allocations before and after', `${warm.allocations}, ${end.allocations}`, 'the same', same('allocations')),
    row('the user\'s quota', quota.isWhole ? `${quota.wanted} are given, one more is not` : 'is not what it was', `exactly ${quota.wanted}`,
      quota.isWhole),
    row('once more given back', JSON.stringify(countable(result.afterwards)), 'as before',
      JSON.stringify(countable(result.afterwards)) === JSON.stringify(countable(warm))),
  ];
}

// --- Idle clients --------------------------------------------------------------------------------

const idle = [
  { transport: 'udp', allocations: 10_000, most: 6 * 1024 },
  { transport: 'tcp', allocations: 2000, most: 40 * 1024 },
  { transport: 'tls', allocations: 2000, most: 40 * 1024 },
  { transport: 'dtls', allocations: 2000, most: 40 * 1024 },
];

async function idleRows({ cores, passwordFile }) {
  const rows = [];
  for (const { transport, allocations, most } of idle) {
    const server = await startContender('turnpike', { cores: [cores.server], binary });
    try {
      const [report] = await succeeded([load(server, passwordFile, { mode: 'idle', transport, allocations, seconds: 0.2 })]);
      const bytes = report.server.resident_bytes_per_allocation;
      rows.push({
        what: `memory of an idle client over ${transport.toUpperCase()} with its allocation and channel (${allocations} of them)`,
        value: `${shown(bytes)} B`, wanted: `≤ ${most} B`, holds: bytes <= most,
      });
    } finally {
      await server.stop();
    }
  }
  return rows;
}

async function main() {
  const wanted = options();
  const cores = chooseCores();
  const head = [
    describeBuild(binary), ...describeMachine().split('\n'),
    `server with one worker on core ${cores.server}, load on core ${cores.load}; ${wanted.allocations} kept, refreshed with their channels every ${refreshS} s, ${wanted.rate} echoes a second; ${wanted.churn} others a second; ${wanted.seconds} s`,
    `\`script/bench ${['soak', ...process.argv.slice(2)].join(' ')}\`, ${new Date().toISOString().slice(0, 10)}`,
  ];
  console.log(`\n${head.join('\n')}\n`);
  execFileSync('taskset', ['-cp', String(cores.load), String(process.pid)], { stdio: 'ignore' }); // children too
  const settings = { ...wanted, cores, passwordFile: await fileWith(password) };

  const result = await soak(settings);
  const { server, load: own } = result.kept;
  const disturbed = Math.max(0, server.waited_ns, own.waited_ns) / 1e9 / result.kept.seconds;
  head.push(`server or load waited for its core for ${percent(disturbed, 2)} of the time; the load shares its own with the others`);
  const rows = [...soakRows(result, settings), ...(settings.measuresMemory ? await idleRows(settings) : [])];
  for (const { what, value, wanted: text, holds } of rows) {
    console.log(`${holds ? 'holds  ' : 'FINDING'} ${what}: ${value}${text && `; wanted: ${text}`}`);
    if (!holds) process.exitCode = 1;
  }
  await mkdir(path.dirname(jsonPath), { recursive: true });
  await writeFile(jsonPath, `${JSON.stringify({ head, rows, result }, null, 1)}\n`);
  const cells = rows.map(({ what, value, wanted: text, holds }) => [what, value, holds ? text : `**${text}**`]);
  const lines = [...head.map((line) => `- ${line}`), '', table(['figure', 'measured', 'wanted (missed in bold)'], cells)];
  await replaceIn(documentPath, 'soak', lines.join('\n'));
  console.log(`\nwritten: ${path.relative(root, documentPath)}, ${path.relative(root, jsonPath)}`);
}

await main();
