// A load, run to its end against one of the servers here.

import { reportIn, start } from '../../tests/e2e/lib/process.mjs';

/// What `command` reported, which prints JSON. Throws with both logs when it failed.
export async function runLoad(name, command, args, server) {
  const load = start(name, command, args.map(String));
  const { code } = await load.ended;
  if (code !== 0) throw new Error(`the load failed:\n${load.log.text}\n${server.log.text}`);
  return reportIn(load.log.text);
}
