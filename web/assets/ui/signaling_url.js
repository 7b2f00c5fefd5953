// The signaling endpoint of the server that this page came from.

export function signalingUrl(base = location.href) {
  const url = new URL('/v1/ws', base);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}
