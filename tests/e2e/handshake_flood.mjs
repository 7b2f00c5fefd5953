// What a flood of TLS and DTLS handshakes costs those who are at work (HOSTILE.md L03, G6): not part
// of the suite, as it measures. On a machine with two cores or more, the server with one worker is
// kept on the first and everything else on the second:
//
//   node handshake_flood.mjs [SECONDS] [without-limits]
//
// 20 clients of turnutils_uclient relay 50 messages a second each over UDP to a peer that echoes
// them, first undisturbed, then under 2,000 handshakes a second over TLS and over DTLS, with the
// limits that a configuration has unless it says otherwise or, to see what they are good for, without
// any. One line of JSON for each run; exit code 1 when one lost 0.5 % or more. The certificate is
// RSA's, whose signature costs most. Where other work is done on the machine, "chrt -r 1" before the
// command keeps it out of the figures.

import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makeCertificate } from './lib/certificate.mjs';
import { startFlood } from './lib/floods.mjs';
import { run } from './lib/process.mjs';
import { startServer, turnpike } from './lib/server.mjs';
import { byPassword, startEchoPeer, startUclient } from './lib/turnutils.mjs';
import { within } from './lib/until.mjs';

const seconds = Number(process.argv[2] ?? 20);
const hasLimits = process.argv[3] !== 'without-limits';
const rate = 2000;
const clients = 20;
const perSecond = 50;
const lossMax = 0.005;

const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-flood-'));

const certificate = await makeCertificate(directory, ['rsa:2048']);

/// What starts the server on the first core, and notes its process id.
const onFirstCore = path.join(directory, 'turnpike');
await writeFile(onFirstCore, `#!/bin/sh\necho $$ > ${directory}/pid\nexec taskset -c 0 ${turnpike()} "$@"\n`);
await chmod(onFirstCore, 0o755);
await run('taskset', 'taskset', ['-cp', '1', String(process.pid)]);

/// Seconds of CPU the server has used so far.
async function serverCpu() {
  const pid = (await readFile(path.join(directory, 'pid'), 'utf8')).trim();
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function liveTraffic(server, peer) {
  const flags = [
    ...['-e', '127.0.0.1', '-r', String(peer.port), '-c', '-l', '160', '-m', String(clients)],
    ...['-n', String(perSecond * seconds), '-z', String(1000 / perSecond)],
  ];
  const tool = await startUclient({ name: 'live', server, via: '127.0.0.1', credentials: byPassword('alice'), flags });
  await within((seconds + 60) * 1000, 'turnutils_uclient to end', tool.ended);
  const [, lost] = /Total lost packets (\d+)/.exec(tool.log.text);
  const [, sent] = [...tool.log.text.matchAll(/tot_send_msgs=(\d+)/g)].at(-1);
  const [, longest] = /Average round trip delay [\d.]+ ms; min = \d+ ms, max = (\d+) ms/.exec(tool.log.text) ?? [];
  return { sent: Number(sent), lost: Number(lost), longest_round_trip_ms: longest && Number(longest) };
}

/// Longer than the traffic, which takes a moment to begin and to end.
const flood = (over, server) =>
  startFlood(`${over}-handshake`, server, { rate, seconds: seconds + 5, before: ['nice', '-n', '5'] });

async function measure(over) {
  const limits = hasLimits
    ? { handshake_rate: 200, handshake_rate_total: 240, tcp_connections_per_address: 64 }
    : {};
  const server = await startServer({
    binary: onFirstCore, tls: certificate, dtls: true, users: ['alice'], allowPeers: ['127.0.0.0/8'], limits, workers: 1,
    environment: { TURNPIKE__RELAY__MAX_ALLOCATIONS_PER_USER: '100' },
  });
  const peer = await startEchoPeer();
  try {
    const before = await serverCpu();
    const tool = over && await flood(over, server);
    const startedAt = performance.now();
    const live = await liveTraffic(server, peer);
    const cores = (await serverCpu() - before) / ((performance.now() - startedAt) / 1000);
    const flooded = await tool?.ended() ?? {};
    const counters = await server.stop();
    const loss = live.lost / live.sent;
    console.log(JSON.stringify({
      flood: over ?? 'none',
      limits: hasLimits,
      ...live,
      loss_percent: Number((loss * 100).toFixed(3)),
      handshakes_begun_per_s: flooded.begun && Math.round(flooded.begun / flooded.seconds),
      answered_per_s: flooded.begun && Math.round(flooded.answered / flooded.seconds),
      refused: over === 'tls' ? counters.streams_refused_rate : counters.dtls_refused_rate,
      server_cores: Number(cores.toFixed(2)),
    }));
    return loss;
  } finally {
    peer.stop();
    await server.discard();
  }
}

const losses = [];
for (const over of [undefined, 'tls', 'dtls']) losses.push(await measure(over));
await rm(directory, { recursive: true, force: true });
process.exit(losses.every((loss) => loss < lossMax) ? 0 : 1);
