// What the candidates and errors of one URL mean: does it work, if not why, and what to do.

/** Codes that have a sentence of their own: nat.why.<code> and nat.do.<code>. */
const explained = [300, 400, 401, 403, 420, 437, 438, 441, 442, 486, 500, 508, 701];

/** The error that says most: what a server answered, before what nobody answered. */
function tellingError(errors) {
  return errors.find(({ code }) => code !== 701) ?? errors[0];
}

function reasonOf(error, transport) {
  if (error.code === 701 && /lookup|resolv/i.test(error.text)) return 'lookup';
  if (error.code === 701) return transport === 'udp' ? '701' : `701.${transport}`;
  return explained.includes(error.code) ? String(error.code) : 'other';
}

/**
 * @typedef {object} Verdict
 * @property {boolean} works
 * @property {string} why a key of the strings
 * @property {string} [remedy] a key, when there is something to do
 * @property {object} [values]
 */

/**
 * @param {import('./servers.js').Server} server
 * @param {import('./gather.js').Found} found
 * @returns {Verdict}
 */
export function judge(server, found) {
  const has = (type) => found.candidates.some((candidate) => candidate.type === type);
  if (found.refusal) return { works: false, why: 'nat.why.refused', remedy: 'nat.do.refused', values: { text: found.refusal } };
  if (server.kind === 'turn' && has('relay')) return { works: true, why: 'nat.why.relay' };
  if (server.kind === 'stun' && has('srflx')) return { works: true, why: 'nat.why.srflx' };
  const error = tellingError(found.errors);
  if (error) {
    const reason = reasonOf(error, server.transport);
    return { works: false, why: `nat.why.${reason}`, remedy: `nat.do.${reason}`, values: { code: error.code, text: error.text } };
  }
  if (server.kind === 'stun' && found.isComplete && has('host')) return { works: true, why: 'nat.why.same' };
  if (found.isComplete && !has('host')) return { works: false, why: 'nat.why.blocked', remedy: 'nat.do.blocked' };
  const reason = found.isComplete ? 'gaveUp' : 'silent';
  return { works: false, why: `nat.why.${reason}`, remedy: `nat.do.${reason}` };
}

const isV6 = (address) => Boolean(address?.includes(':'));
const isPublicV6 = (address) => isV6(address) && !/^\[?(::1\]?$|fe[89ab]|f[cd])/i.test(address);

/** Does this network have IPv6? `unknown`: the browser hides its own addresses. */
export function judgeIpv6(candidates) {
  const own = candidates.filter(({ type }) => type === 'host');
  const seen = candidates.filter(({ type }) => type === 'srflx').map(({ address }) => address);
  if ([...own.map(({ address }) => address), ...seen].some(isPublicV6)) return 'yes';
  if (own.some(({ address }) => isV6(address))) return 'local';
  return own.some(({ address }) => address?.endsWith('.local')) || own.length === 0 ? 'unknown' : 'no';
}

/**
 * How the NAT maps, from what several STUN servers saw of one socket (RFC 4787 §4.1).
 * @param {RTCIceCandidate[]} candidates all from one connection
 * @param {number} addresses how many server addresses answered over UDP
 */
export function judgeMapping(candidates, addresses) {
  const udp = candidates.filter(({ protocol }) => protocol === 'udp');
  const seen = udp.filter(({ type }) => type === 'srflx');
  if (addresses === 0) return { kind: 'noAnswer' };
  if (seen.length === 0) return { kind: 'none' };
  if (addresses < 2) return { kind: 'oneServer' };
  const hosts = udp.filter(({ type }) => type === 'host').length;
  const bySocket = new Map();
  for (const { address, port, relatedAddress, relatedPort } of seen) {
    const socket = `${isV6(address)} ${relatedAddress} ${relatedPort}`;
    bySocket.set(socket, (bySocket.get(socket) ?? new Set()).add(port));
  }
  const isHidden = seen.every(({ relatedPort }) => !relatedPort);
  const mostPerSocket = Math.max(...[...bySocket.values()].map(({ size }) => size));
  // Where the browser hides its own ports, sockets can only be counted.
  const changes = isHidden ? mostPerSocket > Math.max(1, hosts) : mostPerSocket > 1;
  return { kind: changes ? 'dependent' : 'independent', ports: [...new Set(seen.map(({ port }) => port))] };
}

/**
 * All of it in one sentence.
 * @param {{server: import('./servers.js').Server, verdict: Verdict}[]} results
 * @param {{kind: string}} mapping
 * @returns {{tone: 'good'|'fair'|'bad', key: string}}
 */
export function conclude(results, mapping) {
  const working = results.filter(({ verdict }) => verdict.works).map(({ server }) => server);
  const relays = working.filter(({ kind }) => kind === 'turn');
  const wereRelays = results.some(({ server }) => server.kind === 'turn');
  if (results.length === 0) return { tone: 'bad', key: 'nat.verdict.noServers' };
  if (working.length === 0) return { tone: 'bad', key: 'nat.verdict.nothing' };
  if (relays.some(({ transport }) => transport === 'udp')) {
    return { tone: 'good', key: mapping.kind === 'dependent' ? 'nat.verdict.relayNeeded' : 'nat.verdict.good' };
  }
  if (relays.length > 0) return { tone: 'fair', key: 'nat.verdict.onlyStream' };
  return { tone: wereRelays ? 'bad' : 'fair', key: wereRelays ? 'nat.verdict.noRelay' : 'nat.verdict.onlyStun' };
}
