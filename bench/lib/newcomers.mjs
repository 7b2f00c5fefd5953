// New clients that come while others are at work: does each get its allocation in three tries?

import { setTimeout as pause } from 'node:timers/promises';
import { TurnClient } from '../../tests/e2e/lib/turn_client.mjs';

/// Allocates as a new client at `address` does, and leaves. True when it got its allocation.
async function arrive(port, from, credentials) {
  try {
    const client = await TurnClient.allocate(port, credentials, { ...from, tries: 3, patienceMs: 250 });
    await client.end().catch(() => client.discard()); // that it leaves politely is not what is measured
    return true;
  } catch {
    return false;
  }
}

/// Where number `number` comes from, and to: a network of its own, of IPv6 in 3fff::/20 (floods.mjs).
const onTheirWay = {
  ipv4: (number) => ({ host: '127.0.0.1', address: `127.96.${number % 256}.${1 + (number >> 8)}` }),
  ipv6: (number) => ({ host: '::1', address: `3fff:1:${number.toString(16)}::1` }),
};

/// `perSecond` of them for `seconds`, each from a network of its own, by turns of `families` ("ipv4", "ipv6");
/// returns {came, served}.
export async function newcomers(port, { user, password, perSecond = 20, seconds, families }) {
  const all = [];
  const startedAt = performance.now();
  for (let number = 0; number < perSecond * seconds; number += 1) {
    await pause(startedAt + (1000 * number) / perSecond - performance.now());
    const from = onTheirWay[families[number % families.length]](number);
    all.push(arrive(port, from, { username: user, credential: password }));
  }
  const served = (await Promise.all(all)).filter(Boolean).length;
  return { came: all.length, served };
}
