// Why one cannot be in a room, in a sentence and what to do.

const known = new Set([
  'unauthorized', 'token_expired', 'forbidden', 'room_not_found', 'room_full', 'room_locked', 'room_ended',
  'rate_limited', 'server_busy', 'unreachable', 'replaced', 'kicked', 'left', 'connection_lost', 'join_timeout',
]);

/**
 * @param {string} code of a TurnpikeError or a `closed` event
 * @param {boolean} hasToken whether one was presented
 * @returns {{title: string, remedy: string, values: object}} keys of the strings
 */
export function explain(code, hasToken) {
  const values = { code };
  if (code === 'unauthorized' && !hasToken) return { title: 'problem.noToken', remedy: 'problem.noToken.do', values };
  const name = known.has(code) ? code : 'other';
  return { title: `problem.${name}`, remedy: `problem.${name}.do`, values };
}
