// What `script/bench flood` measures: a flood, what it does to people at work, and what is promised
// (HOSTILE.md G4–G7, L03, L08, F08): bounds, as shares, milliseconds and bytes.

const kB = 1024;
const MB = 1024 * kB;

/// `flood` as in tests/e2e/lib/floods.mjs, `rate` a second; or `slow`: so many connections that say one
/// byte.
const overIpv4 = [
  {
    name: 'garbage-100k', title: 'random bytes, 100,000 a second', flood: 'garbage', rate: 100_000,
    promises: { loss: 0.001, addedP99Ms: 5, resident: MB, amplification: 0 },
  },
  {
    name: 'garbage-300k', title: 'random bytes, 300,000 a second in trains of 4', flood: 'garbage-trains', rate: 300_000,
    promises: { loss: 0.02, resident: MB, amplification: 0 },
  },
  {
    name: 'binding-50k', title: 'Binding requests, 50,000 a second', flood: 'binding', rate: 50_000,
    promises: { loss: 0.005, resident: MB, newcomers: 0.99, amplification: 1.36 },
  },
  {
    name: 'allocate-50k', title: 'Allocates from 100,000 addresses of 4,000 networks, 50,000 a second',
    flood: 'allocate', rate: 50_000,
    promises: { loss: 0.005, resident: MB, newcomers: 0.99, amplification: 2.2 },
  },
  {
    name: 'allocate-one-network', title: 'Allocates from one network, 50,000 a second',
    flood: 'allocate-one-network', rate: 50_000,
    promises: { loss: 0.005, resident: MB, newcomers: 0.99, amplification: 0.25 },
  },
  {
    name: 'dtls-hello', title: 'DTLS ClientHellos without a cookie from 10,000 addresses, 10,000 a second',
    flood: 'dtls-hello', rate: 10_000,
    promises: { loss: 0.005, resident: 256 * kB, newcomers: 0.99, amplification: 1 },
  },
  {
    name: 'tls-handshake', title: 'TLS handshakes that are never ended, 2,000 a second',
    flood: 'tls-handshake', rate: 2000,
    promises: { loss: 0.005, newcomers: 0.99 },
  },
  {
    name: 'dtls-handshake', title: 'DTLS handshakes with a cookie that are never ended, 2,000 a second',
    flood: 'dtls-handshake', rate: 2000,
    promises: { loss: 0.005, newcomers: 0.99 },
  },
  {
    name: 'slow-connections', title: '5,000 TCP connections that say one byte', slow: 5000,
    promises: { loss: 0.005, newcomers: 0.99, connectP99Ms: 50 },
  },
];

/// Over IPv6 the same is promised as over IPv4.
function ipv6Case(name, title) {
  const like = overIpv4.find((one) => one.name === name);
  return { ...like, name: `${name}-ipv6`, title, flood: `${like.flood}-ipv6`, isIpv6: true };
}

export const cases = [
  ...overIpv4,
  ipv6Case('garbage-100k', 'random bytes, 100,000 a second, each from an IPv6 network of its own'),
  ipv6Case('binding-50k', 'Binding requests, 50,000 a second, each from an IPv6 network of its own'),
  ipv6Case('allocate-50k', 'Allocates, 50,000 a second, each from an IPv6 network of its own'),
  ipv6Case('allocate-one-network', 'Allocates from 256 /64 of one /56, each from another address, 50,000 a second'),
  ipv6Case('dtls-hello', 'DTLS ClientHellos without a cookie, 10,000 a second, each from an IPv6 network of its own'),
];
