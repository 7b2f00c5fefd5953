// Measures the links of a call and notices when the way to a peer changes.

import { Emitter } from './emitter.js';
import { isSamePath, measure } from './stats.js';
import { Timer } from './timers.js';

/** Events: `stats` PeerStats, `path` CallPath. */
export class Monitor extends Emitter {
  #mesh;
  #timers;
  #intervalMs;
  #timer;
  /** By peer: `report`, the last one, and `path`, as it was last told. */
  #known = new Map();

  /** @param intervalMs 0: only when asked, and when a link says that its path may have changed */
  constructor(mesh, { intervalMs, timers }) {
    super();
    this.#mesh = mesh;
    this.#timers = timers;
    this.#intervalMs = intervalMs;
    this.#timer = new Timer(timers);
    mesh.on('link', ({ peer }) => this.#known.delete(peer));
    mesh.on('state', ({ peer, state }) => {
      if (state === 'closed') this.#known.delete(peer);
    });
    mesh.on('selected', ({ peer, link }) => this.#measureQuietly(peer, link));
    this.#plan();
  }

  pathOf(peer) {
    return this.#known.get(peer)?.path ?? null;
  }

  /** Measures one link now. */
  async measure(peer, link) {
    const report = await link.connection.getStats();
    const known = this.#known.get(peer) ?? { report: null, path: null };
    const stats = measure(report, known.report, this.#timers.now());
    if (stats.path) stats.path = { peer, ...stats.path };
    if (this.#mesh.links.get(peer) === link) this.#note(peer, known.path, report, stats.path);
    return { peer, ...stats };
  }

  close() {
    this.#intervalMs = 0;
    this.#timer.clear();
  }

  #note(peer, pathBefore, report, path) {
    this.#known.set(peer, { report, path: path ?? pathBefore });
    if (path && !isSamePath(path, pathBefore)) this.emit('path', path);
  }

  #plan() {
    if (this.#intervalMs > 0) this.#timer.set(this.#intervalMs, () => this.#measureAll());
  }

  async #measureAll() {
    const connected = [...this.#mesh.links].filter(([, link]) => link.state === 'connected');
    const all = await Promise.all(connected.map(([peer, link]) => this.#measureQuietly(peer, link)));
    for (const stats of all.filter(Boolean)) this.emit('stats', stats);
    this.#plan();
  }

  /** null if the connection was closed meanwhile. */
  #measureQuietly(peer, link) {
    return this.measure(peer, link).catch(() => null);
  }
}
