// The call page that `turnpike serve` serves, in a browser, and what a person does and sees there.

import assert from 'node:assert/strict';
import { openPageOf } from './browser.mjs';
import { until } from './until.mjs';

/// The machine may be busy: this ends what has failed, it measures nothing.
const patienceMs = 90_000;

/// Runs before the page's own scripts: keeps its connections for `selectedPairs`, and leaves it those
/// ICE servers alone that a network would let through where `transport` is all there is.
function watchConnections(transport) {
  const isLetThrough = {
    udp: (url) => url.startsWith('turn:') && url.endsWith('transport=udp'),
    tcp: (url) => url.startsWith('turn:') && url.endsWith('transport=tcp'),
    tls: (url) => url.startsWith('turns:'),
  }[transport];
  const left = ({ iceServers = [], ...others }) => {
    const servers = iceServers.map(({ urls, ...server }) => ({ ...server, urls: [urls].flat().filter(isLetThrough) }));
    return { ...others, iceServers: servers.filter(({ urls }) => urls.length > 0) };
  };
  const given = (configuration) => (isLetThrough ? left(configuration) : configuration);
  window.connections = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration) {
      super(given(configuration));
      window.connections.push(this);
    }

    setConfiguration(configuration) {
      super.setConfiguration(given(configuration));
    }
  };
}

/// One person on the page.
export class Caller {
  /// Opens `link` in a browser context of its own. `transport`: "udp", "tcp" or "tls" for calls through
  /// the relay, reached over that alone; nothing for calls as ICE finds them.
  static async open(browser, link, name, { transport } = {}) {
    const page = await openPageOf(browser, name);
    page.setDefaultTimeout(patienceMs);
    await page.addInitScript(watchConnections, transport);
    await page.goto(link);
    return Object.assign(new Caller(), { page, name, transport });
  }

  /// Goes from the lobby into the call.
  async join() {
    const { page } = this;
    await page.fill('#name', this.name);
    if (this.transport) await page.check('#lobby-relay');
    await page.click('#join');
    await page.waitForSelector('#call:not([hidden])');
  }

  tile(name) {
    return this.page.locator(`.tile[data-peer="${name}"]`);
  }

  badge(name) {
    return this.tile(name).locator('.path-name');
  }

  /// Waits until `count` further pictures of that person have been shown.
  async seesPicturesOf(name, count = 3) {
    // Asked for each time: who joins anew has a tile that is new, and counts anew.
    const shown = () => this.tile(name).locator('video').evaluate((it) => it.getVideoPlaybackQuality().totalVideoFrames);
    const how = { deadlineMs: patienceMs, describe: async () => [await this.connections(), await this.pictures()] };
    await until(`${this.name} to have a picture of ${name}`, shown, how);
    let before = await shown();
    const hasMoved = async () => {
      const now = await shown();
      before = Math.min(before, now);
      return now >= before + count;
    };
    await until(`${this.name} to see ${name} move`, hasMoved, how);
  }

  /// What the browser says of the others' pictures, for messages.
  pictures() {
    return this.page.locator('.tile:not(.self) video').evaluateAll((videos) => videos.map((it) => {
      const tracks = it.srcObject?.getTracks().map(({ kind, readyState, muted }) => `${kind} ${readyState}${muted ? ' muted' : ''}`);
      return `${it.paused ? 'paused' : 'playing'}, ${it.videoWidth} wide, ${it.getVideoPlaybackQuality().totalVideoFrames} shown, ${tracks}`;
    }));
  }

  /// And of the page's connections.
  connections() {
    return this.page.evaluate(() => Promise.all(window.connections.map(async (connection) => {
      const { connectionState, iceGatheringState, signalingState } = connection;
      const stats = [...(await connection.getStats()).values()];
      const decoded = stats.filter(({ type, kind }) => type === 'inbound-rtp' && kind === 'video').map(({ framesDecoded }) => framesDecoded);
      return `${connectionState}, ${iceGatheringState}, ${signalingState}, ${decoded} pictures decoded`;
    })));
  }

  /// How wide the picture of that person is.
  widthOf(name) {
    return this.tile(name).locator('video').evaluate((it) => it.videoWidth);
  }

  /// The pairs in use, one for each live connection: [{local, remote, relayProtocol}].
  selectedPairs() {
    return this.page.evaluate(async () => {
      const live = window.connections.filter(({ connectionState }) => connectionState === 'connected');
      return Promise.all(live.map(async (connection) => {
        const stats = await connection.getStats();
        const transport = [...stats.values()].find(({ type }) => type === 'transport');
        const pair = stats.get(transport.selectedCandidatePairId);
        const local = stats.get(pair.localCandidateId);
        return { local: local.candidateType, remote: stats.get(pair.remoteCandidateId).candidateType, relayProtocol: local.relayProtocol };
      }));
    });
  }

  /// Waits until the badges of all `others` name the way that this caller is to have, and asks the
  /// browser whether they are right.
  async hasTheWayTo(...others) {
    const { transport } = this;
    const expected = transport ? `Relayed (${transport.toUpperCase()})` : /^(Direct|Through NAT)$/;
    for (const name of others) await this.badge(name).getByText(expected).waitFor();
    // A busy machine may look for a moment like a way that is lost.
    let pairs;
    const areThere = async () => (pairs = await this.selectedPairs()).length === others.length;
    await until(`${this.name} to have ${others.length} ways`, areThere, { deadlineMs: patienceMs, describe: () => this.connections() });
    for (const { local, relayProtocol } of pairs) {
      if (transport) assert.deepEqual([local, relayProtocol], ['relay', transport]);
      else assert.notEqual(local, 'relay');
    }
  }

  leave() {
    return this.page.click('#leave');
  }

  discard() {
    return this.page.context().close();
  }
}

/// Waits until all of them see each other, by the way that each is to have.
export async function haveACall(...callers) {
  await Promise.all(callers.flatMap((caller) => callers
    .filter((other) => other !== caller)
    .map(({ name }) => caller.seesPicturesOf(name))));
  await Promise.all(callers.map((caller) => caller
    .hasTheWayTo(...callers.filter((other) => other !== caller).map(({ name }) => name))));
}
