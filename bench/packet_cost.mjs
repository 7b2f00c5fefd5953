// script/bench packet-cost [--update]: how many instructions a worker spends in user space on one
// relayed packet, counted by callgrind, against bench/packet_cost/budget.json. The same binary counts
// the same each time, whatever else the machine does. Fails when a packet costs more than the budget
// allows; --update writes what was counted into the budget.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const program = path.join(root, 'build/release/turnpike_packet_cost');
const budgetPath = path.join(root, 'bench/packet_cost/budget.json');
const tolerance = 1.03;
const [few, many] = [1000, 5000];

async function instructions(way, packets, directory) {
  const { stderr } = await promisify(execFile)('valgrind', [
    '--tool=callgrind', '--toggle-collect=turnpike::server::Worker::take_turn()',
    `--callgrind-out-file=${path.join(directory, 'out')}`, program, way, String(packets),
  ]);
  const [, count] = /Collected : (\d+)/.exec(stderr) ?? [];
  if (!count) throw new Error(`callgrind counted nothing:\n${stderr}`);
  return Number(count);
}

async function packetCost(way, directory) {
  const difference = (await instructions(way, many, directory)) - (await instructions(way, few, directory));
  return Math.round(difference / (many - few));
}

async function main(args) {
  if (args.some((arg) => arg !== '--update')) throw new Error('usage: script/bench packet-cost [--update]');
  const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-packet-cost-'));
  try {
    const cost = { up: await packetCost('up', directory), down: await packetCost('down', directory) };
    if (args.includes('--update')) {
      await writeFile(budgetPath, `${JSON.stringify(cost, null, 2)}\n`);
      console.log(`client to peer ${cost.up}, peer to client ${cost.down} instructions a packet: written to ${path.relative(root, budgetPath)}`);
      return 0;
    }
    const budget = JSON.parse(await readFile(budgetPath, 'utf8'));
    let code = 0;
    for (const [way, title] of [['up', 'client to peer'], ['down', 'peer to client']]) {
      const most = Math.floor(budget[way] * tolerance);
      const isTooMuch = cost[way] > most;
      if (isTooMuch) code = 1;
      console.log(`${title}: ${cost[way]} instructions a packet, budget ${budget[way]}, at most ${most}${isTooMuch ? ': TOO MUCH' : ''}`);
    }
    return code;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`packet-cost: ${error.message}`);
  process.exitCode = 1;
}
