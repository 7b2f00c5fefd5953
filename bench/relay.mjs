// script/bench relay: this server, coturn and a bare forwarder under the same load of `turnpike bench`, in
// turns, and a table of what a packet costs each.

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fileWith } from '../tests/e2e/lib/conformance.mjs';
import { contenders, coturnVersion, password, startContender, user } from './lib/contenders.mjs';
import { median, replaceIn } from './lib/figures.mjs';
import { runLoad } from './lib/load.mjs';
import { chooseCores, describeBuild, describeMachine } from './lib/machine.mjs';
import { cases } from './lib/relay_cases.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const binary = process.env.TURNPIKE_BINARY ?? path.join(root, 'build/release/turnpike');
// The load may be another build than the server, so that two servers can be compared.
const load = process.env.TURNPIKE_LOAD ?? path.join(root, 'build/release/turnpike');
const forwarder = path.join(root, 'build/release/turnpike_forwarder');
const documentPath = path.join(root, 'docs/benchmarks.md');
const jsonPath = path.join(root, 'build/bench/relay.json');

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string', default: '5' },
      list: { type: 'boolean', default: false },
    },
  });
  if (positionals.length > 1) throw new Error('one number of seconds at most');
  return { ...values, rounds: Number(values.rounds), seconds: Number(positionals[0] ?? 2) };
}

/// `*` stands for anything.
function chosen(patterns) {
  if (patterns.length === 0) return cases;
  const matches = (pattern, name) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(name);
  for (const pattern of patterns) {
    if (!cases.some(({ name }) => matches(pattern, name))) throw new Error(`no case is called ${pattern}; --list shows them`);
  }
  return cases.filter(({ name }) => patterns.some((pattern) => matches(pattern, name)));
}

/// As command line; true stands for a flag without value.
const flagsFrom = (flags) => Object.entries(flags).flatMap(([name, value]) =>
  value === true ? [`--${name}`] : [`--${name}`, String(value)]);

async function measure(server, { flags, flagsOf = {}, onAllCores }, { seconds, passwordFile, cores }) {
  const isSecured = ['tls', 'dtls'].includes(flags.transport);
  const args = [
    'bench', `127.0.0.1:${server.port}`, ...(isSecured ? ['--tls-port', String(server.tlsPort)] : []),
    '--user', user, '--password', passwordFile,
    '--server-pid', String(server.pid), '--output', 'json', ...(onAllCores ? [] : ['--cpu', String(cores.load)]),
    ...server.flags, ...flagsFrom({ seconds, ...flags, ...flagsOf[server.name] }),
  ];
  return runLoad(`load for ${server.name}`, load, args, server);
}

/// Interleaved: A B C, A B C… so that what disturbs the machine disturbs all alike.
async function measureCase(one, settings) {
  const results = Object.fromEntries(one.contenders.map((name) => [name, []]));
  const startAll = () => Promise.all(one.contenders.map((name) =>
    startContender(name, { cores: one.onAllCores ? settings.cores.all : [settings.cores.server], binary, forwarder })));
  const stopAll = (servers) => Promise.all(servers.map((server) => server.stop()));
  let servers = await startAll();
  try {
    for (let round = 0; round < settings.rounds; round += 1) {
      if (one.isFresh && round > 0) {
        await stopAll(servers);
        servers = await startAll();
      }
      for (const server of servers) results[server.name].push(await measure(server, one, settings));
    }
  } finally {
    await stopAll(servers);
  }
  return results;
}

/// Above this share of the time, others on the machine are part of what was measured.
const quietEnough = 0.03;

// --- Figures -------------------------------------------------------------------------------------

function spread(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), rounds: values };
}

/// The median of the ratios of neighbouring runs: what disturbs both alike for a while is not in it.
const ratioOf = (ours, theirs) => median(ours.rounds.map((value, round) => value / theirs.rounds[round]));

const medianOf = (results, pick) => median(results.map(pick));
const sum = (values) => values.reduce((all, value) => all + value, 0);

/// One case as it goes into the JSON: figures by contender, in the order of the case's figures.
function summary(one, results) {
  const byContender = Object.entries(results).map(([name, reports]) => [name, {
    figures: one.figures.map(({ unit, of }) => ({ unit, ...spread(reports.map(of)) })),
    lost: sum(reports.map(({ packets }) => packets?.lost ?? 0)),
    sent: sum(reports.map(({ packets }) => packets?.sent ?? 0)),
    perSecond: medianOf(reports, ({ packets, transactions }) => (packets ?? transactions)?.per_second ?? 0),
    serverShare: medianOf(reports, ({ server }) => server.cpu_share),
    // The share of the time in which something else had the core of the server or of the load.
    disturbed: medianOf(reports, ({ server, load: own, seconds }) => Math.max(server.waited_ns, own.waited_ns) / 1e9 / seconds),
    loadShare: medianOf(reports, ({ load: { cpu_ns: ns }, seconds }) => ns / 1e9 / seconds),
    reports,
  }]);
  return { name: one.name, title: one.title, flags: one.flags, flagsOf: one.flagsOf, contenders: Object.fromEntries(byContender) };
}

/// What has to be true of a case, each as {text, holds}.
function judge(one, { contenders: measured }) {
  return one.targets.flatMap(({ subject, of, factor, most, figure }) => {
    const ours = measured[subject]?.figures;
    const theirs = of && measured[of]?.figures;
    if (!ours || (of && !theirs)) return [];
    const who = subject === 'turnpike' ? '' : `${subject}: `;
    if (!of) {
      const { median, unit } = ours[figure ?? 0];
      return [{ text: `${who}${shown(median)} ${unit}, at most ${most}`, holds: median <= most }];
    }
    return ours.map((values, i) => {
      const ratio = ratioOf(values, theirs[i]);
      const which = ours.length > 1 ? ` (${values.unit})` : '';
      return { text: `${who}${shownRatio(ratio)} of ${of}${which}, at most ${factor}`, holds: ratio <= factor };
    }).filter((_, i) => figure === undefined || i === figure);
  });
}

/// Three figures where a third tells on which side of a bound it is.
const shownRatio = (ratio) => (ratio < 0.5 ? ratio.toFixed(3) : ratio.toFixed(2));

function shown(value) {
  if (value === undefined) return '–';
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
const shownSpread = ({ median, min, max }) => `${shown(median)} (${shown(min)}–${shown(max)})`;
const percent = (share) => `${(100 * share).toFixed(0)} %`;

function caseText(result, verdicts) {
  const lines = [`\n${result.name}: ${result.title}`];
  for (const [name, { figures, perSecond, serverShare, loadShare, disturbed, lost }] of Object.entries(result.contenders)) {
    const values = figures.map((figure) => `${shownSpread(figure)} ${figure.unit}`).join(', ');
    const loss = (lost > 0 ? `, ${lost} lost` : '') + (disturbed > quietEnough ? `, DISTURBED ${percent(disturbed)}` : '');
    lines.push(`  ${name.padEnd(17)} ${values}; ${perSecond.toFixed(0)}/s, server ${percent(serverShare)}, load ${percent(loadShare)}${loss}`);
  }
  for (const { text, holds } of verdicts) lines.push(`  ${holds ? 'holds  ' : 'FINDING'} ${text}`);
  return lines.join('\n');
}

// --- The document --------------------------------------------------------------------------------

const columns = ['turnpike', 'variant', 'coturn', 'forwarder'];
/// Who stands in a column: a case of trains has the forwarder that does them.
const inColumn = { variant: ['turnpike-batched', 'turnpike-two', 'turnpike-few'], forwarder: ['forwarder', 'forwarder-gro'] };
const cellOf = (result, column) => (inColumn[column] ?? [column]).map((name) => result.contenders[name]).find(Boolean);

function markdown(results, head) {
  const rows = results.flatMap((result) => result.contenders.turnpike.figures.map(({ unit }, figure) => {
    const cells = columns.map((column) => {
      const values = cellOf(result, column)?.figures[figure];
      return values ? shownSpread(values) : '';
    });
    const verdicts = figure === 0 ? judge(cases.find(({ name }) => name === result.name), result) : [];
    const verdictText = verdicts.map(({ text, holds }) => (holds ? text : `**${text}**`)).join('; ');
    return `| \`${result.name}\` | ${result.title} | ${unit} | ${cells.join(' | ')} | ${verdictText} |`;
  }));
  return [
    ...head.map((line) => `- ${line}`), '',
    `| case | load | figure | ${columns.join(' | ')} | wanted (missed in bold) |`,
    `|---|---|---|${columns.map(() => '---:').join('|')}|---|`,
    ...rows,
  ].join('\n');
}

async function writeDocument(table) {
  await replaceIn(documentPath, 'relay', table);
  console.log(`\nwritten: ${path.relative(root, documentPath)}`);
}

async function writeJson(head, settings, results) {
  await mkdir(path.dirname(jsonPath), { recursive: true });
  await writeFile(jsonPath, `${JSON.stringify({ head, settings, results }, null, 1)}\n`);
  console.log(`written: ${path.relative(root, jsonPath)}`);
}

async function main() {
  const wanted = options();
  if (wanted.list) {
    for (const { name, title } of cases) console.log(`${name.padEnd(20)} ${title}`);
    return;
  }
  const picked = chosen(wanted.only);
  const version = coturnVersion();
  if (!version) console.log('no coturn here (apt install coturn, or COTURN=path): measured without it');
  const cores = chooseCores();
  const settings = { ...wanted, cores, passwordFile: await fileWith(password) };
  const head = [
    `${describeBuild(binary)}${version ? `, coturn ${version}` : ''}`,
    ...describeMachine().split('\n'),
    `server on core ${cores.server}, load on core ${cores.load}; medians of ${wanted.rounds} interleaved rounds of ${wanted.seconds} s (lowest–highest)`,
    `\`script/bench ${['relay', ...process.argv.slice(2)].join(' ')}\`, ${new Date().toISOString().slice(0, 10)}`,
  ];
  console.log(`\n${head.join('\n')}`);

  const results = [];
  for (const one of picked) {
    const names = one.contenders.filter((name) => name in contenders && (version || name !== 'coturn'));
    const result = summary(one, await measureCase({ ...one, contenders: names }, settings));
    const verdicts = judge(one, result);
    console.log(caseText(result, verdicts));
    results.push(result);
    if (verdicts.some(({ holds }) => !holds)) process.exitCode = 1;
  }
  const worst = Math.max(...results.flatMap((result) => Object.values(result.contenders).map(({ disturbed }) => disturbed)));
  head.push(`others had the cores for ${percent(worst)} of the time at worst${worst > quietEnough ? ': measure again on a quiet machine' : ''}`);
  console.log(`\n${head.at(-1)}`);
  await writeJson(head, { rounds: wanted.rounds, seconds: wanted.seconds, cores }, results);
  if (wanted.only.length === 0) await writeDocument(markdown(results, head));
}

await main();
