// What a server holds on to, from outside: memory and descriptors of its process, ports and
// allocations by its metrics.

import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/// The values of /metrics at `address` ("127.0.0.1:9641"), summed over labels, by name.
export async function metricsAt(address) {
  const response = await fetch(`http://${address}/metrics`, { headers: { connection: 'close' } });
  if (!response.ok) throw new Error(`/metrics: ${response.status}`);
  const sums = {};
  for (const [, name, value] of (await response.text()).matchAll(/^(\w+)(?:\{.*\})? (\S+)$/gm)) {
    sums[name] = (sums[name] ?? 0) + Number(value);
  }
  return sums;
}

/// How many descriptors a process has open.
export const descriptorsOf = (pid) => readdirSync(`/proc/${pid}/fd`).length;

/// The fewest of some looks: a connection that has asked for the metrics may be on its way out.
async function fewestDescriptorsOf(pid) {
  let fewest = Infinity;
  for (let i = 0; i < 5; i += 1) {
    fewest = Math.min(fewest, descriptorsOf(pid));
    await pause(10);
  }
  return fewest;
}

/// How much memory a process has.
export function residentBytesOf(pid) {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return 1024 * Number(kilobytes);
}

/// Of the process `pid` with metrics at `metrics`.
export async function holdings({ pid, metrics }) {
  const descriptors = await fewestDescriptorsOf(pid);
  const residentBytes = residentBytesOf(pid);
  const values = await metricsAt(metrics);
  return {
    residentBytes,
    descriptors,
    portsInUse: values.turnpike_relay_ports_in_use,
    allocations: values.turnpike_allocations,
    opened: values.turnpike_allocations_total,
  };
}

/// What must be given back to the last one; memory is the allocator's to keep.
export const countable = ({ descriptors, portsInUse, allocations }) => ({ descriptors, portsInUse, allocations });
