// Who is in the room, and who is who: also after a restart of the server, which gives new names.

import { TurnpikeError } from './errors.js';
import { Timer } from './timers.js';

/** The peer that the application means, by the object or by its id. Throws 'no_such_peer'. */
export function findPeer(room, ref) {
  const id = typeof ref === 'string' ? ref : ref?.id;
  const peer = room.peers.get(id);
  if (!peer) throw new TurnpikeError('no_such_peer', `no peer ${id} in this room`);
  return peer;
}

/**
 * Where we tell the others, within our meta, which client this is. The server names a peer anew when
 * it has forgotten it; by this the others recognise it, and the call to it goes on.
 */
const clientKey = '_client';

export const withClientId = (meta, clientId) => ({ ...meta, [clientKey]: clientId });

function split(meta) {
  const { [clientKey]: clientId = null, ...rest } = meta ?? {};
  return { clientId, meta: rest };
}

/** Another peer. `id` is what the server called it first, `wireId` what it calls it now. */
class Peer {
  away = false;

  constructor(view) {
    this.id = view.peer;
    this.take(view);
  }

  /** Becomes what `view` says, under the name that it says. Only `away` is left to others. */
  take({ peer, n, name, meta, polite, offer }) {
    const parts = split(meta);
    this.wireId = peer;
    this.clientId = parts.clientId;
    this.meta = parts.meta;
    this.n = n;
    this.name = name ?? '';
    this.polite = polite;
    this.offer = offer;
  }
}

const sameJson = (a, b) => JSON.stringify(a) === JSON.stringify(b);

export class Peers {
  /** All that are known, by id. This is the map that the application sees. */
  byId = new Map();
  #byWireId = new Map();
  /** Those whom the server has forgotten, with how long we wait for them. */
  #lost = new Map();
  #emit;
  #timers;

  /** @param emit `(event, payload)`: those of RoomEvents, and `peer-restored { peer, isFresh }` */
  constructor(emit, timers) {
    this.#emit = emit;
    this.#timers = timers;
  }

  /** The peer that the server calls so. */
  onWire(wireId) {
    return this.#byWireId.get(wireId);
  }

  /** Who is there when we first join: no news to anybody. */
  begin(views) {
    for (const view of views) this.#add(view);
  }

  /** The session was resumed: the same peers under the same names, with what we have missed. */
  resume(views) {
    const present = new Set(views.map(({ peer }) => peer));
    for (const peer of [...this.#byWireId.values()]) {
      if (!present.has(peer.wireId)) this.#remove(peer, 'left');
    }
    for (const view of views) this.joined(view);
  }

  /**
   * We joined anew. Who still has its name has seen us go, so that its connection to us starts afresh.
   * Who has another one was forgotten as we were: the connection, if it works, goes on. Who is not
   * there yet may still come, within `patienceMs`.
   */
  rejoin(views, patienceMs) {
    const before = [...this.#byWireId.values()];
    this.#byWireId.clear();
    for (const peer of before) this.#lost.set(peer, new Timer(this.#timers));
    for (const view of views) this.joined(view);
    for (const [peer, timer] of [...this.#lost]) {
      if (peer.clientId === null) this.#remove(peer, 'timeout');
      else if (!timer.isSet) this.#awaitReturn(peer, timer, patienceMs);
    }
  }

  joined(view) {
    const known = this.#byWireId.get(view.peer);
    const lost = this.#findLost(view);
    if (known) {
      this.#compare(known, view);
    } else if (lost) {
      this.#restore(lost, view);
    } else {
      const peer = this.#add(view);
      this.#emit('peer-joined', { peer });
    }
  }

  left(wireId, reason) {
    const peer = this.#byWireId.get(wireId);
    if (peer) this.#remove(peer, reason);
  }

  updated(wireId, meta) {
    const peer = this.#byWireId.get(wireId);
    if (!peer) return;
    peer.meta = split(meta).meta;
    this.#emit('peer-updated', { peer });
  }

  setAway(wireId, away) {
    const peer = this.#byWireId.get(wireId);
    if (peer) this.#setAway(peer, away);
  }

  /** The room is over; nobody is waited for. */
  end() {
    for (const timer of this.#lost.values()) timer.clear();
    this.#lost.clear();
  }

  #add(view) {
    const peer = new Peer(view);
    // An id of ours may be that of somebody else by now; the server's names are random, but still.
    while (this.byId.has(peer.id)) peer.id += "'";
    peer.away = view.away === true;
    this.byId.set(peer.id, peer);
    this.#byWireId.set(peer.wireId, peer);
    return peer;
  }

  #remove(peer, reason) {
    this.#lost.get(peer)?.clear();
    this.#lost.delete(peer);
    this.byId.delete(peer.id);
    if (this.#byWireId.get(peer.wireId) === peer) this.#byWireId.delete(peer.wireId);
    this.#emit('peer-left', { peer, reason });
  }

  #awaitReturn(peer, timer, patienceMs) {
    timer.set(patienceMs, () => this.#remove(peer, 'timeout'));
    this.#setAway(peer, true);
  }

  /** By its old name, or by its client: then the name that people see must be the same too. */
  #findLost(view) {
    const { clientId } = split(view.meta);
    const lost = [...this.#lost.keys()];
    return lost.find(({ wireId }) => wireId === view.peer)
      ?? lost.find((peer) => clientId !== null && peer.clientId === clientId && peer.name === (view.name ?? ''));
  }

  #restore(peer, view) {
    this.#lost.get(peer).clear();
    this.#lost.delete(peer);
    const isFresh = peer.wireId === view.peer;
    const before = peer.meta;
    peer.take(view);
    this.#byWireId.set(peer.wireId, peer);
    this.#setAway(peer, view.away === true);
    if (!sameJson(before, peer.meta)) this.#emit('peer-updated', { peer });
    this.#emit('peer-restored', { peer, isFresh });
  }

  #compare(peer, view) {
    const isChanged = !sameJson(peer.meta, split(view.meta).meta);
    peer.take(view);
    if (isChanged) this.#emit('peer-updated', { peer });
    this.#setAway(peer, view.away === true);
  }

  #setAway(peer, away) {
    if (peer.away === away) return;
    peer.away = away;
    this.#emit(away ? 'peer-away' : 'peer-back', { peer });
  }
}
