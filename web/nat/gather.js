// Gathering candidates from some servers, with nothing at the other end.

import { iceServerOf } from './servers.js';

// A browser gives up on a silent STUN server after 9.5 s (RFC 8489 §6.2.1 with its constants).
const longestMs = 12_000;

/**
 * @typedef {object} Found
 * @property {RTCIceCandidate[]} candidates
 * @property {{code: number, text: string, url: string, address: string}[]} errors each kind once
 * @property {number} ms until the first address that a server gave, or until the end
 * @property {boolean} isComplete false: the browser was still waiting when we stopped
 * @property {string} [refusal] what the browser said when it would not even try
 */

/**
 * Asks `servers` for addresses, all in one connection.
 * @param {import('./servers.js').Server[]} servers
 * @returns {Promise<Found>}
 */
export async function gather(servers) {
  const found = { candidates: [], errors: [], ms: 0, isComplete: false };
  const begin = performance.now();
  const since = () => Math.round(performance.now() - begin);
  let connection;
  try {
    connection = new RTCPeerConnection({ iceServers: servers.map(iceServerOf) });
  } catch (error) {
    return { ...found, refusal: error.message };
  }
  const ended = new Promise((resolve) => {
    const timer = setTimeout(resolve, longestMs);
    connection.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate === null) {
        found.isComplete = true;
        clearTimeout(timer);
        resolve();
      } else if (candidate.candidate !== '' && candidate.tcpType !== 'active') {
        // (An active TCP candidate is no address: its port is always 9.)
        if (candidate.type !== 'host' && found.ms === 0) found.ms = Math.max(1, since());
        found.candidates.push(candidate);
      }
    });
  });
  connection.addEventListener('icecandidateerror', ({ errorCode, errorText, url, address, port }) => {
    const isKnown = found.errors.some(({ code, text }) => code === errorCode && text === errorText);
    if (!isKnown) found.errors.push({ code: errorCode, text: errorText, url, address: address ? `${address}:${port}` : '' });
  });
  connection.createDataChannel('probe');
  await connection.setLocalDescription();
  await ended;
  connection.close();
  if (found.ms === 0) found.ms = since();
  return found;
}
