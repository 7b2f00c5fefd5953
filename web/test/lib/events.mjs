// Waiting for events of the client, and keeping them.

/** The next `event` that `isWanted`, or an error that names it after `deadlineMs`. */
export function next(emitter, event, isWanted = () => true, deadlineMs = 5_000) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop();
      reject(new Error(`waited ${deadlineMs} ms for '${event}'`));
    }, deadlineMs);
    const stop = emitter.on(event, (payload) => {
      if (!isWanted(payload)) return;
      stop();
      clearTimeout(timer);
      resolve(payload);
    });
  });
}

/** A list that grows with every one of the `events`, as [name, payload]. */
export function record(emitter, ...events) {
  const seen = [];
  for (const event of events) emitter.on(event, (payload) => seen.push([event, payload]));
  return seen;
}

/** Calls `probe` until it returns something truthy, and returns that. */
export async function until(what, probe, { deadlineMs = 10_000, everyMs = 10, describe } = {}) {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const answer = await probe();
    if (answer) return answer;
    if (Date.now() >= deadline) {
      const last = describe ? `; last seen: ${JSON.stringify(await describe())}` : '';
      throw new Error(`waited ${deadlineMs} ms for ${what}${last}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
