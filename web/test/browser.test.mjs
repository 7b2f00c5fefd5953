// Real browsers in a call: what a user would see. Against the small server of test/lib and, where
// TURNPIKE_BINARY names one, against the real server.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { backends } from './lib/backends.mjs';
import { startBrowser } from './lib/browser.mjs';

const oneMinuteMs = 60_000;

let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

for (const { name: backendName, start, skip } of backends) {
  describe(`Calls between browsers, over ${backendName}`, { timeout: 15 * oneMinuteMs, skip }, () => {
    let backend;
    let members;

    beforeEach(async () => {
      backend = await start();
      members = [];
    });
    afterEach(async () => {
      for (const { page } of members) await page.context().close();
      await backend.stop();
    });

    async function enter(name, options = {}) {
      const member = await browser.open(name, backend.port);
      members.push(member);
      await member.do('enter', { url: backend.url, name, ...options });
      return member;
    }

    async function pair(options) {
      const mina = await enter('Mina', options);
      const jun = await enter('Jun', options);
      await Promise.all([mina.untilConnected('Jun'), jun.untilConnected('Mina')]);
      return { mina, jun };
    }

    const mediaFlows = (mina, jun) =>
      Promise.all([mina.untilMediaFlowsFrom('Jun'), jun.untilMediaFlowsFrom('Mina')]);

    const eventsNamed = async (member, ...wanted) =>
      (await member.do('events')).filter(({ event }) => wanted.includes(event));

    it('two see and hear each other, and know by which way', async () => {
      const { mina, jun } = await pair();
      const [seen] = await mediaFlows(mina, jun);
      assert.ok(seen.width > 0);
      assert.match(seen.path.local, /^(host|srflx|prflx)$/);
      assert.equal(seen.path.relayProtocol, null);
      const [path] = await eventsNamed(jun, 'path');
      assert.equal(path.name, 'Mina');
      assert.deepEqual(await eventsNamed(mina, 'error'), []);
      assert.ok(await mina.do('loudness') > 0);
    });

    it('three see and hear each other, and two go on when one leaves', async () => {
      const { mina, jun } = await pair();
      const sol = await enter('Sol');
      await Promise.all([
        mina.untilConnected('Jun', 'Sol'), jun.untilConnected('Mina', 'Sol'), sol.untilConnected('Mina', 'Jun'),
      ]);
      await Promise.all([
        mediaFlows(mina, jun), mina.untilMediaFlowsFrom('Sol'), jun.untilMediaFlowsFrom('Sol'),
        sol.untilMediaFlowsFrom('Mina'), sol.untilMediaFlowsFrom('Jun'),
      ]);
      await sol.do('leave');
      await Promise.all([mina.untilConnected('Jun'), jun.untilConnected('Mina')]);
      await mediaFlows(mina, jun);
    });

    it('what one types the others read', async () => {
      const { mina, jun } = await pair();
      assert.deepEqual(await mina.do('say', '안녕, Jun'), { delivered: 1 });
      await jun.until('the text', async () => (await eventsNamed(jun, 'chat')).length > 0);
      assert.deepEqual(await eventsNamed(jun, 'chat'), [{ event: 'chat', name: 'Mina', text: '안녕, Jun' }]);
    });

    it('a file of 20 MB arrives as it was sent, and both see how far it is', async () => {
      const { mina, jun } = await pair();
      const bytes = 20 * 1024 * 1024 + 12_345;
      const sent = await mina.do('sendFile', { to: 'Jun', bytes });
      const received = await jun.do('received', 0);
      assert.equal(received.sha256, sent.sha256);
      assert.deepEqual([received.name, received.size, received.type], ['holiday.bin', bytes, 'application/x-holiday']);
      assert.equal(sent.last, bytes);
      assert.equal(received.steps, Math.ceil(bytes / 16_384));
      assert.equal(sent.steps, received.steps);
    });

    it('another camera and the screen take the place of the first without a break', async () => {
      const { mina, jun } = await pair();
      await mediaFlows(mina, jun);
      const before = await eventsNamed(jun, 'stream', 'state');
      const { wanted, used } = await mina.do('switchCamera');
      assert.equal(used, wanted);
      await jun.untilMediaFlowsFrom('Mina');
      await mina.do('shareScreen');
      await jun.until('to be told', async () => (await jun.do('peers'))[0].meta.screen === true);
      await jun.until('frames of the screen', async () => (await jun.do('watch', 'Mina')).width > 0);
      await mina.do('stopScreen');
      await jun.untilMediaFlowsFrom('Mina');
      assert.deepEqual(await eventsNamed(jun, 'stream', 'state'), before);
    });

    it('the way leads through the relay when that is wanted, and back', async (t) => {
      if (!backend.hasRelay) {
        t.skip('TURNPIKE_BINARY names no server with relays');
        return;
      }
      const { mina, jun } = await pair();
      const untilPath = (isWanted) => mina.until('another way', async () => {
        const { path } = await mina.do('watch', 'Jun');
        return path && isWanted(path);
      });
      await mina.do('setIceTransportPolicy', 'relay');
      await untilPath(({ local, relayProtocol }) => local === 'relay' && relayProtocol === 'udp');
      await mediaFlows(mina, jun);
      await mina.do('setIceTransportPolicy', 'all');
      await untilPath(({ local }) => local !== 'relay');
      await mediaFlows(mina, jun);
      const sol = await enter('Sol', { iceTransportPolicy: 'relay' });
      await sol.untilConnected('Mina', 'Jun');
      await sol.untilMediaFlowsFrom('Mina');
      assert.equal((await sol.do('watch', 'Mina')).path.local, 'relay');
    });

    it('who reloads the page is back without waiting', async () => {
      const { mina, jun } = await pair();
      await jun.reload();
      await mina.until('to see Jun leave', async () => (await mina.do('peers')).length === 0);
      assert.deepEqual((await eventsNamed(mina, 'peer-left')).map(({ reason }) => reason), ['left']);
      await jun.do('enter', { url: backend.url, name: 'Jun' });
      await Promise.all([mina.untilConnected('Jun'), jun.untilConnected('Mina')]);
      await mediaFlows(mina, jun);
    });

    it('a restart of the server is not seen and not heard', async () => {
      const { mina, jun } = await pair();
      await mediaFlows(mina, jun);
      const before = await Promise.all([mina, jun].map((each) => eventsNamed(each, 'stream', 'state', 'peer-left')));
      await backend.restart();
      for (const member of [mina, jun]) {
        await member.until('to have rejoined', async () =>
          (await eventsNamed(member, 'resumed')).some(({ rejoined }) => rejoined));
        await member.until('the other to be back', async () => {
          const now = await eventsNamed(member, 'peer-away', 'peer-back');
          return now.at(-1)?.event !== 'peer-away';
        });
      }
      await mediaFlows(mina, jun);
      const after = await Promise.all([mina, jun].map((each) => eventsNamed(each, 'stream', 'state', 'peer-left')));
      assert.deepEqual(after, before);
      // And signaling works again.
      await mina.do('restart');
      await mediaFlows(mina, jun);
      assert.deepEqual((await mina.do('peers')).map(({ state }) => state), ['connected']);
      assert.deepEqual(await mina.do('say', 'still there'), { delivered: 1 });
    });

    it('one who is put out is told, and the call ends for both', async () => {
      const { mina, jun } = await pair();
      await mina.do('kick', 'Jun');
      await jun.until('the end', async () => (await eventsNamed(jun, 'closed')).length > 0);
      assert.equal((await eventsNamed(jun, 'closed'))[0].code, 'kicked');
      await mina.until('to be alone', async () => (await mina.do('peers')).length === 0);
    });
  });
}
