// The HTML5 page of 2012 (clients/broadcast), with a shim for what browsers have removed since: opaque
// text over a raw WebSocket.

import assert from 'node:assert/strict';
import { afterEach, it } from 'node:test';
import { acceptance } from './clients/lib/acceptance.mjs';
import { explained } from './lib/logs.mjs';
import { until } from './lib/until.mjs';

const configOf = ({ iceServers }) => `
  const socketUrl = 'wss://' + location.host + '/r/' + new URLSearchParams(location.search).get('room');
  const iceServers = ${JSON.stringify(iceServers)};`;

acceptance('The broadcast page', { client: 'broadcast', configOf }, (world) => {
  afterEach(() => world.closeTabs());

  async function openReady(home, room) {
    const tab = await world.open(home, { room });
    await tab.page.locator('#join:enabled').waitFor();
    await until(`the socket of ${tab.name}`, () => tab.page.evaluate(() => socket.readyState === WebSocket.OPEN));
    return tab;
  }

  it('connects both tabs when one clicks on "join", and hangs up', explained(async () => {
    const room = world.newRoom();
    const tabs = await Promise.all(['a', 'b'].map((home) => openReady(home, room)));
    await tabs[1].page.click('#join');
    for (const tab of tabs) await tab.untilConnected();

    for (const tab of tabs) {
      await tab.page.click('#hangup');
      await tab.untilConnected(0);
    }
  }));

  it('gives a binary frame back to its sender alone, and text to the others alone', explained(async () => {
    const room = world.newRoom();
    const [sender, other] = await Promise.all(['a', 'b'].map((home) => openReady(home, room)));
    const listen = (tab) => tab.page.evaluate(() => {
      window.received = [];
      socket.binaryType = 'arraybuffer';
      socket.onmessage = ({ data }) => received.push(typeof data === 'string' ? data : [...new Uint8Array(data)]);
    });
    const received = (tab) => tab.page.evaluate(() => received);
    await Promise.all([listen(sender), listen(other)]);

    await sender.page.evaluate(() => {
      socket.send(new Uint8Array([0, 255, 1]));
      socket.send('SDP\n{"not": json, 끝}');
    });
    await other.page.evaluate(() => socket.send('last'));
    await until('all of it', async () => (await received(sender)).length === 2 && (await received(other)).length === 1);
    assert.deepEqual(new Set(await received(sender)), new Set([[0, 255, 1], 'last']));
    assert.deepEqual(await received(other), ['SDP\n{"not": json, 끝}']);
  }));
});
