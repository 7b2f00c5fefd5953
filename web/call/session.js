// One call from joining to its end: what happens in the room and the call goes to the screen.

import { Call, levelMeter } from '../turnpike.js';
import { byId } from '../assets/ui/dom.js';
import { setPlain, setText } from '../assets/ui/i18n.js';
import { announce, propose, warn } from './announce.js';
import { showBanner } from './banner.js';
import { ChatPanel } from './chat_panel.js';
import { showControls, startControls } from './controls.js';
import { startDropZone } from './drop_zone.js';
import { FilesInCall } from './files.js';
import { Grid } from './grid.js';
import { PeoplePanel } from './people_panel.js';
import { startSettings } from './settings_panel.js';
import { Tile } from './tile.js';

const speakingLevel = 0.6; // of 60 dB: quiet rooms stay below

export class Session {
  #tiles = new Map();
  #meters = new Map();
  #ending = new AbortController();

  /**
   * @param {import('../turnpike.js').Room} room joined
   * @param {{stream: MediaStream | null, mic: boolean, camera: boolean, relayOnly: boolean}} choice
   * @param {import('./panels.js').Panels} panels
   * @param {(code: string) => void} onOver
   */
  constructor(room, choice, panels, onOver) {
    Object.assign(this, { room, panels, onOver, stream: choice.stream });
    this.grid = new Grid();
    this.ownTile = new Tile({ name: room.self.name, isSelf: true });
    this.grid.add(this.ownTile);
    this.call = new Call(room, { stream: choice.stream, iceTransportPolicy: choice.relayOnly ? 'relay' : 'all' });
    this.call.setMic(choice.mic);
    this.call.setCam(choice.camera);
    this.chat = new ChatPanel(() => panels.open === 'chat');
    this.files = new FilesInCall(this.call, this.chat, () => panels.show('chat'));
    this.people = new PeoplePanel(this.call, () => panels.open === 'people', (peer) => this.#kick(peer));
    for (const peer of room.peers.values()) this.#addTile(peer);
    this.#followRoom();
    this.#followCall();
    this.#startControls(choice.relayOnly);
    this.#showCount();
    this.#showLocal();
  }

  /** A panel has come to the screen. */
  onPanel(name) {
    if (name === 'people') this.people.show();
    if (name !== 'chat') return;
    this.chat.showRead();
    this.files.hideProposals();
  }

  get #signal() {
    return this.#ending.signal;
  }

  #startControls(relayOnly) {
    const { call } = this;
    startControls(call, this.#signal);
    startSettings(call, { relayOnly, onLocked: (isLocked) => (byId('room-lock').toggleAttribute('hidden', !isLocked)) }, this.#signal);
    startDropZone((files) => this.files.send(files), this.#signal);
    this.chat.start((text) => call.chat.send(text), this.#signal);
    this.files.start(this.#signal);
    byId('leave').addEventListener('click', () => this.room.leave(), { signal: this.#signal });
  }

  #followRoom() {
    const { room } = this;
    room.on('peer-joined', ({ peer }) => {
      this.#addTile(peer);
      this.#tell('room.joined', peer);
    });
    room.on('peer-left', ({ peer, reason }) => {
      this.#removeTile(peer);
      this.#tell(reason === 'kicked' ? 'room.kicked' : 'room.left', peer);
    });
    room.on('peer-updated', ({ peer }) => this.#showPeer(peer));
    room.on('peer-away', ({ peer }) => this.#tiles.get(peer.id)?.showAway(true));
    room.on('peer-back', ({ peer }) => this.#tiles.get(peer.id)?.showAway(false));
    room.on('reconnecting', () => showBanner('banner.reconnecting'));
    room.on('resumed', () => {
      showBanner(null);
      announce('banner.back', {}, 'check');
      for (const peer of room.peers.values()) this.#tiles.get(peer.id)?.showAway(peer.away);
    });
    room.on('goaway', () => showBanner('banner.goaway'));
    room.on('error', ({ code }) => warn('room.error', { code }));
    room.on('closed', ({ code }) => this.#end(code));
  }

  #followCall() {
    const { call } = this;
    call.on('stream', ({ peer, stream }) => this.#showStream(peer, stream));
    call.on('state', ({ peer, state }) => {
      this.#tiles.get(peer.id)?.badge.showState(state);
      this.people.refresh();
    });
    call.on('path', (path) => {
      this.#tiles.get(path.peer.id)?.badge.showPath(path);
      this.people.refresh();
    });
    call.on('stats', (stats) => {
      this.#tiles.get(stats.peer.id)?.badge.showStats(stats);
      this.people.update(stats);
    });
    call.on('local', () => this.#showLocal());
    call.on('error', ({ peer }) => warn('call.error', { name: peer.name }));
    call.chat.on('message', ({ peer, text, at }) => this.chat.add({ name: peer.name, text, at }));
  }

  #addTile(peer) {
    const tile = new Tile({ name: peer.name });
    this.#tiles.set(peer.id, tile);
    this.#showPeer(peer);
    tile.showAway(peer.away);
    this.grid.add(tile);
    this.#showCount();
  }

  #removeTile(peer) {
    const tile = this.#tiles.get(peer.id);
    if (!tile) return;
    this.#tiles.delete(peer.id);
    this.#meters.get(peer.id)?.stop();
    this.#meters.delete(peer.id);
    this.grid.remove(tile);
    this.#showCount();
  }

  #showPeer(peer) {
    const tile = this.#tiles.get(peer.id);
    if (!tile) return;
    tile.rename(peer.name);
    tile.showMedia(peer.meta);
    this.grid.arrange();
    this.people.refresh();
  }

  async #showStream(peer, stream) {
    const tile = this.#tiles.get(peer.id);
    if (!tile) return;
    this.#meters.get(peer.id)?.stop();
    if (stream.getAudioTracks().length > 0) {
      this.#meters.set(peer.id, levelMeter(stream, (level) => tile.showSpeaking(level > speakingLevel && peer.meta.mic)));
    }
    if (!(await tile.show(stream))) this.#proposeSound();
  }

  /** Browsers keep a page silent that nobody has touched. */
  #proposeSound() {
    this.withdrawSound?.();
    this.withdrawSound = propose('sound.blocked', {}, {
      label: 'sound.on',
      onAccept: () => this.#tiles.forEach((tile) => tile.play()),
    });
  }

  #showLocal() {
    const { local } = this.call;
    this.ownTile.showMedia(local);
    if (this.shownStream !== local.stream) {
      this.shownStream = local.stream;
      this.ownTile.show(local.stream);
    }
    showControls(local);
    this.grid.arrange();
  }

  #showCount() {
    const count = this.#tiles.size + 1;
    setText(byId('room-count'), count === 1 ? 'room.count.one' : 'room.count', { n: count });
    byId('alone').hidden = count > 1;
    setPlain(byId('room-name'), this.room.id);
    this.people.refresh();
  }

  #tell(key, peer) {
    announce(key, { name: peer.name }, 'people');
    this.chat.addNote(key, { name: peer.name });
  }

  async #kick(peer) {
    try {
      await this.room.kick(peer);
      this.people.show();
    } catch (error) {
      warn('owner.failed', { code: error.code });
    }
  }

  #end(code) {
    this.#ending.abort();
    this.call.close();
    for (const meter of this.#meters.values()) meter.stop();
    for (const track of [...this.call.local.stream.getTracks(), ...(this.stream?.getTracks() ?? [])]) track.stop();
    this.files.close();
    this.grid.close();
    this.panels.hide();
    showBanner(null);
    this.onOver(code);
  }
}
