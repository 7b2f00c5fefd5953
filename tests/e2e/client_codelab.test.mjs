// The WebRTC codelab's page (clients/codelab): two in a room over Socket.IO, the third is refused.

import { afterEach, it } from 'node:test';
import { acceptance } from './clients/lib/acceptance.mjs';
import { explained } from './lib/logs.mjs';

const configOf = ({ iceServers }) => `
  const room = new URLSearchParams(location.search).get('room');
  const pcConfig = ${JSON.stringify({ iceServers })};`;

acceptance('The codelab', { client: 'codelab', configOf }, (world) => {
  afterEach(() => world.closeTabs());

  it('connects two tabs in a room, and a third finds it full', explained(async () => {
    const room = world.newRoom();
    const first = await world.open('a', { room });
    await first.untilLogged('created');
    const second = await world.open('b', { room });
    await second.untilLogged('joined');
    for (const tab of [first, second]) await tab.untilConnected();

    const third = await world.open('a', { room });
    await third.untilLogged('full');
    for (const tab of [first, second]) await tab.untilVideoGoesOn();
  }));

  it('keeps two rooms apart', explained(async () => {
    const rooms = [world.newRoom(), world.newRoom()];
    const lonely = await world.open('b', { room: rooms[1] });
    await lonely.untilLogged('created');
    const first = await world.open('a', { room: rooms[0] });
    await first.untilLogged('created');
    const second = await world.open('b', { room: rooms[0] });
    for (const tab of [first, second]) await tab.untilConnected();
    await lonely.untilConnected(0);
  }));
});
