// script/bench packet-cost [--update]: how many instructions a worker spends in user space on a turn
// of its loop with one relayed packet, and on each further packet of the same train, counted by
// callgrind, against bench/packet_cost/budget.json. The same binary counts the same each time,
// whatever else the machine does. Fails when one costs more than the budget allows; --update writes
// what was counted into the budget.

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
const trainLength = 5;
const titles = {
  up: 'client to peer', upNext: 'client to peer, each further one of a train',
  down: 'peer to client', downNext: 'peer to client, each further one of a train',
};

async function instructions(way, train, turns, directory) {
  const { stderr } = await promisify(execFile)('valgrind', [
    '--tool=callgrind', '--toggle-collect=turnpike::server::Worker::take_turn()',
    `--callgrind-out-file=${path.join(directory, 'out')}`, program, way, String(train), String(turns),
  ]);
  const [, count] = /Collected : (\d+)/.exec(stderr) ?? [];
  if (!count) throw new Error(`callgrind counted nothing:\n${stderr}`);
  return Number(count);
}

async function turnCost(way, train, directory) {
  const difference = (await instructions(way, train, many, directory)) - (await instructions(way, train, few, directory));
  return difference / (many - few);
}

/// A packet alone, and each further one of its train, as [alone, next].
async function packetCosts(way, directory) {
  const alone = await turnCost(way, 1, directory);
  const next = ((await turnCost(way, trainLength, directory)) - alone) / (trainLength - 1);
  return [alone, next].map(Math.round);
}

async function main(args) {
  if (args.some((arg) => arg !== '--update')) throw new Error('usage: script/bench packet-cost [--update]');
  const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-packet-cost-'));
  try {
    const [up, upNext] = await packetCosts('up', directory);
    const [down, downNext] = await packetCosts('down', directory);
    const cost = { up, upNext, down, downNext };
    if (args.includes('--update')) await writeFile(budgetPath, `${JSON.stringify(cost, null, 2)}\n`);
    const budget = JSON.parse(await readFile(budgetPath, 'utf8'));
    let code = 0;
    for (const [what, title] of Object.entries(titles)) {
      const most = Math.floor(budget[what] * tolerance);
      const isTooMuch = cost[what] > most;
      if (isTooMuch) code = 1;
      console.log(`${title}: ${cost[what]} instructions, budget ${budget[what]}, at most ${most}${isTooMuch ? ': TOO MUCH' : ''}`);
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
