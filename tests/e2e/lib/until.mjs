// Waiting for something that cannot announce itself. No test sleeps for a fixed time.

import { setTimeout as pause } from 'node:timers/promises';

/// Calls `probe` until it returns something truthy, and returns that.
///
/// The error at the deadline carries what `describe` makes of the last answer, since "timed
/// out" alone tells a reader nothing.
export async function until(what, probe, { deadlineMs = 15_000, everyMs = 100, describe } = {}) {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const answer = await probe();
    if (answer) return answer;
    if (Date.now() >= deadline) {
      const last = describe ? `; last seen: ${JSON.stringify(await describe())}` : '';
      throw new Error(`waited ${deadlineMs} ms for ${what}${last}`);
    }
    await pause(everyMs);
  }
}

/// `promise`, or an error that names `what` once `deadlineMs` have passed.
export async function within(deadlineMs, what, promise) {
  let timer;
  const expired = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${deadlineMs} ms for ${what}`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}
