// The video consultation's page (clients/counsel): JSON and images over a raw WebSocket, no join on the
// wire, and both sides offer.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { afterEach, it } from 'node:test';
import zlib from 'node:zlib';
import { acceptance } from './clients/lib/acceptance.mjs';
import { explained } from './lib/logs.mjs';
import { until } from './lib/until.mjs';

const configOf = ({ iceServers }) => `
  const path = '/r/' + new URLSearchParams(location.search).get('room');
  const socketUrl = 'wss://' + location.host + path + '/ertc';
  const iceServers = ${JSON.stringify(iceServers)};`;

const lateJoinerMs = 5_000;
const simultaneousMs = 8_000; // pages load and cameras start, twice at once
const simultaneousCalls = 20;
const leastConnected = 19;
const roomFull = 4423;

/// The CRC of PNG's chunks, which is also that in gzip's trailer.
const crc32 = (bytes) => zlib.gzipSync(bytes, { level: 0 }).subarray(-8).readUInt32LE(0);

function pngChunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(data.length, 0);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return chunk;
}

/// A picture of noise that takes `megabytes` MiB and a little more.
function noisePng(megabytes) {
  const [width, height] = [1024, 1024 * megabytes];
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8; // bits a pixel, grey
  const rows = Array.from({ length: height }, () => Buffer.concat([Buffer.of(0), randomBytes(width)]));
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    pngChunk('IHDR', header),
    pngChunk('IDAT', zlib.deflateSync(Buffer.concat(rows), { level: 0 })),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

acceptance('The consultation', { client: 'counsel', configOf }, (world) => {
  afterEach(() => world.closeTabs());

  const openUser = (home, room) => world.open(home, { room, role: 'user', nick: 'Mina' });

  /// The expert comes first and has offered to an empty room before the user is there.
  async function openExpert(room) {
    const expert = await world.open('a', { room, role: 'expert', nick: 'Dr. Jun' });
    const hasOffered = () => expert.page.evaluate(() => pc?.signalingState === 'have-local-offer');
    await until('the expert to have offered', hasOffered);
    return expert;
  }

  async function startCall(room) {
    const tabs = [await openExpert(room), await openUser('b', room)];
    await Promise.all(tabs.map((tab) => tab.untilConnected()));
    return tabs;
  }

  const forgetReceived = (tab) => tab.page.evaluate(() => (receivedTexts.length = 0));

  const typeOf = (text) => JSON.parse(text).type;

  async function untilReceived(tab, type) {
    const find = async () => (await tab.receivedTexts()).find((text) => typeOf(text) === type);
    return until(`${type} at ${tab.name}`, find);
  }

  it('connects a late joiner within five seconds', explained(async () => {
    const room = world.newRoom();
    const expert = await openExpert(room);
    const user = await openUser('b', room);
    await expert.untilConnected();
    // Counted from where the camera is there and the page has made its connection.
    const [{ connectedAfterMs }] = await user.untilConnected();
    assert.ok(connectedAfterMs <= lateJoinerMs, `after ${connectedAfterMs} ms`);

    // The user's first words, in order; and nothing of what was said before the user came.
    assert.deepEqual((await expert.receivedTexts()).slice(0, 3).map(typeOf), ['SYS', 'expert', 'offer']);
    assert.equal(await expert.page.locator('#chat').innerText(), 'Mina: 접속');
    const others = (await user.receivedTexts()).map(typeOf).filter((type) => type !== 'candidate');
    assert.deepEqual(others, ['answer']);
  }));

  it('carries chat, camera and the end of the call to the other side, byte for byte', explained(async () => {
    const [expert, user] = await startCall(world.newRoom());
    await Promise.all([expert, user].map(forgetReceived));

    await expert.page.fill('#chatText', '안녕하세요 \u{1f44b} "<i>hi</i>" \\');
    await expert.page.click('#chatForm button');
    await user.page.locator('#chat i', { hasText: 'hi' }).waitFor();
    await expert.page.click('#camera');
    await expert.page.click('#camera');
    const oddText = '{ "msg":"\\u0041\u0041",  "type":"TXT", "type":"TXT" }';
    await expert.page.evaluate((text) => socket.send(text), oddText);
    await expert.page.click('#end');
    await untilReceived(user, 'END');
    assert.deepEqual(await user.receivedTexts(), [
      JSON.stringify({ type: 'TXT', msg: '<b>Dr. Jun</b> 안녕하세요 \u{1f44b} "<i>hi</i>" \\' }),
      JSON.stringify({ type: 'CAM', msg: 'off' }),
      JSON.stringify({ type: 'CAM', msg: 'on' }),
      oddText,
      JSON.stringify({ type: 'END' }),
    ]);

    await user.page.click('#end');
    assert.equal(await untilReceived(expert, 'MEMEND'), '{"type":"MEMEND"}');
    assert.deepEqual((await expert.receivedTexts()).map(typeOf), ['MEMEND'], 'nobody hears himself');
    for (const tab of [expert, user]) await tab.untilConnected(0);
  }));

  it('keeps an image of 1 MiB and tells both sides where it is', explained(async () => {
    const tabs = await startCall(world.newRoom());
    const image = noisePng(1);
    await tabs[0].page.setInputFiles('#file', { name: 'x-ray.png', mimeType: 'image/png', buffer: image });

    const texts = await Promise.all(tabs.map((tab) => untilReceived(tab, 'FILE2')));
    assert.equal(texts[0], texts[1], 'one name for both');
    for (const tab of tabs) {
      const picture = tab.page.locator('#chat img');
      await until('the picture', () => picture.evaluate(({ naturalWidth }) => naturalWidth === 1024));
      const url = await picture.evaluate(({ src }) => src);
      const bytes = await tab.page.evaluate(async (url) =>
        [...new Uint8Array(await crypto.subtle.digest('SHA-256', await (await fetch(url)).arrayBuffer()))], url);
      assert.equal(Buffer.from(bytes).toString('hex'), sha256(image));
    }
  }));

  it('refuses a third socket in the room, and the two go on', explained(async () => {
    const room = world.newRoom();
    const tabs = await startCall(room);
    const end = await tabs[1].page.evaluate(() => new Promise((resolve) => {
      const third = new WebSocket(socketUrl);
      third.onclose = ({ code, reason }) => resolve({ code, reason });
    }));
    assert.deepEqual(end, { code: roomFull, reason: 'room_full' });
    for (const tab of tabs) await tab.untilVideoGoesOn();
  }));

  // Who offers when is no matter of the network: once is enough.
  const once = { skip: world.isNatted && 'on loopback only' };
  it(`connects ${leastConnected} of ${simultaneousCalls} calls whose tabs open at the same moment`, once, explained(async () => {
    const isUp = () => connections.at(-1)?.connectionState === 'connected';
    const joinAndConnect = async (tab, query) => {
      await tab.visit(query);
      await tab.page.waitForFunction(isUp, null, { timeout: simultaneousMs });
    };
    const tabs = await Promise.all(['a', 'b'].map((home) => world.open(home, { room: world.newRoom() })));
    let connected = 0;
    for (let call = 0; call < simultaneousCalls; call += 1) {
      const room = world.newRoom();
      const ends = await Promise.allSettled(tabs.map((tab, index) =>
        joinAndConnect(tab, { room, role: index === 0 ? 'expert' : 'user' })));
      if (ends.every(({ status }) => status === 'fulfilled')) connected += 1;
    }
    assert.ok(connected >= leastConnected, `${connected} of ${simultaneousCalls} connected`);
  }));
});
