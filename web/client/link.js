// The connection to one peer: perfect negotiation, ICE restarts, what comes in.
//
// All steps of the negotiation run one after the other in `#steps`. So an offer of ours is made only
// in the state 'stable', and two offers collide exactly when one arrives in another state.

import { Emitter } from './emitter.js';
import { Timer } from './timers.js';

/** How long ICE may heal by itself before we look for another way (RFC 8445 has no number for it). */
const patienceMs = 4_000;

/** After how long without a way the next search begins. The browser does not say that one found
 *  nothing when it had nowhere to look: while the server with our relay is away, say. */
const searchMs = 15_000;

export const channelIds = { chat: 0, files: 1 };
const kinds = ['audio', 'video'];

/** Names one RTCPeerConnection, so that the other side notices when it talks to a new one. */
const makePcId = () => globalThis.crypto.getRandomValues(new Uint32Array(1))[0].toString(36);

/**
 * Events: `stream` MediaStream, `state` PeerState, `selected` (the path may have changed), `error` Error.
 */
export class Link extends Emitter {
  state = 'connecting';
  remoteStream = null;

  #peer;
  #local;
  #say;
  #MediaStream;
  #patience;
  #pc;
  #pcId = makePcId();
  #remotePcId = null;
  #replacedPcId;
  #senders = new Map();
  #channels = {};

  #steps = Promise.resolve();
  #mayOffer;
  #ignoresOffer = false;
  #answeredOffer = null;
  #earlyCandidates = [];

  /**
   * @param context `peer`, `local` (a LocalMedia), `say(data)` to the peer, `makeConnection()`,
   *   `MediaStream`, `timers`, `begins`: whether we make the first offer,
   *   `replaces`: the peer's connection that the link before this one was to, if any
   */
  constructor({ peer, local, say, makeConnection, MediaStream, timers, begins, replaces }) {
    super();
    this.#peer = peer;
    this.#local = local;
    this.#say = (data) => say({ ...data, pc: this.#pcId });
    this.#MediaStream = MediaStream;
    this.#patience = new Timer(timers);
    this.#mayOffer = begins;
    this.#replacedPcId = replaces ?? undefined;
    this.#pc = makeConnection();
    this.#listen();
    for (const [name, id] of Object.entries(channelIds)) {
      this.#channels[name] = this.#pc.createDataChannel(name, { negotiated: true, id });
    }
    if (begins) this.#addSenders(kinds);
  }

  get connection() {
    return this.#pc;
  }

  get channels() {
    return this.#channels;
  }

  get remotePcId() {
    return this.#remotePcId;
  }

  isFromReplacedConnection({ pc }) {
    return pc !== undefined && pc === this.#replacedPcId;
  }

  /** Whether it is the peer's present connection that says this. One that says nothing is taken. */
  isFromSameConnection({ pc }) {
    return pc === undefined || this.#remotePcId === null || pc === this.#remotePcId;
  }

  /** What the peer says: a description or a candidate (null: there are no more). */
  receive(data) {
    if (data.description) {
      this.#remotePcId = data.pc ?? null;
      this.#step(() => this.#takeDescription(data.description));
    } else if (data.candidate !== undefined) {
      this.#step(() => this.#takeCandidate(data.candidate));
    }
  }

  /** Sends another track (null: none), without negotiation where there was a sender before. */
  async setTrack(kind, track) {
    const sender = this.#senders.get(kind);
    if (sender) await sender.replaceTrack(track);
    else if (track && this.#mayOffer) this.#addSenders([kind]);
  }

  configure(configuration) {
    this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), ...configuration });
  }

  /** Looks for a new way. The old one is used until there is one. */
  restart() {
    this.#patience.clear();
    if (!this.#mayOffer) return;
    this.#patience.set(searchMs, () => this.restartIfBroken());
    this.#pc.restartIce();
    this.repeatOffer();
  }

  /** Says again what may have been lost on its way: the offer that nobody has answered. */
  repeatOffer() {
    this.#step(() => {
      if (this.#pc.signalingState === 'have-local-offer') this.#sayDescription();
    });
  }

  /** There was a way, and it is lost. */
  get isBroken() {
    return this.state === 'reconnecting' || this.state === 'failed';
  }

  restartIfBroken() {
    if (this.isBroken) this.restart();
  }

  close() {
    if (this.state === 'closed') return;
    this.#patience.clear();
    for (const channel of Object.values(this.#channels)) channel.close();
    this.#pc.close();
    this.#setState('closed');
  }

  // --- The browser's events ----------------------------------------------------------------------

  #listen() {
    const pc = this.#pc;
    pc.addEventListener('negotiationneeded', () => {
      // Who was here first waits for the newcomer's offer, which brings all that is needed.
      if (this.#mayOffer) this.#step(() => this.#offer());
    });
    pc.addEventListener('icecandidate', ({ candidate }) => {
      this.#say({ candidate: candidate?.toJSON?.() ?? candidate ?? null });
    });
    pc.addEventListener('track', (event) => this.#onTrack(event));
    pc.addEventListener('connectionstatechange', () => this.#onConnectionState());
  }

  #onTrack({ track, streams }) {
    const stream = streams[0] ?? this.remoteStream ?? new this.#MediaStream();
    if (streams.length === 0) stream.addTrack(track);
    if (stream === this.remoteStream) return;
    this.remoteStream = stream;
    this.emit('stream', stream);
  }

  #onConnectionState() {
    switch (this.#pc.connectionState) {
      case 'connected':
        this.#patience.clear();
        this.#listenForPaths();
        this.#setState('connected');
        this.emit('selected');
        break;
      case 'disconnected':
        this.#setState('reconnecting');
        this.#patience.set(patienceMs, () => this.restart());
        break;
      case 'failed':
        this.#setState('failed');
        this.restart();
        break;
      default: // on its way, or closed by us
    }
  }

  /** Not every browser tells about a new path; then the next measurement finds it. */
  #listenForPaths() {
    for (const { sender } of this.#pc.getTransceivers()) {
      const ice = sender.transport?.iceTransport;
      if (ice) ice.onselectedcandidatepairchange = () => this.emit('selected');
    }
  }

  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.emit('state', state);
  }

  // --- Negotiation -------------------------------------------------------------------------------

  /** Runs `work` after all that was asked for before. What fails is reported, and ends only itself. */
  #step(work) {
    this.#steps = this.#steps.then(async () => {
      if (this.state === 'closed') return;
      try {
        await work();
      } catch (error) {
        if (this.state !== 'closed') this.emit('error', error);
      }
    });
  }

  async #offer() {
    // What is needed in the middle of an exchange, the browser asks for again at its end.
    if (this.#pc.signalingState !== 'stable') return;
    await this.#pc.setLocalDescription();
    this.#answeredOffer = null;
    this.#sayDescription();
  }

  #sayDescription() {
    const { type, sdp } = this.#pc.localDescription;
    this.#say({ description: { type, sdp } });
  }

  async #takeDescription(description) {
    if (description.type === 'offer') await this.#takeOffer(description);
    else if (this.#pc.signalingState === 'have-local-offer') await this.#takeRemote(description);
    // An answer in another state is one that came twice.
  }

  async #takeOffer(offer) {
    const isStable = this.#pc.signalingState === 'stable';
    if (isStable && offer.sdp === this.#answeredOffer) {
      this.#sayDescription(); // the answer was lost
      return;
    }
    this.#ignoresOffer = !isStable && !this.#peer.polite;
    if (this.#ignoresOffer) return;
    await this.#takeRemote(offer); // takes our own offer back, if there is one
    await this.#adoptTransceivers();
    await this.#pc.setLocalDescription();
    this.#answeredOffer = offer.sdp;
    this.#sayDescription();
    this.#mayOffer = true;
    this.#addSenders(kinds.filter((kind) => this.#local.track(kind) && !this.#senders.has(kind)));
  }

  async #takeRemote(description) {
    await this.#pc.setRemoteDescription(description);
    for (const candidate of this.#earlyCandidates.splice(0)) await this.#takeCandidate(candidate);
  }

  async #takeCandidate(candidate) {
    if (!this.#pc.remoteDescription) {
      this.#earlyCandidates.push(candidate);
      return;
    }
    try {
      await this.#pc.addIceCandidate(candidate ?? undefined);
    } catch (error) {
      // Those of an offer that we ignored belong to nothing.
      if (!this.#ignoresOffer) throw error;
    }
  }

  /** Sends by the transceivers that the first offer made, one of each kind. */
  async #adoptTransceivers() {
    for (const transceiver of this.#pc.getTransceivers()) {
      const { kind } = transceiver.receiver.track;
      if (this.#senders.has(kind)) continue;
      this.#senders.set(kind, transceiver.sender);
      transceiver.direction = 'sendrecv';
      transceiver.sender.setStreams?.(this.#local.stream);
      await transceiver.sender.replaceTrack(this.#local.track(kind));
    }
  }

  /** Both kinds from the start, with or without a track: so that none needs a negotiation later. */
  #addSenders(wanted) {
    for (const kind of wanted) {
      const options = { direction: 'sendrecv', streams: [this.#local.stream] };
      const { sender } = this.#pc.addTransceiver(this.#local.track(kind) ?? kind, options);
      this.#senders.set(kind, sender);
    }
  }
}
