// What a server holds on to, from outside: memory and descriptors of its process, ports and
// allocations by its metrics.

import { readdir, readFile } from 'node:fs/promises';

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

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/// The fewest of some looks: a connection that has asked for the metrics may be on its way out.
async function descriptorsOf(pid) {
  let fewest = Infinity;
  for (let i = 0; i < 5; i += 1) {
    fewest = Math.min(fewest, (await readdir(`/proc/${pid}/fd`)).length);
    await pause(10);
  }
  return fewest;
}

/// Of the process `pid` with metrics at `metrics`.
export async function holdings({ pid, metrics }) {
  const descriptors = await descriptorsOf(pid);
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'));
  const values = await metricsAt(metrics);
  return {
    residentBytes: 1024 * Number(kilobytes),
    descriptors,
    portsInUse: values.turnpike_relay_ports_in_use,
    allocations: values.turnpike_allocations,
    opened: values.turnpike_allocations_total,
  };
}

/// What must be given back to the last one; memory is the allocator's to keep.
export const countable = ({ descriptors, portsInUse, allocations }) => ({ descriptors, portsInUse, allocations });
