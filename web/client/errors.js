// Errors: one class, told apart by code.

export class TurnpikeError extends Error {
  constructor(code, message, { retryAfterMs = null, fatal = false, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'TurnpikeError';
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.fatal = fatal;
  }
}

/** What an `error` message of the server says. */
export function errorFromServer({ code, message, retryAfterMs, fatal }) {
  return new TurnpikeError(String(code), String(message), {
    retryAfterMs: retryAfterMs ?? null,
    fatal: fatal === true,
  });
}

// After these nothing but the application can help: the room is over. Other fatal errors
// (rate_limited, server_busy, join_timeout, too_large) end a connection, not the membership.
const endings = new Map([
  ['bad_message', 4400],
  ['unauthorized', 4401],
  ['token_expired', 4401],
  ['forbidden', 4403],
  ['kicked', 4403],
  ['room_not_found', 4404],
  ['replaced', 4409],
  ['room_ended', 4410],
  ['room_full', 4423],
  ['room_locked', 4423],
]);

/** Whether a fatal error with this code is the end of the room for us. */
export const endsRoom = (code) => endings.has(code);

/**
 * The code of the ending that a close frame tells; null if the connection merely broke. The server
 * writes the code as the reason, but a proxy may drop it.
 */
export function endingOf({ code, reason }) {
  if (endings.get(reason) === code) return reason;
  const found = [...endings].find(([, closeCode]) => closeCode === code);
  return found ? found[0] : null;
}
