// Debian's Chromium, headless, on loopback or inside a network namespace, and the page that it loads.

import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { openLog } from './logs.mjs';

const pageFile = new URL('../pages/call.html', import.meta.url);

const commonFlags = [
  // What there is below, a screen among it, is granted without a question.
  '--use-fake-ui-for-media-stream',
  // Host candidates are addresses: there is nobody to resolve names of mDNS.
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  // The browser has nobody else to talk to.
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
  '--disable-gpu',
];

// By default WebRTC leaves the loopback interface out, and where it is the only one, as in a
// container without a network, would find no relay at all.
const loopbackFlag = '--allow-loopback-in-peer-connection';

/// What playwright takes for the browser: a script that starts it inside `host`, a namespace of a lab.
async function executableInside(host, executable) {
  const directory = await mkdtemp(path.join(tmpdir(), 'turnpike-e2e-chromium-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const script = path.join(directory, 'chromium');
  const [program, args] = host.command(executable);
  await writeFile(script, `#!/bin/sh\nexec ${[program, ...args].join(' ')} "$@"\n`, { mode: 0o700 });
  return script;
}

/// Starts the browser alone. It trusts the key of `certificate`, whatever the name; `inside` is a
/// host of a NAT laboratory, loopback unless given. `devices` are Chromium's words for other ones than
/// a camera with a moving picture and a microphone that beeps.
export async function launchBrowser({ certificate, inside, devices } = {}) {
  const executable = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const standIns = `--use-fake-device-for-media-stream${devices ? `=${devices}` : ''}`;
  const flags = [...commonFlags, standIns];
  const trust = certificate ? [`--ignore-certificate-errors-spki-list=${certificate.spkiHash}`] : [];
  if (!inside) return chromium.launch({ executablePath: executable, args: [...flags, loopbackFlag, ...trust] });

  const executablePath = await executableInside(inside, executable);
  return chromium.launch({ executablePath, args: [...flags, ...trust] });
}

/// Opens a page in a browser context of its own: two pages share nothing but the machine.
export async function openPageOf(browser, name) {
  const log = openLog(`page of ${name}`);
  const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
  const page = await context.newPage();
  page.on('console', (message) => log.append(`${message.type()}: ${message.text()}\n`));
  page.on('pageerror', (error) => log.append(`uncaught: ${error.stack}\n`));
  return page;
}

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

  const browser = await launchBrowser({ certificate });

  return {
    /// Opens the page in a context of its own. What it signals goes to `signal`.
    async openPage(name, { signal = () => {} } = {}) {
      const page = await openPageOf(browser, name);
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
