// Calls on the page that `turnpike serve` has built in, by its own lobby, buttons and badges: as the
// browsers find each other, and through the relay over each transport.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { launchBrowser } from './lib/browser.mjs';
import { Caller, haveACall } from './lib/call_page.mjs';
import { localCertificate } from './lib/certificate.mjs';
import { explained } from './lib/logs.mjs';
import { run } from './lib/process.mjs';
import { restClient } from './lib/rooms.mjs';
import { startServer, turnpike } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const minutes = 60_000; // many of them: the machine may be busy
const apiKey = 'end-to-end-tests-only-no-api-key-0123456789';

let browser;
let callers = [];
let rooms = 0;

before(explained(async () => {
  browser = await launchBrowser({
    certificate: await localCertificate(),
    // Pictures are encoded in software, for each peer; three cameras, to have another one.
    devices: 'fps=5,device-count=3',
  });
}));
after(() => browser?.close());
afterEach(async () => {
  await Promise.all(callers.splice(0).map((caller) => caller.discard()));
});

const open = async (...how) => {
  const caller = await Caller.open(browser, ...how);
  callers.push(caller);
  return caller;
};

const ways = [
  { way: 'as the browsers find it' },
  { way: 'through the relay over UDP', transport: 'udp' },
  { way: 'through the relay over TCP', transport: 'tcp' },
  { way: 'through the relay over TLS', transport: 'tls' },
];

for (const { way, transport } of ways) {
  describe(`A call on the page, ${way}`, { timeout: 20 * minutes }, () => {
    let server;
    before(explained(async () => {
      server = await startServer({
        tls: true, apiKeys: { web: apiKey }, signaling: { auth: 'open', joins_per_minute: 0 },
      });
    }));
    after(() => server?.discard());

    const origin = () => `http://localhost:${server.port}`;

    /// All of them in one room of their own.
    async function call(...names) {
      rooms += 1;
      const link = `${origin()}/#room=room-${rooms}`;
      const all = await Promise.all(names.map((name) => open(link, name, { transport })));
      for (const caller of all) await caller.join();
      return all;
    }

    async function callOfTwo() {
      const [mina, jun] = await call('Mina', 'Jun');
      await haveACall(mina, jun);
      return { mina, jun };
    }

    it('four see each other, and three go on when one leaves', explained(async () => {
      const [mina, jun, sol, hana] = await call('Mina', 'Jun', 'Sol', 'Hana');
      await haveACall(mina, jun, sol, hana);
      await hana.leave();
      for (const caller of [mina, jun, sol]) await caller.tile('Hana').waitFor({ state: 'detached' });
      await haveACall(mina, jun, sol);
    }));

    it('who is one too many is told so, and comes in when there is a place', explained(async () => {
      const room = `full-${transport ?? 'direct'}`;
      const { status } = await restClient(`http://127.0.0.1:${server.port}`, apiKey)('POST', '/v1/rooms', { id: room, max: 2 });
      assert.equal(status, 201);
      const link = `${origin()}/#room=${room}`;
      const [mina, jun, late] = await Promise.all(['Mina', 'Jun', 'Hana'].map((name) => open(link, name, { transport })));
      await mina.join();
      await jun.join();
      const refused = late.page.getByRole('alert').getByText('The room is full.').waitFor();
      const joined = late.join();
      await refused;
      await haveACall(mina, jun);
      await jun.leave();
      await jun.page.waitForSelector('#over:not([hidden])');
      await late.page.click('#join');
      await joined;
      await haveACall(mina, late);
    }));

    it('what one types the other reads, and 20 MB arrive as they were sent, with progress', explained(async () => {
      const { mina, jun } = await callOfTwo();
      await jun.page.click('#chat');
      await jun.page.fill('#chat-text', '안녕, Mina');
      await jun.page.press('#chat-text', 'Enter');
      await mina.page.click('#chat');
      await mina.page.locator('.message-text').getByText('안녕, Mina').waitFor();

      const bytes = Buffer.alloc(20 * 1024 * 1024, 'not the same everywhere: 0123456789');
      await jun.page.setInputFiles('#file-input', { name: 'holiday.bin', mimeType: 'application/octet-stream', buffer: bytes });
      await mina.page.evaluate(() => {
        window.seen = [];
        new MutationObserver(() => window.seen.push(document.querySelector('.transfer progress')?.value))
          .observe(document.querySelector('#chat-log'), { subtree: true, childList: true, attributes: true });
      });
      await mina.page.getByRole('button', { name: 'Accept' }).click();
      const save = mina.page.getByRole('link', { name: 'Save' });
      await save.waitFor({ timeout: 4 * minutes });
      const [download] = await Promise.all([mina.page.waitForEvent('download'), save.click()]);
      const sha256 = (data) => createHash('sha256').update(data).digest('hex');
      assert.equal(sha256(await readFile(await download.path())), sha256(bytes));
      await jun.page.getByText('Delivered').waitFor();
      const between = await mina.page.evaluate(() => window.seen.filter((value) => value > 0 && value < 1).length);
      assert.ok(between > 1, `the bar was seen ${between} times between empty and full`);
    }));

    it('another camera, and then the screen, take the place of the first', explained(async () => {
      const { mina, jun } = await callOfTwo();
      const camera = () => mina.page.evaluate(() =>
        document.querySelector('.tile.self video').srcObject.getVideoTracks()[0].getSettings().deviceId);
      await mina.page.click('#settings');
      // The last one: the second of Chromium's stand-ins makes pictures that are not encoded without a GPU.
      const cameras = await mina.page.locator('#call-camera-choice option').evaluateAll((options) => options.map(({ value }) => value));
      const wanted = cameras.at(-1);
      assert.notEqual(await camera(), wanted);
      await mina.page.selectOption('#call-camera-choice', wanted);
      await until('the other camera', async () => (await camera()) === wanted);
      await jun.seesPicturesOf('Mina');

      await mina.page.click('#screen');
      await mina.page.waitForSelector('#screen[aria-pressed="true"]');
      await jun.page.waitForSelector('.tile[data-peer="Mina"].is-screen');
      const surface = await mina.page.evaluate(() =>
        document.querySelector('.tile.self video').srcObject.getVideoTracks()[0].getSettings().displaySurface);
      assert.equal(surface, 'monitor', 'it is what getDisplayMedia() gave');
      await jun.seesPicturesOf('Mina');
      await mina.page.click('#screen');
      await jun.page.waitForSelector('.tile[data-peer="Mina"]:not(.is-screen)');
      await jun.seesPicturesOf('Mina');
    }));

    it('who reloads the page is back in the call', explained(async () => {
      const { mina, jun } = await callOfTwo();
      await jun.page.reload();
      await mina.tile('Jun').waitFor({ state: 'detached' });
      await jun.join();
      await haveACall(mina, jun);
    }));

    it('the server is killed and started again, and the call is not', explained(async () => {
      const { mina, jun } = await callOfTwo();
      await mina.page.evaluate(() => {
        window.breaks = 0;
        for (const connection of window.connections) {
          connection.addEventListener('connectionstatechange', () => (window.breaks += 1));
        }
      });
      await server.restart();
      await Promise.all([mina, jun].map(({ page }) => page.getByText('Back in touch with the server').waitFor()));
      await haveACall(mina, jun);
      // A relay dies with its server: then the call has come back. Otherwise it never was away.
      if (!transport) assert.equal(await mina.page.evaluate(() => window.breaks), 0);
      await mina.page.click('#chat');
      await mina.page.fill('#chat-text', 'still there');
      await mina.page.press('#chat-text', 'Enter');
      await jun.page.click('#chat');
      await jun.page.locator('.message-text').getByText('still there').waitFor();
    }));
  });
}

describe('An invitation by `turnpike room token`', { timeout: 5 * minutes }, () => {
  let server;
  let directory;
  before(explained(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-'));
    await writeFile(path.join(directory, 'web.key'), `${apiKey}\n`, { mode: 0o600 });
    server = await startServer({ apiKeys: { web: apiKey }, signaling: { auth: 'token', joins_per_minute: 0 } });
  }));
  after(async () => {
    await server?.discard();
    await rm(directory, { recursive: true, force: true });
  });

  async function invitation(name) {
    const { code, output } = await run('room token', turnpike(), [
      'room', 'token', '--key', `@${path.join(directory, 'web.key')}`, '--key-id', 'web', '--output', 'json',
      ...['--room', 'team', '--name', name, '--url', `http://localhost:${server.port}`],
    ]);
    assert.equal(code, 0);
    return JSON.parse(/^\{.*\}$/m.exec(output)[0]).link;
  }

  it('opened in two browsers, is a call under the names that it gives', explained(async () => {
    const [mina, jun] = await Promise.all(['Mina', 'Jun'].map(async (name) => open(await invitation(name), name)));
    await mina.join();
    await jun.join();
    await haveACall(mina, jun);
  }));

  it('is needed: without it the page says what to do', explained(async () => {
    const stranger = await open(`http://localhost:${server.port}/#room=team`, 'Hana');
    await stranger.page.fill('#name', 'Hana');
    await stranger.page.click('#join');
    await stranger.page.getByRole('alert').getByText('This server wants a token.').waitFor();
  }));
});
