// Before the call: a look at oneself, a name, a room.

import { levelMeter, listDevices, openMedia, watchDevices } from '../turnpike.js';
import { byId, el, icon, setIcon } from '../assets/ui/dom.js';
import { readFragment, writeFragment } from '../assets/ui/fragment.js';
import { setLabel, setPlain, setText } from '../assets/ui/i18n.js';
import { randomRoomName } from '../assets/ui/room_name.js';
import { recall, remember } from '../assets/ui/storage.js';
import { DeviceChoice } from './device_choice.js';
import { mediaProblem, missingIn } from './media_problem.js';

/** How long joining waits for devices that are just being opened; a question to the user may take longer. */
const openingMs = 3000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const deviceIdOf = (track) => track?.getSettings().deviceId ?? null;

export class Lobby {
  #stream = null;
  #meter = null;
  #opening = 0;
  #opened = Promise.resolve();
  #isOn = { mic: true, camera: true };

  /** `onJoin({room, token, name, stream, mic, camera, relayOnly})` */
  constructor(onJoin) {
    this.onJoin = onJoin;
    this.cameras = new DeviceChoice(byId('camera-choice'), 'camera', (id) => this.#choose('camera', id));
    this.microphones = new DeviceChoice(byId('microphone-choice'), 'microphone', (id) => this.#choose('microphone', id));
    byId('lobby-mic').addEventListener('click', () => this.#toggle('mic'));
    byId('lobby-camera').addEventListener('click', () => this.#toggle('camera'));
    byId('other-room').addEventListener('click', () => (byId('room').value = randomRoomName()));
    byId('join-form').addEventListener('submit', (event) => this.#submit(event));
    addEventListener('hashchange', () => this.#readRoom());
    byId('name').value = recall('name') ?? '';
    if (navigator.mediaDevices) watchDevices(() => this.#listDevices());
    this.#showSwitches();
  }

  get isOpen() {
    return !byId('lobby').hidden;
  }

  /** Shows the lobby and opens the devices. */
  async open() {
    byId('lobby').hidden = false;
    this.setJoining(false);
    this.#readRoom();
    await this.#openDevices();
  }

  /** Hides it. The devices stay open: the call has them now. */
  close() {
    byId('lobby').hidden = true;
    this.#meter?.stop();
    byId('preview-video').srcObject = null;
    this.#stream = null;
  }

  setJoining(isJoining) {
    byId('join').disabled = isJoining;
    setText(byId('join').firstElementChild, isJoining ? 'lobby.joining' : 'lobby.join');
  }

  /** @param {{title: string, remedy: string, values: object} | null} problem */
  showProblem(problem) {
    byId('lobby-problem').replaceChildren(...(problem ? [
      el('div', { class: 'notice bad' }, icon('alert'), el('p', {},
        el('b', { t: [problem.title, problem.values] }), el('span', { t: [problem.remedy, problem.values] }))),
    ] : []));
  }

  #readRoom() {
    if (!this.isOpen) return;
    const { room } = readFragment();
    byId('room').value = room || byId('room').value || randomRoomName();
  }

  async #submit(event) {
    event.preventDefault();
    const given = readFragment();
    const room = byId('room').value.trim();
    const name = byId('name').value.trim();
    if (!room || !name) return;
    remember('name', name);
    // A token is for the room that it came with.
    const token = room === given.room || !given.room ? given.token : '';
    history.replaceState(null, '', writeFragment({ room, token }));
    this.showProblem(null);
    this.setJoining(true);
    await Promise.race([this.#opened, pause(openingMs)]);
    this.onJoin({
      room, token, name, stream: this.#stream, ...this.#isOn, relayOnly: byId('lobby-relay').checked,
    });
  }

  #openDevices(wanted) {
    this.#opened = this.#tryDevices(wanted);
    return this.#opened;
  }

  async #tryDevices(wanted = {}) {
    const turn = ++this.#opening;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    setText(byId('preview-note'), 'lobby.asking');
    byId('preview').classList.remove('has-picture');
    let stream = null;
    let problem;
    try {
      stream = await openMedia(wanted);
      problem = missingIn(stream);
    } catch (error) {
      problem = mediaProblem(error);
    }
    if (turn !== this.#opening || !this.isOpen) {
      for (const track of stream?.getTracks() ?? []) track.stop();
      return;
    }
    this.#show(stream);
    this.#showMediaProblem(problem);
    await this.#listDevices();
  }

  #show(stream) {
    this.#stream = stream;
    this.#meter?.stop();
    this.#meter = stream?.getAudioTracks().length ? levelMeter(stream, showLevel) : null;
    showLevel(0);
    byId('preview-video').srcObject = stream;
    this.#applySwitches();
  }

  #showMediaProblem(stem) {
    byId('media-problem').replaceChildren(...(stem ? [
      el('div', { class: 'notice calm' }, icon('info'), el('div', {}, el('b', { t: stem }), el('p', { t: `${stem}.do` }),
        stem === 'media.insecure' ? null : el('button', { class: 'button slim', type: 'button', t: 'media.retry', onclick: () => this.#openDevices() }))),
    ] : []));
  }

  async #listDevices() {
    if (!navigator.mediaDevices || !this.isOpen) return;
    const { cameras, microphones } = await listDevices();
    this.cameras.show(cameras, deviceIdOf(this.#stream?.getVideoTracks()[0]));
    this.microphones.show(microphones, deviceIdOf(this.#stream?.getAudioTracks()[0]));
  }

  #choose(kind, id) {
    const current = {
      camera: deviceIdOf(this.#stream?.getVideoTracks()[0]) ?? true,
      microphone: deviceIdOf(this.#stream?.getAudioTracks()[0]) ?? true,
    };
    this.#openDevices({ ...current, [kind]: id });
  }

  #toggle(kind) {
    this.#isOn[kind] = !this.#isOn[kind];
    this.#applySwitches();
  }

  #applySwitches() {
    for (const track of this.#stream?.getAudioTracks() ?? []) track.enabled = this.#isOn.mic;
    for (const track of this.#stream?.getVideoTracks() ?? []) track.enabled = this.#isOn.camera;
    this.#showSwitches();
  }

  #showSwitches() {
    for (const [kind, picture] of [['mic', 'mic'], ['camera', 'camera']]) {
      const button = byId(`lobby-${kind}`);
      button.setAttribute('aria-pressed', String(this.#isOn[kind]));
      setIcon(button, this.#isOn[kind] ? picture : `${picture}-off`);
      setLabel(button, `control.${kind}`);
    }
    const hasPicture = this.#isOn.camera && Boolean(this.#stream?.getVideoTracks().length);
    byId('preview').classList.toggle('has-picture', hasPicture);
    if (hasPicture) setPlain(byId('preview-note'), '');
    else setText(byId('preview-note'), this.#isOn.camera ? 'lobby.noPicture' : 'lobby.cameraOff');
  }
}

function showLevel(level) {
  const bars = byId('level').children;
  [...bars].forEach((bar, index) => bar.classList.toggle('on', level * bars.length > index + 0.5));
}
