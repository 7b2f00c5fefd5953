// A call with ourselves through a relay: does it carry data, how fast, how far.

import { iceServerOf } from './servers.js';

const connectMs = 10_000;
const pings = 10;
const measureMs = 2000;
const messageBytes = 16 * 1024;
const mostBuffered = 512 * 1024;

function within(ms, promise, problem) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(problem)), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const once = (target, event) => new Promise((resolve) => target.addEventListener(event, resolve, { once: true }));

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function connect(caller, answerer) {
  for (const [from, to] of [[caller, answerer], [answerer, caller]]) {
    from.addEventListener('icecandidate', ({ candidate }) => to.addIceCandidate(candidate ?? undefined).catch(() => {}));
  }
  await caller.setLocalDescription();
  await answerer.setRemoteDescription(caller.localDescription);
  await answerer.setLocalDescription();
  await caller.setRemoteDescription(answerer.localDescription);
}

/** The answerer sends texts back and counts bytes. */
function answer(channel, count) {
  channel.binaryType = 'arraybuffer';
  channel.addEventListener('message', ({ data }) => {
    if (typeof data === 'string') channel.send(data);
    else count(data.byteLength);
  });
}

async function roundTrips(channel) {
  const times = [];
  for (let ping = 0; ping < pings; ping += 1) {
    const begin = performance.now();
    const echoed = once(channel, 'message');
    channel.send(String(ping));
    await within(connectMs, echoed, 'lost');
    times.push(performance.now() - begin);
  }
  return median(times);
}

async function flood(channel) {
  const message = new Uint8Array(messageBytes);
  channel.bufferedAmountLowThreshold = mostBuffered / 2;
  const end = performance.now() + measureMs;
  while (performance.now() < end) {
    if (channel.bufferedAmount < mostBuffered) channel.send(message);
    else await within(connectMs, once(channel, 'bufferedamountlow'), 'lost');
  }
}

async function relayProtocol(connection) {
  const stats = [...(await connection.getStats()).values()];
  return stats.find(({ type, candidateType }) => type === 'local-candidate' && candidateType === 'relay')?.relayProtocol ?? null;
}

/**
 * Calls ourselves through the relay of one server.
 * @param {import('./servers.js').Server} server
 * @returns {Promise<{kbps: number, rttMs: number, relayProtocol: string | null} | {problem: string}>}
 *   `problem` is a key of the strings
 */
export async function callOurselves(server) {
  const configuration = { iceServers: [iceServerOf(server)], iceTransportPolicy: 'relay' };
  const connections = [new RTCPeerConnection(configuration), new RTCPeerConnection(configuration)];
  const [caller, answerer] = connections;
  let bytes = 0;
  let firstAt = 0;
  let lastAt = 0;
  answerer.addEventListener('datachannel', ({ channel }) => answer(channel, (length) => {
    lastAt = performance.now();
    if (firstAt === 0) firstAt = lastAt;
    else bytes += length;
  }));
  const channel = caller.createDataChannel('loopback');
  try {
    const opened = once(channel, 'open');
    await connect(caller, answerer);
    await within(connectMs, opened, 'notConnected');
    const rttMs = Math.round(await roundTrips(channel) * 10) / 10;
    await flood(channel);
    const kbps = lastAt > firstAt ? Math.round(bytes * 8 / (lastAt - firstAt)) : 0;
    return { kbps, rttMs, relayProtocol: await relayProtocol(caller) };
  } catch (error) {
    return { problem: error.message === 'notConnected' ? 'nat.loop.notConnected' : 'nat.loop.lost' };
  } finally {
    for (const connection of connections) connection.close();
  }
}
