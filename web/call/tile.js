// One person on the stage: picture or initials, name, microphone, the way there.

import { el, icon, setIcon } from '../assets/ui/dom.js';
import { setPlain, setText } from '../assets/ui/i18n.js';
import { Badge } from './badge.js';

const hues = 6;

/** "Mina Kim" → "MK"; "민아" → "민". */
export function initialsOf(name) {
  const words = name.trim().split(/\s+/).filter(Boolean);
  return words.slice(0, 2).map((word) => [...word][0].toUpperCase()).join('') || '?';
}

const hueOf = (name) => [...name].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % hues;

export class Tile {
  #video = el('video', { autoplay: true, playsinline: true });
  #name;
  #microphone = icon('mic-off');
  isScreen = false;

  /** `isSelf`: our own, muted and mirrored, without a badge. */
  constructor({ name, isSelf = false }) {
    this.isSelf = isSelf;
    this.name = name;
    this.#video.muted = isSelf;
    // Until a picture is there, the initials are.
    for (const event of ['loadeddata', 'resize']) {
      this.#video.addEventListener(event, () => this.element.classList.toggle('has-frames', this.#video.videoWidth > 0));
    }
    this.#name = el('span', { class: 'tile-name', ...(isSelf ? { t: ['tile.self', { name }] } : {}) }, ...(isSelf ? [] : [name]));
    this.badge = isSelf ? null : new Badge();
    this.away = el('p', { class: 'tile-away', t: 'tile.away', hidden: true });
    this.element = el('li', { class: `tile${isSelf ? ' self' : ''}`, data: { peer: isSelf ? 'self' : name } },
      this.#video,
      el('div', { class: 'avatar', 'aria-hidden': 'true', data: { hue: hueOf(name) } }, initialsOf(name)),
      this.away,
      this.badge?.element,
      el('p', { class: 'tile-caption' }, this.#microphone, this.#name, el('span', { class: 'visually-hidden' })));
    this.#video.setAttribute('aria-hidden', 'true');
  }

  /** Resolves to false when the browser refuses to play sound before the user has touched the page. */
  async show(stream) {
    this.#video.srcObject = stream;
    try {
      await this.#video.play();
      return true;
    } catch (error) {
      return error.name !== 'NotAllowedError';
    }
  }

  play() {
    return this.#video.play().catch(() => {});
  }

  rename(name) {
    this.name = name;
    this.element.dataset.peer = this.isSelf ? 'self' : name;
    if (!this.isSelf) setPlain(this.#name, name);
  }

  /** What of mic, camera and screen is on. */
  showMedia({ mic, cam, screen }) {
    this.isScreen = Boolean(screen);
    this.element.classList.toggle('has-picture', Boolean(cam || screen));
    this.element.classList.toggle('is-screen', this.isScreen);
    this.element.classList.toggle('is-muted', !mic);
    setIcon(this.#microphone, mic ? 'mic' : 'mic-off');
    setText(this.element.querySelector('.tile-caption .visually-hidden'), mic ? 'tile.micOn' : 'tile.micOff');
  }

  showSpeaking(isSpeaking) {
    this.element.classList.toggle('is-speaking', isSpeaking);
  }

  showAway(isAway) {
    this.away.hidden = !isAway;
  }

  /** In pixels of the stage. */
  place({ x, y, width, height, isOnTop = false }) {
    const { style, classList } = this.element;
    style.transform = `translate(${x}px, ${y}px)`;
    style.width = `${width}px`;
    style.height = `${height}px`;
    classList.toggle('is-on-top', isOnTop);
    classList.toggle('is-small', width < 260);
    classList.toggle('is-tiny', width < 170);
  }

  remove() {
    this.#video.srcObject = null;
    this.element.remove();
  }
}
