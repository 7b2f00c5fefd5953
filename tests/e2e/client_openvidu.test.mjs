// OpenVidu's hello-world page (clients/openvidu): two POSTs for a token, then the interface of
// openvidu-browser, which the server's shim offers.

import assert from 'node:assert/strict';
import { afterEach, it } from 'node:test';
import { acceptance } from './clients/lib/acceptance.mjs';
import { explained } from './lib/logs.mjs';
import { until } from './lib/until.mjs';

const configOf = () => 'const APPLICATION_SERVER_URL = `${location.origin}/`;';

acceptance('The OpenVidu tutorial', { client: 'openvidu', configOf }, (world) => {
  afterEach(() => world.closeTabs());

  async function openIn(session, home) {
    const tab = await world.open(home);
    await tab.page.fill('#sessionId', session);
    await tab.page.click('#join button');
    return tab;
  }

  const remoteVideos = (tab) => tab.page.locator('#subscriber video').count();

  async function untilSees(tab, count) {
    await tab.untilConnected(count);
    await until(`${count} remote videos in ${tab.name}`, async () => (await remoteVideos(tab)) === count);
  }

  it('shows three tabs two remote streams each, and takes those of one who leaves away', explained(async () => {
    const session = world.newRoom();
    const tabs = [];
    for (const home of ['a', 'b', 'c']) {
      tabs.push(await openIn(session, home));
      await until('one more publisher', async () => (await tabs.at(-1).page.locator('#publisher video').count()) === 1);
    }
    for (const tab of tabs) await untilSees(tab, 2);

    const [leaver, ...others] = tabs;
    await leaver.page.click('#leave');
    for (const tab of others) await untilSees(tab, 1);
    assert.equal(await leaver.page.evaluate(() => connections.every(({ signalingState }) => signalingState === 'closed')), true);
  }));

  it('is told 404 for connections to a session that nobody created', explained(async () => {
    const tab = await world.open('a');
    const status = await tab.page.evaluate(() =>
      fetch('/api/sessions/nobody-made-this/connections', { method: 'POST', body: '{}' }).then(({ status }) => status));
    assert.equal(status, 404);
  }));
});
