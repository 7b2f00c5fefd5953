// Debian's Chromium, headless, and the page that it loads, both on loopback.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { chromium } from 'playwright-core';
import { openLog } from './logs.mjs';

const pageFile = new URL('../pages/call.html', import.meta.url);

const flags = [
  // A camera with a moving picture and a microphone that beeps, granted without a question.
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  // By default WebRTC leaves the loopback interface out, and where it is the only one, as in a
  // container without a network, would find no relay at all.
  '--allow-loopback-in-peer-connection',
  // The browser has nobody else to talk to.
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
  '--disable-gpu',
];

/// Starts the browser and a web server with the one page. WebRTC's devices need a secure
/// context, and http://127.0.0.1 is one. A TURN server may show the `certificate`, which nobody but
/// this browser trusts.
export async function startBrowser({ certificate } = {}) {
  const html = await readFile(pageFile);
  const web = http.createServer((_, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(html);
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');

  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const trust = certificate ? [`--ignore-certificate-errors-spki-list=${certificate.spkiHash}`] : [];
  const browser = await chromium.launch({ executablePath, args: [...flags, ...trust] });

  return {
    /// Opens the page in a browser context of its own: two pages share nothing but the machine.
    async openPage(name, { signal = () => {} } = {}) {
      const log = openLog(`page of ${name}`);
      const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
      const page = await context.newPage();
      page.on('console', (message) => log.append(`${message.type()}: ${message.text()}\n`));
      page.on('pageerror', (error) => log.append(`uncaught: ${error.stack}\n`));
      await page.exposeFunction('signal', signal);
      await page.goto(`http://127.0.0.1:${web.address().port}/`);
      return page;
    },

    async close() {
      await browser.close();
      web.closeAllConnections();
      web.close();
    },
  };
}
