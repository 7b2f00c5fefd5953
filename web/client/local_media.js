// Our own side of a call: microphone, camera, screen, and which of them is sent.

import { devicesFrom, openTrack } from './devices.js';
import { Emitter } from './emitter.js';

/** Events: `track { kind, track }` when another one is to be sent, `changed` LocalState. */
export class LocalMedia extends Emitter {
  /** What is sent, for a preview and as the name under which peers get it. */
  stream;

  #devices;
  #tracks = { mic: null, cam: null, screen: null };
  #isOn = { mic: true, cam: true };
  /** Tracks that we opened, and so have to stop. */
  #owned = new Set();
  #isClosed = false;

  /** @param stream what to begin with, or null; its tracks are used, the stream itself is not */
  constructor(stream, { MediaStream, mediaDevices }) {
    super();
    this.#devices = { mediaDevices };
    this.stream = new MediaStream();
    const [mic] = stream?.getAudioTracks() ?? [];
    const [cam] = stream?.getVideoTracks() ?? [];
    if (mic) this.#use('mic', mic);
    if (cam) this.#use('cam', cam);
  }

  /** What is sent of this kind; null: nothing. */
  track(kind) {
    const { mic, cam, screen } = this.#tracks;
    return kind === 'audio' ? mic : (screen ?? cam);
  }

  get state() {
    const { mic, cam, screen } = this.#tracks;
    return {
      mic: mic !== null && this.#isOn.mic,
      cam: cam !== null && this.#isOn.cam,
      screen: screen !== null,
      stream: this.stream,
      cameraId: cam?.getSettings?.().deviceId ?? null,
      microphoneId: mic?.getSettings?.().deviceId ?? null,
    };
  }

  /** @param source 'mic' or 'cam' */
  turn(source, on) {
    this.#isOn[source] = on;
    const track = this.#tracks[source];
    if (track) track.enabled = on;
    this.#tellChanged();
  }

  async switchTo(source, deviceId) {
    const kind = source === 'mic' ? 'audio' : 'video';
    this.#use(source, this.#own(await this.#open(source, kind, deviceId)));
  }

  async shareScreen(options = { video: true }) {
    const shared = await devicesFrom(this.#devices).getDisplayMedia(options);
    const [screen] = shared.getVideoTracks();
    // There is one audio sender, and the microphone has it.
    for (const track of shared.getAudioTracks()) track.stop();
    screen.contentHint = 'detail';
    this.#use('screen', this.#own(screen));
  }

  stopScreen() {
    if (this.#tracks.screen) this.#use('screen', null);
  }

  close() {
    this.#isClosed = true;
    for (const track of this.#owned) track.stop();
  }

  /** Some devices, phones above all, open one camera only after the other was closed. */
  async #open(source, kind, deviceId) {
    try {
      return await openTrack(kind, deviceId, this.#devices);
    } catch (error) {
      if (error.name !== 'NotReadableError' || !this.#tracks[source]) throw error;
      this.#use(source, null);
      return openTrack(kind, deviceId, this.#devices);
    }
  }

  #own(track) {
    this.#owned.add(track);
    if (this.#isClosed) track.stop();
    return track;
  }

  /** Takes a track into use as a source (null: none) and stops the one before. */
  #use(source, track) {
    const kind = source === 'mic' ? 'audio' : 'video';
    const sentBefore = this.track(kind);
    const previous = this.#tracks[source];
    this.#tracks[source] = track;
    if (track) {
      if (source in this.#isOn) track.enabled = this.#isOn[source];
      track.addEventListener('ended', () => {
        if (this.#tracks[source] === track) this.#use(source, null);
      });
    }
    this.#showSent(kind, sentBefore);
    previous?.stop();
    this.#owned.delete(previous);
    this.#tellChanged();
  }

  #showSent(kind, before) {
    const now = this.track(kind);
    if (now === before) return;
    if (before) this.stream.removeTrack(before);
    if (now) this.stream.addTrack(now);
    this.emit('track', { kind, track: now });
  }

  #tellChanged() {
    this.emit('changed', this.state);
  }
}
