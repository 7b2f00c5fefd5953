// Chromium, headless, with fake devices, and the pages that it loads: this package's files as they
// are, as the server serves them.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { until } from './events.mjs';

const web = fileURLToPath(new URL('../../', import.meta.url));
const types = { '.js': 'text/javascript', '.html': 'text/html; charset=utf-8' };

/** Browsers share the machine with others. This ends what has failed; it measures nothing. */
const patienceMs = 60_000;

const flags = [
  // Cameras with a moving picture, a microphone that beeps, a screen: granted without a question.
  '--use-fake-device-for-media-stream=device-count=3',
  '--use-fake-ui-for-media-stream',
  '--auto-accept-this-tab-capture',
  '--autoplay-policy=no-user-gesture-required',
  // By default WebRTC leaves the loopback interface out, and where it is the only one, as in a
  // container without a network, would find no way at all.
  '--allow-loopback-in-peer-connection',
  // Pages that a test answers for come from nowhere, as the browser sees it, and such pages may not
  // reach this machine.
  '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets',
  // The browser has nobody else to talk to.
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-gpu',
];

/** Answers for the server: `/turnpike.js`, `/client/…` and the test's own page at `/`. */
async function serveFile(route) {
  const { pathname } = new URL(route.request().url());
  const file = pathname === '/' ? 'test/pages/call.html' : pathname.slice(1);
  const contentType = types[path.extname(file)];
  if (!contentType || file.includes('..')) await route.fulfill({ status: 404 });
  else await route.fulfill({ contentType, body: await readFile(path.join(web, file)) });
}

/** One page: one member of the call. */
class Member {
  problems = [];

  constructor(name, page) {
    this.name = name;
    this.page = page;
    page.setDefaultTimeout(patienceMs);
    page.on('console', (message) => this.problems.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => this.problems.push(`uncaught: ${error.stack}`));
  }

  do(action, argument) {
    return this.page.evaluate(([name, value]) => window.member[name](value), [action, argument]);
  }

  async load(url) {
    await this.page.goto(url);
    await this.page.waitForFunction(() => document.title === 'ready');
  }

  async reload() {
    await this.page.reload();
    await this.page.waitForFunction(() => document.title === 'ready');
  }

  until(what, probe) {
    const describe = async () => ({ events: await this.do('events').catch(String), problems: this.problems });
    return until(`${what} (${this.name})`, () => probe(this), { deadlineMs: patienceMs, everyMs: 100, describe });
  }

  async untilConnected(...names) {
    await this.until(`to be connected with ${names}`, async () => {
      const peers = await this.do('peers');
      return peers.length === names.length && names.every((name) =>
        peers.some((peer) => peer.name === name && peer.state === 'connected'));
    });
  }

  /** Waits until the picture of `name` moves and its sound arrives, and then still does. */
  async untilMediaFlowsFrom(name) {
    const { frames } = await this.do('watch', name);
    return this.until(`moving media of ${name}`, async () => {
      const now = await this.do('watch', name);
      return now.frames >= frames + 20 && now.audioKbps > 0 && now.videoKbps > 0 && now;
    });
  }
}

export async function startBrowser() {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args: flags });
  return {
    /** A member in a browser context of its own, on a page that comes from the server on this port:
     *  pages of the same host are let in by any server. */
    async open(name, port) {
      const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
      const origin = `http://127.0.0.1:${port}`;
      await context.route(`${origin}/**`, serveFile);
      const member = new Member(name, await context.newPage());
      await member.load(`${origin}/`);
      return member;
    },

    close: () => browser.close(),
  };
}
