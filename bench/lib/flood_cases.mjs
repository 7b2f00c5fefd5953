// What `script/bench flood` measures: a flood, what it does to people at work, and what is promised
// (HOSTILE.md G4–G7, L03, L08, F08): bounds, as shares, milliseconds and bytes.

const kB = 1024;
const MB = 1024 * kB;

/// `flood` as in tests/e2e/lib/floods.mjs, `rate` a second; or `slow`: so many connections that say one
/// byte.
export const cases = [
  {
    name: 'garbage-100k', title: 'random bytes, 100,000 a second', flood: 'garbage', rate: 100_000,
    promises: { loss: 0.001, addedP99Ms: 5, resident: MB, amplification: 0 },
  },
  {
    name: 'garbage-300k', title: 'random bytes, 300,000 a second', flood: 'garbage', rate: 300_000,
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
