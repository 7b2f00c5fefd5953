// One link to each peer of the room: made, kept, begun anew and closed as the room says.

import { Emitter } from './emitter.js';
import { Link } from './link.js';
import { Timer } from './timers.js';

/** Before they expire we ask for ICE servers ourselves, should the server not have sent new ones. */
const askBeforeMs = 30_000;
/** Not more often than this, however wrong our clock may be. */
const askAtMostEveryMs = 60_000;

/**
 * Events, all with `peer`: `link { link }` (a new one), `state { state }`, `stream { stream }`,
 * `selected { link }`, `error { error }`.
 */
export class Mesh extends Emitter {
  #room;
  #context;
  #configuration;
  #links = new Map();
  #stops = [];
  #refresh;

  /**
   * @param context `local` (a LocalMedia), `RTCPeerConnection`, `MediaStream`, `timers`
   * @param configuration an RTCConfiguration; the room's ICE servers are put in front of its own
   */
  constructor(room, context, configuration) {
    super();
    this.#room = room;
    this.#context = context;
    this.#configuration = configuration;
    this.#refresh = new Timer(context.timers);
  }

  start() {
    const on = (event, listener) => this.#stops.push(this.#room.on(event, listener));
    on('peer-joined', ({ peer }) => this.#beginIfOurs(peer));
    on('peer-left', ({ peer }) => this.#drop(peer));
    on('peer-restored', ({ peer, isFresh }) => this.#onRestored(peer, isFresh));
    // What was gathered while we had no network is of no use.
    on('resumed', ({ rejoined }) => {
      // Who joined anew hears of each peer that is there again, and then looks after its link.
      if (!rejoined) this.#links.forEach((link) => link.restartIfBroken());
    });
    on('ice', () => this.#onIce());
    this.#askForIceInTime();
    for (const peer of this.#room.peers.values()) {
      // Who joined after us may have called before this call was there, or have ended an older one.
      if (!this.#beginIfOurs(peer)) this.#say(peer, { start: true });
    }
    on('signal', (signal) => this.#onSignal(signal));
    this.#context.local.on('track', (change) => this.#sendTrack(change));
  }

  get links() {
    return this.#links;
  }

  /** Changes the RTCConfiguration of all connections, those that there are and those to come. */
  configure(change) {
    Object.assign(this.#configuration, change);
    for (const link of this.#links.values()) link.configure(this.#fullConfiguration());
  }

  /** Begins anew with everybody: for changes that a connection cannot take once it is there. */
  renew() {
    for (const peer of [...this.#links.keys()]) this.#make(peer, true);
  }

  close() {
    for (const stop of this.#stops.splice(0)) stop();
    this.#refresh.clear();
    for (const peer of [...this.#links.keys()]) {
      this.#say(peer, { bye: true });
      this.#drop(peer);
    }
  }

  // --- Links -------------------------------------------------------------------------------------

  #beginIfOurs(peer) {
    if (peer.offer) this.#make(peer, true);
    return peer.offer;
  }

  /** A new link, in place of the one that there may be. */
  #make(peer, begins) {
    const previous = this.#links.get(peer);
    const { local, MediaStream, timers, RTCPeerConnection } = this.#context;
    const makeConnection = () => new RTCPeerConnection(this.#fullConfiguration());
    const say = (data) => this.#say(peer, data);
    const replaces = previous?.remotePcId;
    const link = new Link({ peer, local, say, makeConnection, MediaStream, timers, begins, replaces });
    this.#links.set(peer, link);
    previous?.close();
    link.on('state', (state) => {
      if (this.#links.get(peer) === link) this.emit('state', { peer, state });
    });
    link.on('stream', (stream) => this.emit('stream', { peer, stream }));
    link.on('selected', () => this.emit('selected', { peer, link }));
    link.on('error', (error) => this.emit('error', { peer, error }));
    this.emit('link', { peer, link });
    this.emit('state', { peer, state: link.state });
    return link;
  }

  #drop(peer) {
    const link = this.#links.get(peer);
    if (!link) return;
    this.#links.delete(peer);
    link.close();
    this.emit('state', { peer, state: link.state });
  }

  #onRestored(peer, isFresh) {
    if (isFresh) {
      this.#drop(peer);
      this.#beginIfOurs(peer);
      return;
    }
    const link = this.#links.get(peer);
    if (link?.isBroken) {
      // The server has begun anew, and the relay that we had is gone. Connections by a relay over TCP
      // or TLS find another one and then stay silent (Chromium): begin anew too, on one side.
      if (!this.#beginIfOurs(peer)) this.#say(peer, { start: true, again: true });
    } else {
      link?.repeatOffer();
    }
  }

  #sendTrack({ kind, track }) {
    for (const [peer, link] of this.#links) {
      link.setTrack(kind, track).catch((error) => this.emit('error', { peer, error }));
    }
  }

  // --- Signals -----------------------------------------------------------------------------------

  /** Lost only when the peer is: then there is nothing to say any more. */
  #say(peer, data) {
    this.#room.signal(peer, data).catch(() => {});
  }

  #onSignal({ peer, data }) {
    if (!peer) return;
    if (data.bye) this.#drop(peer);
    else if (data.start) this.#onStart(peer, data.again === true);
    else if (data.description || data.candidate !== undefined) this.#onNegotiation(peer, data);
  }

  #onStart(peer, again) {
    const link = this.#links.get(peer);
    const isNew = link?.state === 'connecting';
    if (!link || (again && !isNew)) this.#make(peer, true);
  }

  #onNegotiation(peer, data) {
    const isOffer = data.description?.type === 'offer';
    const link = this.#links.get(peer);
    if (link?.isFromReplacedConnection(data)) return; // said before the peer knew of ours
    if (link?.isFromSameConnection(data)) {
      link.receive(data);
    } else if (isOffer) {
      // It has begun anew, or for the first time; so do we.
      this.#make(peer, false).receive(data);
    } else if (link && data.description) {
      // An answer by a connection that does not know what went before.
      this.#make(peer, true);
    }
    // What is left are late candidates of connections that are no more.
  }

  // --- ICE servers -------------------------------------------------------------------------------

  #fullConfiguration() {
    const { iceServers = [], iceTransportPolicy = 'all' } = this.#configuration;
    return {
      ...this.#configuration,
      iceServers: [...this.#room.iceServers, ...iceServers],
      iceTransportPolicy: this.#room.iceTransportPolicy === 'relay' ? 'relay' : iceTransportPolicy,
    };
  }

  #onIce() {
    this.configure({});
    this.#askForIceInTime();
  }

  #askForIceInTime() {
    const untilExpiry = this.#room.iceExpiresAt - this.#context.timers.now();
    this.#refresh.set(Math.max(untilExpiry - askBeforeMs, askAtMostEveryMs), () => {
      this.#room.refreshIce().catch(() => this.#askForIceInTime());
    });
  }
}
