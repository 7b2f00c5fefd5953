// Rooms and calls in one process: the small server, the real client, a fake platform.

import { WebSocket } from 'ws';
import { Call, join } from '../../turnpike.js';
import { next, until } from './events.mjs';
import { FakeConnection, FakeDevices, FakeStream, FakeTrack } from './fake_rtc.mjs';
import { TestServer } from './test_server.mjs';

const quickReconnect = { minMs: 20, maxMs: 100 };

export class World {
  #rooms = [];
  #calls = [];
  server;

  static async begin(options) {
    const world = new World();
    world.server = await TestServer.start(options);
    return world;
  }

  async join(name, options = {}) {
    const room = await join(this.server.url, { room: 'test', name, WebSocket, reconnect: quickReconnect, ...options });
    this.#rooms.push(room);
    return room;
  }

  /** A call, and all connections that it makes, in their order. */
  call(room, options = {}) {
    const devices = new FakeDevices();
    const connections = [];
    class Counted extends FakeConnection {
      constructor(configuration) {
        super(configuration);
        connections.push(this);
      }
    }
    const call = new Call(room, {
      stream: new FakeStream([new FakeTrack('audio', 'mic 1'), new FakeTrack('video', 'cam 1')]),
      RTCPeerConnection: Counted,
      MediaStream: FakeStream,
      mediaDevices: devices,
      statsIntervalMs: 0,
      ...options,
    });
    this.#calls.push(call);
    const channel = (label) => connections.at(-1).channels.find((each) => each.label === label);
    return {
      room, call, connections, devices,
      get filesChannel() { return channel('files'); },
      get chatChannel() { return channel('chat'); },
    };
  }

  /** Joins and calls. */
  async enter(name, options = {}) {
    return this.call(await this.join(name, options.room), options.call);
  }

  /** Two who are connected: `early` was there first, `late` made the offer. */
  async pair(options) {
    const early = await this.enter('early', options);
    const late = await this.enter('late', options);
    await this.connected(early, late);
    return { early, late };
  }

  /** Waits until each of the sides is connected with all others of them. */
  async connected(...sides) {
    for (const { room, call } of sides) {
      const others = () => [...room.peers.values()].filter((peer) => call.stateOf(peer) === 'connected');
      const describe = () => [...room.peers.values()].map((peer) => [peer.name, call.stateOf(peer)]);
      await until(`${room.self.name} to be connected`, () => others().length === sides.length - 1, { describe });
    }
  }

  /** The server is killed and started again on its port; all have joined anew afterwards. */
  async restartServer(options) {
    const { port } = this.server;
    const back = this.#rooms.map((room) => next(room, 'resumed'));
    await this.server.stop();
    this.server = await TestServer.start({ port, ...options });
    await Promise.all(back);
  }

  async end() {
    for (const call of this.#calls) call.close();
    await Promise.all(this.#rooms.map((room) => room.leave()));
    await this.server.stop();
  }
}

/** The one peer that a side has. */
export const peerOf = ({ room }) => [...room.peers.values()][0];

/** How many descriptions the members have sent. */
export const descriptionsSent = (server, type) =>
  server.heard.filter(([, { data }]) => data?.description && (!type || data.description.type === type)).length;

