// A call with everybody in the room: what the application uses, put together from the parts.

import { Chat } from './chat.js';
import { Emitter } from './emitter.js';
import { TurnpikeError } from './errors.js';
import { Files } from './files.js';
import { LocalMedia } from './local_media.js';
import { Mesh } from './mesh.js';
import { Monitor } from './monitor.js';
import { systemTimers } from './timers.js';

const defaultStatsIntervalMs = 2_000;

/** What the browser has, or what was given in its place. */
function platformFrom(options) {
  const {
    RTCPeerConnection = globalThis.RTCPeerConnection,
    MediaStream = globalThis.MediaStream,
    mediaDevices = globalThis.navigator?.mediaDevices,
    timers = systemTimers,
  } = options;
  if (!RTCPeerConnection || !MediaStream) throw new TurnpikeError('unsupported', 'there is no WebRTC here');
  return { RTCPeerConnection, MediaStream, mediaDevices, timers };
}

export class Call extends Emitter {
  room;
  chat;
  files;
  streams = new Map();

  #local;
  #mesh;
  #monitor;
  #stops = [];
  #announces;
  #isClosed = false;

  constructor(room, options = {}) {
    super();
    if (room.state === 'closed') throw new TurnpikeError('closed', 'the room is closed');
    const platform = platformFrom(options);
    this.room = room;
    this.#announces = options.announceMedia ?? true;
    this.#local = new LocalMedia(options.stream, platform);
    const configuration = { ...options.rtcConfiguration };
    if (options.iceTransportPolicy) configuration.iceTransportPolicy = options.iceTransportPolicy;
    this.#mesh = new Mesh(room, { ...platform, local: this.#local }, configuration);
    const intervalMs = options.statsIntervalMs ?? defaultStatsIntervalMs;
    this.#monitor = new Monitor(this.#mesh, { intervalMs, timers: platform.timers });
    this.chat = new Chat(room, platform);
    this.files = new Files(room);
    this.#connectParts();
    this.#announceMedia();
    // Later, so that who made this call can listen before anything happens.
    queueMicrotask(() => {
      if (!this.#isClosed) this.#mesh.start();
    });
  }

  get local() {
    return this.#local.state;
  }

  stateOf(peer) {
    return this.#linkTo(peer)?.state ?? 'closed';
  }

  pathOf(peer) {
    return this.#monitor.pathOf(this.#find(peer));
  }

  setMic(on) {
    this.#local.turn('mic', on);
  }

  setCam(on) {
    this.#local.turn('cam', on);
  }

  switchCamera(deviceId) {
    return this.#local.switchTo('cam', deviceId);
  }

  switchMicrophone(deviceId) {
    return this.#local.switchTo('mic', deviceId);
  }

  shareScreen(options) {
    return this.#local.shareScreen(options);
  }

  async stopScreen() {
    this.#local.stopScreen();
  }

  setIceTransportPolicy(iceTransportPolicy) {
    this.#mesh.configure({ iceTransportPolicy });
    this.#mesh.renew(); // a browser that restarts ICE stays with the pair that it has
  }

  restart(peer) {
    const links = peer === undefined ? [...this.#mesh.links.values()] : [this.#linkTo(peer)];
    for (const link of links) link?.restart();
  }

  async stats(peer) {
    const link = this.#linkTo(peer);
    if (!link) throw new TurnpikeError('no_such_peer', 'this peer is not in the call');
    return this.#monitor.measure(this.#find(peer), link);
  }

  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const stop of this.#stops) stop();
    this.#monitor.close();
    this.#mesh.close();
    this.chat.close();
    this.files.close();
    this.#local.close();
    this.emit('closed', {});
  }

  #connectParts() {
    this.#mesh.on('link', ({ peer, link }) => {
      this.chat.attach(peer, link.channels.chat);
      this.files.attach(peer, link.channels.files);
    });
    this.#mesh.on('stream', ({ peer, stream }) => {
      this.streams.set(peer.id, stream);
      this.emit('stream', { peer, stream });
    });
    this.#mesh.on('state', ({ peer, state }) => {
      if (state === 'closed') this.#onHungUp(peer);
      this.emit('state', { peer, state });
    });
    this.#mesh.on('error', (event) => this.emit('error', event));
    this.#monitor.on('stats', (stats) => this.emit('stats', stats));
    this.#monitor.on('path', (path) => this.#onPath(path));
    this.#local.on('changed', (state) => {
      this.emit('local', state);
      this.#announceMedia();
    });
    this.#stops.push(this.room.on('closed', () => this.close()));
  }

  #onHungUp(peer) {
    this.streams.delete(peer.id);
    this.files.detach(peer);
  }

  #onPath({ peer, ...way }) {
    this.emit('path', { peer, ...way });
    this.room.reportPath(peer, way).catch(() => {}); // statistics only; the peer may have left
  }

  #announceMedia() {
    if (!this.#announces || this.#isClosed) return;
    const { mic, cam, screen } = this.#local.state;
    const { meta } = this.room.self;
    if (meta.mic === mic && meta.cam === cam && meta.screen === screen) return;
    this.room.update({ ...meta, mic, cam, screen }).catch(() => {}); // viewers may not
  }

  #find(ref) {
    return typeof ref === 'string' ? this.room.peers.get(ref) : ref;
  }

  #linkTo(ref) {
    return this.#mesh.links.get(this.#find(ref));
  }
}
