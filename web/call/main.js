// The call page: lobby, call, end, and back again.

import { join, TurnpikeError } from '../turnpike.js';
import { byId, fillIcons, loadIcons, setIcon } from '../assets/ui/dom.js';
import { carryFragment, readFragment } from '../assets/ui/fragment.js';
import { startHeader } from '../assets/ui/header.js';
import { onLanguage, setLabel, setText, t, translate } from '../assets/ui/i18n.js';
import { signalingUrl } from '../assets/ui/signaling_url.js';
import { Invite } from './invite.js';
import { Lobby } from './lobby.js';
import { Panels } from './panels.js';
import { explain } from './problems.js';
import { Session } from './session.js';

const screens = ['lobby', 'call', 'over'];
let session = null;
let choice = null;

function showScreen(name) {
  document.body.dataset.screen = name;
  for (const screen of screens) byId(screen).hidden = screen !== name;
  byId('room-bar').hidden = name !== 'call';
  byId('invite').hidden = name !== 'call';
}

function showTitle() {
  document.title = session ? t('call.pageTitle.room', { room: session.room.id }) : t('call.pageTitle');
}

function startCall(room) {
  showScreen('call');
  lobby.close();
  session = new Session(room, choice, panels, showOver);
  invite.prepare(choice);
  showTitle();
  byId('main').focus();
}

/** The call has ended, by whatever `code` says. */
function showOver(code) {
  session = null;
  invite.close();
  const { title, remedy, values } = explain(code, Boolean(choice.token));
  setText(byId('over-title'), title, values);
  setText(byId('over-text'), remedy, values);
  setIcon(byId('over'), code === 'left' ? 'check' : 'info');
  showScreen('over');
  showTitle();
  byId('over-title').focus();
}

async function enter(chosen) {
  choice = chosen;
  try {
    const { room, token, name, stream } = chosen;
    const mic = chosen.mic && Boolean(stream?.getAudioTracks().length);
    const cam = chosen.camera && Boolean(stream?.getVideoTracks().length);
    startCall(await join(signalingUrl(), { room, name, token: token || undefined, meta: { mic, cam } }));
  } catch (error) {
    if (!(error instanceof TurnpikeError)) throw error;
    lobby.setJoining(false);
    lobby.showProblem(explain(error.code, Boolean(chosen.token)));
  }
}

function backToLobby() {
  showScreen('lobby');
  lobby.showProblem(null);
  return lobby.open();
}

fillIcons();
loadIcons();
const panels = new Panels((name) => {
  session?.onPanel(name);
});
const invite = new Invite();
const lobby = new Lobby(enter);

startHeader('call.pageTitle');
translate();
carryFragment();
onLanguage(showTitle);
setLabel(byId('open-people'), 'control.people');
setLabel(byId('settings'), 'control.settings');
byId('to-lobby').addEventListener('click', backToLobby);
byId('rejoin').addEventListener('click', async () => {
  await backToLobby();
  byId('join-form').requestSubmit();
});
addEventListener('hashchange', () => {
  const { room } = readFragment();
  if (session && room && room !== session.room.id) session.room.leave();
});
showScreen('lobby');
lobby.open();
