// The link to the room, as text to copy and as a picture to scan.

import { copyButton } from '../assets/ui/clipboard.js';
import { byId, svg } from '../assets/ui/dom.js';
import { writeFragment } from '../assets/ui/fragment.js';
import { setText, t } from '../assets/ui/i18n.js';
import { claimsOf } from '../assets/ui/token.js';
import { announce } from './announce.js';
import { encodeQr } from './qr.js';

const quietZone = 4; // modules around the code; scanners want them

export const inviteLink = ({ room, token }) => `${location.origin}/${writeFragment({ room, token })}`;

/** The code as one path: a square per dark module. */
function qrPicture(text) {
  const modules = encodeQr(text);
  const side = modules.length + 2 * quietZone;
  const squares = modules.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x + quietZone} ${y + quietZone}h1v1h-1z` : '')));
  return svg('svg', { viewBox: `0 0 ${side} ${side}`, role: 'img', 'aria-label': t('invite.qr'), 'shape-rendering': 'crispEdges' },
    svg('rect', { width: side, height: side, fill: '#fff' }),
    svg('path', { d: squares.join(''), fill: '#10201a' }));
}

function showQr(link) {
  try {
    byId('qr').replaceChildren(qrPicture(link));
  } catch {
    setText(byId('qr'), 'invite.qr.tooLong');
  }
}

/** Whoever gets a token gets what it allows: that is said. */
function noteFor(token) {
  const claims = token ? claimsOf(token) : null;
  if (!token) return 'invite.note.open';
  if (claims?.sub) return 'invite.note.personal';
  return claims?.role === 'owner' ? 'invite.note.owner' : 'invite.note.token';
}

export class Invite {
  #link = '';

  constructor() {
    const dialog = byId('invite-dialog');
    byId('invite-close').addEventListener('click', () => dialog.close());
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
    byId('invite-link').addEventListener('focus', ({ target }) => target.select());
    copyButton(byId('copy-link'), () => this.#link, (key) => announce(key, {}, 'copy'));
    for (const id of ['invite', 'alone-invite']) byId(id).addEventListener('click', () => dialog.showModal());
  }

  /** Makes link and code for this room. */
  prepare({ room, token }) {
    this.#link = inviteLink({ room, token });
    byId('invite-link').value = this.#link;
    setText(byId('invite-note'), noteFor(token));
    showQr(this.#link);
  }

  close() {
    byId('invite-dialog').close();
  }
}
