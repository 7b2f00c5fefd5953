// The results as text, to be pasted into a mail or an issue. Credentials are not in it.

import { t } from '../assets/ui/i18n.js';

const line = (...cells) => cells.filter(Boolean).join('  ');

function candidateLine({ type, protocol, address, port, relayProtocol, priority }) {
  return line('   ', type.padEnd(5), protocol, `${address}:${port}`, relayProtocol && `(${relayProtocol})`, `prio ${priority}`);
}

function serverLines({ server, found, verdict, loop }) {
  return [
    `${verdict.works ? '[ok]' : '[--]'} ${server.url}  ${found.ms} ms`,
    line('   ', t(verdict.why, verdict.values)),
    verdict.remedy && line('   ', `→ ${t(verdict.remedy, verdict.values)}`),
    loop && line('   ', loop.problem ? t(loop.problem) : t('nat.loop.result', loop)),
    ...found.candidates.map(candidateLine),
    ...found.errors.map(({ code, text, address }) => line('   ', `error ${code}`, text, address)),
  ].filter(Boolean);
}

/** @returns {string} */
export function reportText({ results, mapping, ipv6, conclusion, at }) {
  return [
    `Turnpike ${t('nat.title')} · ${at.toISOString()}`,
    navigator.userAgent,
    '',
    t(conclusion.key),
    '',
    ...results.flatMap((result) => [...serverLines(result), '']),
    `${t('nat.mapping')}: ${t(`nat.mapping.${mapping.kind}`)}${mapping.ports ? ` [${mapping.ports.join(', ')}]` : ''}`,
    `IPv6: ${t(`nat.ipv6.${ipv6}`)}`,
    '',
  ].join('\n');
}
