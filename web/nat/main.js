// The NAT page: what happens when.

import { TurnpikeError } from '../turnpike.js';
import { copyButton } from '../assets/ui/clipboard.js';
import { byId, fillIcons, loadIcons } from '../assets/ui/dom.js';
import { carryFragment } from '../assets/ui/fragment.js';
import { startHeader } from '../assets/ui/header.js';
import { onLanguage, setPlain, setText, translate } from '../assets/ui/i18n.js';
import { fetchIceServers } from './ice_source.js';
import { reportText } from './report.js';
import { readPasted, splitServers } from './servers.js';
import { runTest } from './test_run.js';
import { showFacts, showProblem, showReport, showServers, showVerdict } from './view.js';

let outcome = null;
let isBusy = false;

function setBusy(busy) {
  isBusy = busy;
  for (const button of document.querySelectorAll('#start, #own-form button')) button.disabled = busy;
}

async function test(servers) {
  setBusy(true);
  showProblem(null);
  showVerdict('busy', 'nat.verdict.busy');
  const lanes = showServers(servers);
  try {
    outcome = await runTest(servers, lanes);
    showVerdict(outcome.conclusion.tone, outcome.conclusion.key);
    showFacts(outcome);
    showReport(reportText(outcome));
    setText(byId('start').querySelector('[data-t]'), 'nat.again');
  } finally {
    setBusy(false);
  }
}

const problems = ['unreachable', 'unauthorized', 'token_expired', 'forbidden', 'room_full', 'room_locked', 'server_busy', 'rate_limited'];

async function testOurs() {
  setBusy(true);
  showProblem(null);
  showVerdict('busy', 'nat.verdict.asking');
  let iceServers;
  try {
    iceServers = await fetchIceServers();
  } catch (error) {
    if (!(error instanceof TurnpikeError)) throw error;
    const code = problems.includes(error.code) ? error.code : 'other';
    showVerdict('idle', 'nat.verdict.notAsked');
    showProblem(`problem.${code}`, code === 'other' ? 'problem.other.do' : `nat.problem.${code}.do`, { code: error.code });
    setBusy(false);
    return;
  }
  await test(splitServers(iceServers).servers);
}

function testPasted(event) {
  event.preventDefault();
  const { servers, problem, values } = readPasted(byId('own').value);
  if (problem) setText(byId('own-problem'), problem, values);
  else setPlain(byId('own-problem'), '');
  if (!servers || isBusy) return;
  byId('verdict').scrollIntoView({ block: 'center' });
  test(servers);
}

fillIcons();
loadIcons();
startHeader('nat.pageTitle');
translate();
carryFragment();
byId('own').placeholder = '[\n  { "urls": "stun:turn.example.com:3478" },\n  { "urls": "turn:turn.example.com:3478?transport=udp",\n    "username": "…", "credential": "…" }\n]';
byId('start').addEventListener('click', testOurs);
byId('own-form').addEventListener('submit', testPasted);
copyButton(byId('copy-report'), () => byId('report').textContent, (key) => setText(byId('said'), key));
onLanguage(() => outcome && showReport(reportText(outcome)));
