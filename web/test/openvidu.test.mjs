// compat/openvidu-browser.js, used as the tutorials use it. The page and the platform are fakes, the
// rest is real. The tutorial's own page in a browser: tests/e2e/client_openvidu.test.mjs.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { until } from './lib/events.mjs';
import { FakeElement, installPage } from './lib/fake_page.mjs';
import { FakeTrack } from './lib/fake_rtc.mjs';
import { TestServer } from './lib/test_server.mjs';

const script = new URL('../compat/openvidu-browser.js', import.meta.url);
const page = installPage(script.href);
(0, eval)(await readFile(script, 'utf8')); // as a classic script is run
const { OpenVidu } = globalThis;

let server;
let members;
beforeEach(async () => {
  server = await TestServer.start();
  members = [];
  page.errors.length = 0;
});
afterEach(async () => {
  for (const { session } of members) session.disconnect();
  await server.stop();
  assert.deepEqual(page.errors, []);
});

/** As POST /api/sessions/…/connections answers. */
const makeToken = () => `ws://127.0.0.1:${server.port}/v1/ws?sessionId=SessionA&room=openvidu-SessionA`;

const nameOf = ({ data }) => (data ? JSON.parse(data).clientData : null);

/** A page with a session: its events, and where it shows its own picture and those of others. */
class Member {
  events = [];
  subscribers = new Map();
  own = new FakeElement();
  others = new FakeElement();

  constructor(name) {
    this.name = name;
    this.OV = new OpenVidu();
    this.session = this.OV.initSession();
    this.session.on('streamCreated', ({ stream }) => {
      const subscriber = this.session.subscribe(stream, this.others);
      this.subscribers.set(nameOf(stream.connection), subscriber);
      subscriber.on('videoElementCreated', ({ element }) => this.events.push(['videoElementCreated', element.id]));
    });
    for (const event of ['streamCreated', 'streamDestroyed', 'streamPropertyChanged']) {
      this.session.on(event, ({ stream, reason, changedProperty, newValue }) =>
        this.events.push([event, nameOf(stream.connection), changedProperty ?? reason, newValue]));
    }
    for (const event of ['connectionCreated', 'connectionDestroyed']) {
      this.session.on(event, ({ connection, reason }) => this.events.push([event, nameOf(connection), reason]));
    }
    this.session.on('signal:chat', ({ from, data, type }) => this.events.push([type, nameOf(from), data]));
    this.session.on('sessionDisconnected', ({ reason }) => this.events.push(['sessionDisconnected', reason]));
  }

  connect() {
    return this.session.connect(makeToken(), { clientData: this.name });
  }

  async publish(properties) {
    this.publisher = this.OV.initPublisher(this.own, properties);
    await this.session.publish(this.publisher);
  }

  named(event) {
    return this.events.filter(([name]) => name === event);
  }

  until(...wanted) {
    const isWanted = (event) => wanted.every((part, index) => event[index] === part);
    return until(`${wanted} at ${this.name}`, () => this.events.some(isWanted), { describe: () => this.events });
  }

  /** Waits until it shows these members, and has their media. */
  untilSees(...names) {
    const shown = () => this.others.children.filter(({ srcObject }) => srcObject).length;
    return until(`${this.name} to see ${names}`, () => shown() === names.length
      && names.every((name) => this.subscribers.get(name)?.stream.getMediaStream()), { describe: () => this.events });
  }
}

function open(name) {
  members.push(new Member(name));
  return members.at(-1);
}

async function enter(name, properties) {
  const member = open(name);
  await member.connect();
  await member.publish(properties);
  return member;
}

async function enterAll(...names) {
  const all = [];
  for (const name of names) all.push(await enter(name));
  for (const member of all) await member.untilSees(...names.filter((name) => name !== member.name));
  return all;
}

describe('A session', () => {
  it('shows three members two streams each, and takes those of one who leaves away', async () => {
    const [mina, jun, sol] = await enterAll('Mina', 'Jun', 'Sol');
    assert.deepEqual(sol.named('streamCreated').map(([, name]) => name).sort(), ['Jun', 'Mina']);
    assert.match(mina.named('videoElementCreated')[0][1], /^remote-video-str_CAM_\d+$/);
    assert.equal(mina.own.children[0].id, `local-video-${mina.publisher.stream.streamId}`);
    assert.equal(mina.own.children[0].muted, true);
    assert.equal(mina.others.children[0].muted, false);

    jun.session.disconnect();
    for (const member of [mina, sol]) {
      await member.until('streamDestroyed', 'Jun', 'disconnect');
      await member.until('connectionDestroyed', 'Jun', 'disconnect');
      assert.equal(member.others.children.length, 1);
    }
    assert.deepEqual([jun.own.children, jun.others.children], [[], []]);
    assert.ok(jun.publisher.stream.getMediaStream().getTracks().every(({ readyState }) => readyState === 'ended'));
    assert.deepEqual(jun.named('sessionDisconnected'), [['sessionDisconnected', 'disconnect']]);
  });

  it('tells who is there, also of those who do not publish', async () => {
    const mina = await enter('Mina');
    const watcher = open('Watcher');
    await watcher.connect();
    assert.equal(watcher.session.sessionId, 'SessionA');
    assert.deepEqual(watcher.named('connectionCreated').map(([, name]) => name), ['Watcher', 'Mina']);
    await watcher.untilSees('Mina');
    await mina.until('connectionCreated', 'Watcher');
    assert.deepEqual(mina.named('streamCreated'), []);
  });

  it('carries signals to all, the sender too, or to some', async () => {
    const [mina, jun, sol] = await enterAll('Mina', 'Jun', 'Sol');
    await mina.session.signal({ type: 'chat', data: 'to all' });
    for (const member of members) await member.until('signal:chat', 'Mina', 'to all');
    await jun.session.signal({ type: 'signal:chat', data: 'to Sol', to: [jun.subscribers.get('Sol').stream.connection] });
    await sol.until('signal:chat', 'Jun', 'to Sol');
    await jun.session.signal({ type: 'chat', data: 'to itself', to: [jun.session.connection] });
    await jun.until('signal:chat', 'Jun', 'to itself');
    await jun.session.signal({ type: 'chat', data: 'last' });
    await mina.until('signal:chat', 'Jun', 'last');
    assert.equal(mina.named('signal:chat').length, 2);
  });

  it('leaves videos alone where the page says so', async () => {
    const [mina, jun] = await enterAll('Mina', 'Jun');
    mina.session.on('streamDestroyed', (event) => event.preventDefault());
    jun.session.disconnect();
    await mina.until('streamDestroyed', 'Jun');
    assert.equal(mina.others.children.length, 1);
    mina.others.children[0].remove();
  });

  it('says when the server has ended it', async () => {
    const [mina] = await enterAll('Mina', 'Jun');
    await mina.session.signal({ data: 'nobody listens for this' });
    const room = server.heard.find(([{ name }]) => name !== undefined)[0].room;
    for (const { socket } of room.members) socket.send(JSON.stringify({ type: 'closed', code: 'room_ended' }));
    await mina.until('sessionDisconnected', 'forceDisconnectByServer');
    assert.deepEqual(mina.own.children, []);
  });

  it('rejects what is no token, and a server that is not there', async () => {
    const { session } = open('Mina');
    await assert.rejects(session.connect('nonsense'), { name: 'TypeError' });
    await assert.rejects(session.connect('ws://127.0.0.1:1/v1/ws?sessionId=a&room=a'), { name: 'unreachable' });
  });
});

describe('A publisher', () => {
  it('turns audio and video off and on, and the others are told', async () => {
    const [mina, jun] = await enterAll('Mina', 'Jun');
    mina.publisher.publishVideo(false);
    await jun.until('streamPropertyChanged', 'Mina', 'videoActive', false);
    const [audio, video] = mina.publisher.stream.getMediaStream().getTracks();
    assert.deepEqual([audio.enabled, video.enabled], [true, false]);
    mina.publisher.publishVideo(true);
    mina.publisher.publishAudio(false);
    await jun.until('streamPropertyChanged', 'Mina', 'videoActive', true);
    await jun.until('streamPropertyChanged', 'Mina', 'audioActive', false);
    assert.deepEqual([audio.enabled, video.enabled], [false, true]);
  });

  it('begins with what it was told to', async () => {
    const [mina, jun] = [await enter('Mina', { publishAudio: false, videoSource: 'cam 2', mirror: false }), await enter('Jun')];
    await jun.untilSees('Mina');
    const { stream } = jun.subscribers.get('Mina');
    assert.deepEqual([stream.audioActive, stream.videoActive, stream.hasAudio, stream.typeOfVideo], [false, true, true, 'CAMERA']);
    const [audio, video] = mina.publisher.stream.getMediaStream().getTracks();
    assert.deepEqual([audio.enabled, video.deviceId], [false, 'cam 2']);
    assert.equal(mina.own.children[0].style.transform, undefined);
  });

  it('sends another track in place of one, which is stopped', async () => {
    const [mina, jun] = await enterAll('Mina', 'Jun');
    const before = mina.publisher.stream.getMediaStream().getVideoTracks()[0];
    const other = new FakeTrack('video', 'canvas');
    await mina.publisher.replaceTrack(other);
    assert.deepEqual(mina.publisher.stream.getMediaStream().getVideoTracks(), [other]);
    assert.deepEqual([before.readyState, other.readyState], ['ended', 'live']);
    assert.deepEqual(jun.named('streamDestroyed'), []);
  });

  it('is ended by unpublish, and another one may come', async () => {
    const [mina, jun] = await enterAll('Mina', 'Jun');
    const first = mina.publisher;
    await mina.session.unpublish(first);
    await jun.until('streamDestroyed', 'Mina', 'unpublish');
    assert.deepEqual([jun.others.children, mina.own.children], [[], []]);
    assert.ok(first.stream.getMediaStream().getTracks().every(({ readyState }) => readyState === 'ended'));
    await mina.publish({});
    await jun.untilSees('Mina');
    assert.deepEqual(jun.named('connectionDestroyed'), []);
  });

  it('shares the screen', async () => {
    const mina = await enter('Mina', { videoSource: 'screen', audioSource: false });
    assert.equal(mina.publisher.stream.typeOfVideo, 'SCREEN');
    assert.deepEqual(mina.publisher.stream.getMediaStream().getTracks().map(({ deviceId }) => deviceId), ['screen']);
  });

  it('says when the devices are denied', async (t) => {
    const mina = open('Mina');
    page.devices.fail = () => {
      throw Object.assign(new Error('no'), { name: 'NotAllowedError' });
    };
    t.after(() => {
      page.devices.fail = () => {};
    });
    await mina.connect();
    const error = await new Promise((resolve) => mina.OV.initPublisher(mina.own, {}, resolve));
    assert.equal(error.name, 'DEVICE_ACCESS_DENIED');
    await assert.rejects(mina.publish(), { name: 'DEVICE_ACCESS_DENIED' });
  });

  it('needs a connected session, and an element that is there', async () => {
    const mina = open('Mina');
    await assert.rejects(mina.publish(), { name: 'OPENVIDU_NOT_CONNECTED' });
    await assert.rejects(mina.OV.initPublisherAsync('nowhere'), { name: 'NO_VIDEO_ELEMENT' });
  });

  it('is shown where it should be', async () => {
    const place = new FakeElement();
    const holder = new FakeElement();
    holder.append(place);
    page.elements.set('publisher', place);
    const OV = new OpenVidu();
    for (const insertMode of ['BEFORE', 'AFTER', 'PREPEND', 'APPEND', 'REPLACE']) {
      await OV.initPublisherAsync('publisher', { insertMode });
    }
    assert.deepEqual([holder.children.length, place.children.length, place.parent], [3, 2, null]);
  });
});

it('lists cameras and microphones', async () => {
  const kinds = (await new OpenVidu().getDevices()).map(({ kind }) => kind);
  assert.deepEqual(kinds, ['videoinput', 'audioinput', 'videoinput']);
});

it('listeners may come off, and one that throws disturbs no other', async () => {
  const session = new OpenVidu().initSession();
  const heard = [];
  const listener = () => heard.push('off');
  session.on('x', listener).off('x', listener);
  session.once('x', () => heard.push('once'));
  session.on('x', () => {
    throw new Error('from the page');
  });
  session.on('x', () => heard.push('on'));
  session.emitEvent('x');
  session.emitEvent('x');
  assert.deepEqual(heard, ['once', 'on', 'on']);
  assert.deepEqual(page.errors.splice(0).map(({ message }) => message), ['from the page', 'from the page']);
});
