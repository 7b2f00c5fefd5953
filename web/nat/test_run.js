// One run of the test over a list of servers.

import { callOurselves } from './loopback.js';
import { gather } from './gather.js';
import { conclude, judge, judgeIpv6, judgeMapping } from './judge.js';

async function testServer(server, lane) {
  lane.showTesting();
  const found = await gather([server]);
  const result = { server, found, verdict: judge(server, found) };
  lane.showResult(result);
  return result;
}

/** The mapping shows only where one socket asks two servers, so this gathers once more. */
async function testMapping(results) {
  const answering = results.filter(({ server, verdict }) => verdict.works && server.transport === 'udp');
  const byAddress = new Map(answering.map(({ server }) => [server.address, server]));
  const together = byAddress.size < 2 ? null : await gather([...byAddress.values()]);
  const candidates = together?.candidates ?? answering.flatMap(({ found }) => found.candidates);
  return { mapping: judgeMapping(candidates, byAddress.size), candidates };
}

async function callThrough(result, lane) {
  lane.showCalling();
  result.loop = await callOurselves(result.server);
  lane.showLoop(result.loop);
}

/**
 * Tests every server: all at once, for a silent one takes ten seconds; then a call through each relay
 * that works, one after the other, for they share the line.
 * @param {import('./servers.js').Server[]} servers
 * @param {import('./view.js').Lane[]} lanes
 */
export async function runTest(servers, lanes) {
  const results = await Promise.all(servers.map((server, index) => testServer(server, lanes[index])));
  const { mapping, candidates } = await testMapping(results);
  for (const [index, result] of results.entries()) {
    if (result.verdict.works && result.server.kind === 'turn') await callThrough(result, lanes[index]);
  }
  const all = [...candidates, ...results.flatMap(({ found }) => found.candidates)];
  return { results, mapping, ipv6: judgeIpv6(all), conclusion: conclude(results, mapping), at: new Date() };
}
