// Runs the acceptance test of a client (SIGNALING.md §1.2) twice: on loopback, where its tabs meet
// directly, and with each tab behind a symmetric NAT of its own, where only a relay joins them.

import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { launchBrowser, openPageOf } from '../../lib/browser.mjs';
import { explained } from '../../lib/logs.mjs';
import { until } from '../../lib/until.mjs';
import { labObstacle, makeLab } from '../../nat/lab.mjs';
import { isReference, startSite } from './site.mjs';

/// Keeps the page's peer connections, and what its raw WebSockets receive, where the test can ask for
/// them; the page does not notice.
function recordConnections() {
  window.connections = [];
  window.receivedTexts = [];
  window.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      this.addEventListener('message', ({ data }) => window.receivedTexts.push(data));
    }
  };
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) {
      super(...args);
      window.connections.push(this);
      const madeAt = performance.now();
      this.addEventListener('connectionstatechange', () => {
        if (this.connectionState === 'connected') this.connectedAfterMs ??= performance.now() - madeAt;
      });
    }
  };
}

/// In the page: what getStats knows of each connection that is not closed.
function reportConnections() {
  return Promise.all(window.connections.filter(({ signalingState }) => signalingState !== 'closed').map(async (pc) => {
    const stats = await pc.getStats();
    const values = [...stats.values()];
    const transport = values.find(({ selectedCandidatePairId }) => selectedCandidatePairId);
    const pair = transport && stats.get(transport.selectedCandidatePairId);
    const typeOf = (id) => stats.get(id)?.candidateType;
    const video = values.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
    return {
      state: pc.connectionState,
      connectedAfterMs: pc.connectedAfterMs,
      path: pair && [typeOf(pair.localCandidateId), typeOf(pair.remoteCandidateId)],
      frames: video?.framesDecoded ?? 0,
    };
  }));
}

/// A browser tab with the client in it.
class Tab {
  constructor(name, page, { url, isExpectedPath }) {
    this.name = name;
    this.page = page;
    this.url = url;
    this.isExpectedPath = isExpectedPath;
    this.consoleLines = [];
    page.on('console', (message) => this.consoleLines.push(message.text()));
  }

  /// Loads the client (anew), with `query` in its address.
  visit(query) {
    return this.page.goto(`${this.url}?${new URLSearchParams(query)}`);
  }

  reports() {
    return this.page.evaluate(reportConnections);
  }

  /// Waits until there are `count` connections, all of them up, the right way, with video coming, and
  /// returns what is known of them.
  async untilConnected(count = 1) {
    const isUp = ({ state, path, frames }) => state === 'connected' && path && frames > 0;
    const probe = async () => {
      const reports = await this.reports();
      return reports.length === count && reports.every(isUp) && reports;
    };
    const what = `${count} connection(s) with video in ${this.name}`;
    const reports = await until(what, probe, { describe: () => this.reports() });
    for (const { path } of reports) assert.ok(this.isExpectedPath(path), `${this.name} goes ${path.join('/')}`);
    return reports;
  }

  /// Waits for more video than there was, on the one connection.
  async untilVideoGoesOn() {
    const [{ frames }] = await this.reports();
    await until(`more video in ${this.name}`, async () => (await this.reports())[0].frames > frames);
  }

  /// What its WebSockets have received, as it came.
  receivedTexts() {
    return this.page.evaluate(() => window.receivedTexts);
  }

  /// Waits until some line of the console contains `text`.
  untilLogged(text) {
    return until(`"${text}" in the console of ${this.name}`, () => this.consoleLines.find((line) => line.includes(text)));
  }

  close() {
    return this.page.context().close();
  }
}

/// A site, and the browsers that visit it.
class World {
  #lab;
  #browsers = new Map();
  #tabs = [];
  #roomsNamed = 0;

  constructor(order, place) {
    this.order = order;
    this.isNatted = place === 'nat';
  }

  async start() {
    const homes = { a: 'symmetric', b: 'symmetric', c: 'symmetric' };
    if (this.isNatted) this.#lab = makeLab(homes);
    this.site = await startSite({ ...this.order, lab: this.#lab });
  }

  async stop() {
    await Promise.all([...this.#browsers.values()].map(async (browser) => (await browser).close()));
    await this.site?.discard();
    this.#lab?.remove();
  }

  /// A room that nobody has been in.
  newRoom() {
    return `room-${(this.#roomsNamed += 1)}`;
  }

  #browserAt(home) {
    const place = this.isNatted ? home : 'loopback';
    if (!this.#browsers.has(place)) {
      const { certificate } = this.site;
      this.#browsers.set(place, launchBrowser({ certificate, inside: this.#lab?.homes[home] }));
    }
    return this.#browsers.get(place);
  }

  /// Opens the client at `home` ('a', 'b' or 'c'), with `query` in its address.
  async open(home, query = {}) {
    const page = await openPageOf(await this.#browserAt(home), `${this.order.client} at ${home}`);
    await page.addInitScript(recordConnections);
    const isExpectedPath = (path) => path.includes('relay') === this.isNatted;
    const tab = new Tab(`the tab at ${home}`, page, { url: this.site.page, isExpectedPath });
    this.#tabs.push(tab);
    await tab.visit(query);
    return tab;
  }

  closeTabs() {
    return Promise.all(this.#tabs.splice(0).map((tab) => tab.close()));
  }
}

const places = { loopback: 'on loopback', nat: 'behind symmetric NATs' };

/// Declares the tests that `define(world)` makes, for each place. `client` names the folder,
/// `configOf` writes its config.js.
export function acceptance(title, order, define) {
  const server = isReference ? 'its reference server' : 'Turnpike';
  for (const [place, where] of Object.entries(places)) {
    const skip = place === 'nat' && labObstacle();
    describe(`${title} and ${server}, ${where}`, { timeout: 200_000, skip }, () => {
      const world = new World(order, place);
      before(explained(() => world.start()));
      after(() => world.stop());
      define(world);
    });
  }
}
