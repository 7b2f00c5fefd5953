// People who open the pages: Chromium with a camera and a microphone that are not there, one
// browser context each. Everything that a page should not do is written down.

import { chromium } from 'playwright-core';

const flags = [
  '--use-fake-device-for-media-stream=fps=5', // pictures are encoded in software, for each peer
  '--use-fake-ui-for-media-stream',
  '--auto-select-desktop-capture-source=Entire screen',
  '--allow-loopback-in-peer-connection',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-gpu',
  '--no-first-run',
];

/** The machine may be busy: a page is some forty files. */
const patienceMs = 90_000;

export class Visitors {
  /** What went wrong on any page: violations of the policy, errors, requests to elsewhere. */
  complaints = [];

  static async start(origin) {
    const visitors = new Visitors();
    visitors.origin = origin;
    visitors.browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags });
    return visitors;
  }

  close() {
    return this.browser.close();
  }

  /** Opens a page. `expectsErrors`: the network's, which a refused or cut connection leaves behind. */
  async open(path, {
    locale = 'en-US', colorScheme = 'light', viewport = { width: 1280, height: 800 }, expectsErrors = false, prepare, origin = this.origin,
  } = {}) {
    const permissions = ['camera', 'microphone', 'clipboard-read', 'clipboard-write'];
    const context = await this.browser.newContext({ locale, colorScheme, viewport, permissions, reducedMotion: 'reduce' });
    context.setDefaultTimeout(patienceMs);
    const page = await context.newPage();
    page.on('console', (message) => {
      const text = message.text();
      const isNetwork = /WebSocket connection to|net::ERR/.test(text);
      if (message.type() === 'error' && !(expectsErrors && isNetwork)) this.complaints.push(text);
    });
    page.on('pageerror', (error) => this.complaints.push(error.stack));
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !url.startsWith('blob:')) this.complaints.push(`request to ${url}`);
    });
    page.on('websocket', (socket) => {
      if (socket.url() !== `${origin.replace('http', 'ws')}/v1/ws`) this.complaints.push(`WebSocket to ${socket.url()}`);
    });
    if (prepare) await page.addInitScript(prepare);
    await page.goto(origin + path);
    return page;
  }
}
