// A world without a network: RTCPeerConnection, data channels, tracks and devices that follow the
// rules of the specification where the client depends on them, and connect at once.
//
// Kept to: signaling states, implicit descriptions and rollback, the order of operations, when
// negotiationneeded fires, ICE restarts, negotiated channels. Everything else is left out.

import { EventEmitter } from 'node:events';

let lastId = 0;
const nextId = () => (lastId += 1);
const connections = new Map();

class Target extends EventTarget {
  fire(type, fields = {}) {
    const event = Object.assign(new Event(type), fields);
    this[`on${type}`]?.(event);
    this.dispatchEvent(event);
  }
}

export class FakeTrack extends Target {
  enabled = true;
  readyState = 'live';
  contentHint = '';
  id = `track ${nextId()}`;

  constructor(kind, deviceId = '') {
    super();
    this.kind = kind;
    this.deviceId = deviceId;
  }

  stop() {
    this.readyState = 'ended';
  }

  /** As when its device is unplugged. */
  end() {
    this.stop();
    this.fire('ended');
  }

  getSettings() {
    return { deviceId: this.deviceId };
  }
}

export class FakeStream {
  id = `stream ${nextId()}`;
  #tracks;

  constructor(tracks = []) {
    this.#tracks = [...tracks];
  }

  getTracks() {
    return [...this.#tracks];
  }

  getAudioTracks() {
    return this.#tracks.filter(({ kind }) => kind === 'audio');
  }

  getVideoTracks() {
    return this.#tracks.filter(({ kind }) => kind === 'video');
  }

  addTrack(track) {
    this.#tracks.push(track);
  }

  removeTrack(track) {
    this.#tracks = this.#tracks.filter((each) => each !== track);
  }
}

/** navigator.mediaDevices. `fail(kind)` may throw what opening a device throws. */
export class FakeDevices extends Target {
  asked = [];
  opened = [];
  fail = () => {};

  async getUserMedia(constraints) {
    this.asked.push(constraints);
    const tracks = ['audio', 'video'].filter((kind) => constraints[kind]).map((kind) => {
      const deviceId = constraints[kind].deviceId?.exact ?? `default ${kind}`;
      this.fail(kind, deviceId);
      return new FakeTrack(kind, deviceId);
    });
    this.opened.push(...tracks);
    return new FakeStream(tracks);
  }

  async getDisplayMedia() {
    const tracks = [new FakeTrack('video', 'screen'), new FakeTrack('audio', 'screen')];
    this.opened.push(...tracks);
    return new FakeStream(tracks);
  }

  async enumerateDevices() {
    return ['videoinput', 'audioinput', 'audiooutput', 'videoinput']
      .map((kind, index) => ({ kind, deviceId: `d${index}`, label: `${kind} ${index}` }));
  }
}

class FakeChannel extends Target {
  readyState = 'connecting';
  bufferedAmountLowThreshold = 0;
  other = null;
  isSlow = false;
  #buffered = 0;
  #pending = [];

  constructor(label, id) {
    super();
    Object.assign(this, { label, id });
  }

  get bufferedAmount() {
    return this.#buffered;
  }

  send(data) {
    if (this.readyState !== 'open') throw new Error('the channel is not open');
    const size = data.length ?? data.byteLength;
    this.#buffered += size;
    const copy = typeof data === 'string' ? data : data.slice().buffer;
    this.#pending.push([copy, size]);
    if (!this.isSlow) setImmediate(() => this.deliver(1));
  }

  /** Lets that many of the sent messages arrive. `isSlow`: they do so only by this. */
  deliver(count) {
    for (const [data, size] of this.#pending.splice(0, count)) this.#arrive(data, size);
  }

  #arrive(data, size) {
    const wasHigh = this.#buffered > this.bufferedAmountLowThreshold;
    this.#buffered -= size;
    if (this.readyState === 'open') this.other?.fire('message', { data });
    if (wasHigh && this.#buffered <= this.bufferedAmountLowThreshold) this.fire('bufferedamountlow');
  }

  join(other) {
    if (this.readyState !== 'connecting') return;
    this.other = other;
    this.readyState = 'open';
    queueMicrotask(() => this.fire('open'));
  }

  close() {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    queueMicrotask(() => this.fire('close'));
    const { other } = this;
    this.other = null;
    other?.close();
  }
}

class FakeSender {
  constructor(track) {
    this.track = track;
    this.streams = [];
    this.replaced = 0;
  }

  async replaceTrack(track) {
    this.track = track;
    this.replaced += 1;
  }

  setStreams(...streams) {
    this.streams = streams;
  }
}

class FakeTransceiver {
  constructor(kind, { track = null, direction, streams = [] }) {
    this.sender = new FakeSender(track);
    this.sender.setStreams(...streams);
    this.receiver = { track: new FakeTrack(kind) };
    this.direction = direction;
    this.isNegotiated = false;
  }
}

/** Every connection that was made, for assertions. */
export const made = new EventEmitter();

export class FakeConnection extends Target {
  signalingState = 'stable';
  connectionState = 'new';
  localDescription = null;
  remoteDescription = null;
  candidates = [];
  descriptionsSet = 0;
  id = nextId();

  #configuration;
  #channels = [];
  #transceivers = [];
  #before = null;
  #version = 0;
  #generation = 0;
  #wantsRestart = false;
  #isRestarting = false;
  #isAsked = false;
  #hasApplication = false;
  #chain = Promise.resolve();

  constructor(configuration = {}) {
    super();
    this.#configuration = configuration;
    connections.set(this.id, this);
    made.emit('connection', this);
  }

  getConfiguration() {
    return { ...this.#configuration };
  }

  setConfiguration(configuration) {
    this.#configuration = configuration;
  }

  get channels() {
    return [...this.#channels];
  }

  getTransceivers() {
    return [...this.#transceivers];
  }

  createDataChannel(label, { id }) {
    const channel = new FakeChannel(label, id);
    this.#channels.push(channel);
    this.#needOffer();
    return channel;
  }

  addTransceiver(trackOrKind, options) {
    const track = typeof trackOrKind === 'string' ? null : trackOrKind;
    const transceiver = new FakeTransceiver(track?.kind ?? trackOrKind, { ...options, track });
    this.#transceivers.push(transceiver);
    this.#needOffer();
    return transceiver;
  }

  restartIce() {
    this.#wantsRestart = true;
    this.#needOffer();
  }

  setLocalDescription() {
    return this.#inOrder(() => {
      if (this.signalingState === 'have-remote-offer') this.#setAnswer();
      else this.#setOffer();
    });
  }

  setRemoteDescription(description) {
    return this.#inOrder(() => {
      if (description.type === 'offer') this.#takeOffer(description);
      else this.#takeAnswer(description);
    });
  }

  addIceCandidate(candidate) {
    return this.#inOrder(() => {
      if (!this.remoteDescription) throw new Error('no remote description');
      this.candidates.push(candidate ?? null);
    });
  }

  async getStats() {
    return new Map();
  }

  close() {
    this.connectionState = 'closed';
    this.signalingState = 'closed';
    connections.delete(this.id);
    for (const channel of this.#channels) {
      const { other } = channel;
      channel.readyState = 'closed'; // silently, as browsers do on their own side
      channel.other = null;
      other?.close();
    }
  }

  /** What the network does. */
  become(connectionState) {
    this.connectionState = connectionState;
    this.fire('connectionstatechange');
  }

  // --- Inside ------------------------------------------------------------------------------------

  #inOrder(work) {
    const result = this.#chain.then(() => new Promise(setImmediate)).then(() => {
      if (this.signalingState === 'closed') return new Promise(() => {}); // as specified: never settles
      return work();
    });
    this.#chain = result.catch(() => {});
    return result;
  }

  get #isOfferNeeded() {
    return this.#wantsRestart || (this.#channels.length > 0 && !this.#hasApplication)
      || this.#transceivers.some(({ isNegotiated }) => !isNegotiated);
  }

  #needOffer() {
    this.#chain.then(() => setImmediate(() => this.#askForOffer()));
  }

  /** Once for whatever is needed, until the next exchange is over. */
  #askForOffer() {
    if (this.#isAsked || !this.#isOfferNeeded || this.signalingState !== 'stable') return;
    this.#isAsked = true;
    this.fire('negotiationneeded');
  }

  #describe(type) {
    this.#version += 1;
    const kinds = this.#transceivers.map(({ receiver }) => receiver.track.kind);
    const streams = this.#transceivers.map(({ sender }) => sender.streams[0]?.id ?? null);
    const { id, remoteDescription } = this;
    const about = { from: id, to: remoteDescription && JSON.parse(remoteDescription.sdp).from };
    this.descriptionsSet += 1;
    this.localDescription = {
      type, sdp: JSON.stringify({ ...about, version: this.#version, generation: this.#generation, kinds, streams }),
    };
  }

  #remember() {
    this.#before ??= [this.localDescription, this.remoteDescription];
  }

  #setOffer() {
    if (this.signalingState !== 'stable') throw new Error(`an offer in the state ${this.signalingState}`);
    this.#remember();
    this.#isRestarting = this.#wantsRestart;
    if (this.#wantsRestart) this.#generation += 1;
    this.#wantsRestart = false;
    this.#describe('offer');
    this.signalingState = 'have-local-offer';
    this.#gather();
  }

  #setAnswer() {
    this.#describe('answer');
    this.#becomeStable();
    this.#gather();
    this.#meet();
  }

  #takeOffer(description) {
    const { kinds } = JSON.parse(description.sdp);
    if (this.signalingState === 'have-local-offer') {
      [this.localDescription, this.remoteDescription] = this.#before; // rolled back
      this.#wantsRestart ||= this.#isRestarting;
    }
    this.#remember();
    this.remoteDescription = description;
    this.signalingState = 'have-remote-offer';
    for (const kind of kinds.slice(this.#transceivers.length)) {
      this.#transceivers.push(new FakeTransceiver(kind, { direction: 'recvonly' }));
    }
    this.#showTracks(description);
  }

  #takeAnswer(description) {
    if (this.signalingState !== 'have-local-offer') throw new Error(`an answer in the state ${this.signalingState}`);
    this.remoteDescription = description;
    this.#showTracks(description);
    this.#becomeStable();
    this.#meet();
  }

  #becomeStable() {
    this.#before = null;
    this.signalingState = 'stable';
    this.#isRestarting = false;
    this.#isAsked = false;
    this.#hasApplication = true;
    const { kinds } = JSON.parse(this.remoteDescription.sdp);
    for (const transceiver of this.#transceivers.slice(0, kinds.length)) transceiver.isNegotiated = true;
    setImmediate(() => this.#askForOffer());
  }

  #showTracks({ sdp }) {
    const { streams } = JSON.parse(sdp);
    const known = (this.remoteStreams ??= new Map());
    this.#transceivers.forEach((transceiver, index) => {
      const id = streams[index];
      if (!id || transceiver.isShown === id) return;
      transceiver.isShown = id;
      if (!known.has(id)) known.set(id, Object.assign(new FakeStream(), { id }));
      known.get(id).addTrack(transceiver.receiver.track);
      this.fire('track', { track: transceiver.receiver.track, streams: [known.get(id)] });
    });
  }

  #gather() {
    for (const text of [`candidate of ${this.id}, generation ${this.#generation}`, null]) {
      const candidate = text && { candidate: text, toJSON: () => ({ candidate: text }) };
      setImmediate(() => {
        if (this.signalingState !== 'closed') this.fire('icecandidate', { candidate });
      });
    }
  }

  /** Connects with the other side once both descriptions of both sides are about each other. */
  #meet() {
    const other = connections.get(JSON.parse(this.remoteDescription.sdp).from);
    const isMutual = other?.remoteDescription && JSON.parse(other.remoteDescription.sdp).from === this.id;
    if (!isMutual || other.signalingState !== 'stable') return;
    for (const [one, two] of [[this, other], [other, this]]) one.#connectTo(two);
  }

  #connectTo(other) {
    for (const channel of this.#channels) {
      const partner = other.#channels.find(({ id }) => id === channel.id);
      if (partner) channel.join(partner);
    }
    setImmediate(() => {
      if (this.connectionState !== 'connected' && this.connectionState !== 'closed') this.become('connected');
    });
  }
}
