// ICE servers as one test each: a result must belong to one URL.

/**
 * @typedef {object} Server one URL and what it is asked with
 * @property {string} url
 * @property {string} [username]
 * @property {string} [credential]
 * @property {'stun'|'turn'} kind
 * @property {'udp'|'tcp'|'tls'} transport
 * @property {string} address "host:port", to tell whether two URLs are one server
 */

const pattern = /^(stun|stuns|turn|turns):(\[[0-9a-fA-F:.]+\]|[^:?/[\]]+)(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/;

/** @returns {Server | null} null for what is no STUN or TURN URI (RFC 7064, RFC 7065) */
export function parseUrl(url) {
  const match = pattern.exec(url.trim());
  if (!match) return null;
  const [, scheme, host, port, transport] = match;
  const isSecure = scheme.endsWith('s');
  const over = isSecure ? (transport === 'udp' ? 'udp' : 'tls') : (transport ?? 'udp');
  return {
    url: url.trim(),
    kind: scheme.startsWith('stun') ? 'stun' : 'turn',
    transport: over,
    address: `${host.toLowerCase()}:${port ?? (isSecure ? 5349 : 3478)}`,
  };
}

/** One Server per URL, in order, each once. URLs that are none come back in `bad`. */
export function splitServers(iceServers) {
  const servers = new Map();
  const bad = [];
  for (const { urls, url, username, credential } of iceServers) {
    for (const one of [urls ?? url ?? []].flat()) {
      const server = parseUrl(String(one));
      if (!server) bad.push(String(one));
      else if (!servers.has(server.url)) servers.set(server.url, { ...server, username, credential });
    }
  }
  return { servers: [...servers.values()], bad };
}

/** What the browser wants to be given. */
export const iceServerOf = ({ url, kind, username, credential }) =>
  kind === 'turn' ? { urls: url, username: username ?? '', credential: credential ?? '' } : { urls: url };

/**
 * Reads what a person pasted: an array of ICE servers, one of them, or an object with `iceServers`.
 * @returns {{servers: Server[]} | {problem: string, values?: object}} `problem` is a key of the strings
 */
export function readPasted(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: 'nat.own.notJson', values: { why: error.message } };
  }
  const list = Array.isArray(value) ? value : (value?.iceServers ?? [value]);
  if (!Array.isArray(list) || list.some((entry) => !entry || typeof entry !== 'object')) {
    return { problem: 'nat.own.notServers' };
  }
  const { servers, bad } = splitServers(list);
  if (bad.length > 0) return { problem: 'nat.own.badUrl', values: { url: bad[0] } };
  if (servers.length === 0) return { problem: 'nat.own.notServers' };
  return { servers };
}
