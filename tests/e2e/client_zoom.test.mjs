// The Zoom-clone course's page (clients/zoom): stock socket.io-client 4.8.4, rooms by name.

import assert from 'node:assert/strict';
import { afterEach, it } from 'node:test';
import { acceptance } from './clients/lib/acceptance.mjs';
import { explained } from './lib/logs.mjs';
import { until } from './lib/until.mjs';

const configOf = ({ iceServers }) => `
  const serverUrl = location.origin;
  const iceServers = ${JSON.stringify(iceServers)};`;

acceptance('The Zoom clone', { client: 'zoom', configOf }, (world) => {
  afterEach(() => world.closeTabs());

  async function enter(tab, room) {
    await tab.page.fill('#room', room);
    await tab.page.click('#welcome button');
    await until(`${tab.name} to have entered`, () => tab.page.evaluate(() => roomName !== undefined && socket.connected));
  }

  async function startCall() {
    const room = world.newRoom();
    const tabs = await Promise.all(['a', 'b'].map((home) => world.open(home)));
    for (const tab of tabs) await enter(tab, room);
    for (const tab of tabs) await tab.untilConnected();
    return tabs;
  }

  async function assertChatArrives(from, to, text) {
    await until('an open data channel', () => from.page.evaluate(() => channel?.readyState === 'open'));
    await from.page.fill('#text', text);
    await from.page.click('#chat button');
    await to.page.locator('#messages li', { hasText: text }).waitFor();
  }

  it('connects two tabs, chats both ways over the data channel, and changes the camera', explained(async () => {
    const [first, second] = await startCall();

    await assertChatArrives(first, second, 'hello from the first');
    await assertChatArrives(second, first, '그리고 두 번째');

    const sentTrack = () => second.page.evaluate(() =>
      peerConnection.getSenders().find(({ track }) => track.kind === 'video').track.id);
    const before = await sentTrack();
    await second.page.evaluate(() => document.querySelector('#cameras').dispatchEvent(new Event('input')));
    await until('another track on its way', async () => (await sentTrack()) !== before);
    await first.untilVideoGoesOn();
  }));

  it('says "welcome" to the room that was joined, and to no other', explained(async () => {
    const lonely = await world.open('b');
    await enter(lonely, world.newRoom());
    await startCall();
    assert.equal(await lonely.page.evaluate(() => channel), undefined, 'nobody was welcomed there');
  }));
});
