// Two browsers behind NAT boxes hold a call with ordinary ICE (no policy): directly where the boxes
// allow it, through our relay where they do not. The test carries their signaling, or they meet in a
// room of the server's own call page.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readFile } from 'node:fs/promises';
import { launchBrowser, openPageOf } from './lib/browser.mjs';
import { assertMediaFlows, introduce } from './lib/call.mjs';
import { localCertificate } from './lib/certificate.mjs';
import { explained } from './lib/logs.mjs';
import { mintRestCredential } from './lib/server.mjs';
import { until } from './lib/until.mjs';
import { labObstacle, makeLab } from './nat/lab.mjs';
import { startLabServer } from './nat/server.mjs';

const pageFile = new URL('pages/call.html', import.meta.url);
// No request for it leaves the browser. WebRTC's devices need the secure context that https is.
const pageUrl = 'https://call.test/';

const homes = { easyA: 'easy', easyB: 'easy', symmetricA: 'symmetric', symmetricB: 'symmetric' };

describe('A call between two homes', { timeout: 550_000, skip: labObstacle() }, () => {
  let lab;
  let server;
  let html;
  const browsers = {};

  before(explained(async () => {
    lab = makeLab(homes);
    [server, html] = await Promise.all([startLabServer(lab), readFile(pageFile, 'utf8')]);
  }));
  after(async () => {
    await Promise.all(Object.values(browsers).map(async (browser) => (await browser).close()));
    await server?.discard();
    lab?.remove();
  });

  /// The one browser of that home.
  const browserOf = (home) => (browsers[home] ??= localCertificate().then((certificate) =>
    launchBrowser({ certificate, inside: lab.homes[home] })));

  async function openPage(home, { signal }) {
    const page = await openPageOf(await browserOf(home), home);
    await page.exposeFunction('signal', signal);
    await page.route(pageUrl, (route) => route.fulfill({ contentType: 'text/html', body: html }));
    await page.goto(pageUrl);
    return page;
  }

  /// Holds a call in which media flows both ways, and returns the pair of candidates that the caller
  /// and the callee end up with, "local/remote" each.
  async function pathsOfCall(context, { caller, callee }) {
    const homeOf = { caller, callee };
    const urls = [server.turnUri.replace('turn:', 'stun:').replace(/\?.*/, ''), server.turnUri];
    const sides = await introduce({
      openPage: (name, options) => openPage(homeOf[name], options),
      configurationOf: (name) => ({ iceServers: [{ urls, ...mintRestCredential(name) }] }),
    });
    await sides[0].do('offer');
    for (const side of sides) await side.until('a connection', ({ state }) => state === 'connected');
    await Promise.all(sides.map(assertMediaFlows));
    const reports = await Promise.all(sides.map((side) => side.do('report')));
    await Promise.all(sides.map((side) => side.page.context().close()));
    const paths = reports.map(({ path }) => path);
    context.diagnostic(`${caller} to ${callee}: ${paths.join(' and ')}`);
    return paths;
  }

  const isRelayed = (path) => path.split('/').includes('relay');

  it('goes directly when both have easy NATs', explained(async (context) => {
    for (const path of await pathsOfCall(context, { caller: 'easyA', callee: 'easyB' })) {
      assert.ok(!isRelayed(path), path);
      assert.notEqual(path, 'host/host', 'there are boxes in between');
    }
  }));

  it('goes through the relay when both have symmetric NATs', explained(async (context) => {
    for (const path of await pathsOfCall(context, { caller: 'symmetricA', callee: 'symmetricB' })) {
      assert.ok(isRelayed(path), path);
    }
  }));

  // Whether the easy box lets a packet from the unexpected port in is not the same everywhere.
  it('connects from a symmetric NAT to an easy one, whichever way ICE finds', explained(async (context) => {
    await pathsOfCall(context, { caller: 'symmetricA', callee: 'easyB' });
    await pathsOfCall(context, { caller: 'easyA', callee: 'symmetricB' });
  }));

  /// Joins the room through the lobby of the page that the server serves. The name is the home's.
  async function joinFrom(home, room) {
    const page = await openPageOf(await browserOf(home), home);
    page.setDefaultTimeout(90_000); // the machine may be busy
    await page.goto(`${server.origin}/#room=${room}`);
    await page.fill('#name', home);
    await page.click('#join');
    return page;
  }

  /// The badge of the one other in the room, which that one's moving picture has to go with.
  async function badgeBesideVideo(page) {
    const tile = page.locator('.tile:not(.self)');
    const video = await tile.locator('video').elementHandle();
    await page.waitForFunction((it) => it.videoWidth > 0 && it.currentTime > 0, video);
    const before = await video.evaluate((it) => it.currentTime);
    await page.waitForFunction(([it, time]) => it.currentTime > time, [video, before]);
    return tile.locator('.path-name');
  }

  /// Holds a call on the page until both badges say `expected`: ICE may find a worse way first.
  async function assertBadges(context, callers, expected) {
    const pages = await Promise.all(callers.map((home) => joinFrom(home, callers.join('-'))));
    const badges = await Promise.all(pages.map(badgeBesideVideo));
    const read = () => Promise.all(badges.map((badge) => badge.textContent()));
    const areAsExpected = async () => (await read()).every((text) => expected.test(text));
    await until(`badges that say ${expected}`, areAsExpected, { describe: read });
    context.diagnostic(`${callers.join(' and ')} read: ${(await read()).join(' and ')}`);
    return pages;
  }

  it("the page's badge says so", explained(async (context) => {
    const leave = (pages) => Promise.all(pages.map((page) => page.context().close()));
    await leave(await assertBadges(context, ['easyA', 'easyB'], /^Through NAT$/));

    const relayedCalls = () => server.sumOf(/^turnpike_call_paths_total\{local="relay",.*,relay_protocol="udp"\}$/);
    const before = relayedCalls();
    // The protocol is there where the page's own relay carries the call, and not the other's.
    const pages = await assertBadges(context, ['symmetricA', 'symmetricB'], /^Relayed( \(UDP\))?$/);
    await until('the server to count what the pages report', () => relayedCalls() > before);
    await leave(pages);
  }));
});
