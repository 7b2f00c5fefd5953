// Everything that turnpike.d.ts declares, used as an application would, under `strict`. Compiled,
// never run: package.test.mjs does it.

import {
  Call, Emitter, join, levelMeter, listDevices, openMedia, Room, TurnpikeError, watchDevices,
} from 'turnpike-client';
import type {
  CallEvents, CallPath, Chat, ChatMessage, ClosedCode, DeviceList, FileOffer, Files, IceInfo, JoinOptions, Json, LevelMeter,
  LocalState, MediaFlow, Peer, PeerState, PeerStats, Progress, Role, RoomEvents, RoomMessage, Timers, Transfer, Unsubscribe,
} from 'turnpike-client';

const timers: Timers = {
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (handle) => clearTimeout(handle),
  now: () => Date.now(),
  random: () => Math.random(),
};

const options: JoinOptions = {
  room: 'demo',
  token: async () => 'eyJ',
  name: 'Mina',
  meta: { hand: false, nested: { list: [1, 'two', null] } },
  timeoutMs: 5000,
  reconnect: { minMs: 500, maxMs: 15_000, giveUpAfterMs: 600_000 },
  leaveOnPageHide: true,
  WebSocket,
  timers,
};

function follow(room: Room): Unsubscribe[] {
  return [
    room.on('peer-joined', ({ peer }) => console.log(peer.id, peer.n, peer.name, peer.meta.mic, peer.away, peer.polite, peer.offer)),
    room.on('peer-left', ({ peer, reason }) => console.log(peer.name, reason === 'kicked')),
    room.on('peer-updated', ({ peer }: RoomEvents['peer-updated']) => console.log(peer.meta.anything)),
    room.on('peer-away', ({ peer }) => console.log(peer)),
    room.on('peer-back', ({ peer }) => console.log(peer)),
    room.on('message', ({ from, peer, event, data, seq, ts, private: isPrivate }: RoomMessage<{ text: string }>) =>
      console.log(from, peer?.name, event, data.text, seq + ts, isPrivate)),
    room.on('signal', ({ from, data }) => console.log(from, data)),
    room.on('ice', ({ iceServers, iceExpiresAt, iceTransportPolicy }: IceInfo) =>
      console.log(iceServers.length, iceExpiresAt, iceTransportPolicy)),
    room.on('reconnecting', ({ attempt, delayMs, reason }) => console.log(attempt + delayMs, reason)),
    room.on('resumed', ({ rejoined }) => console.log(rejoined)),
    room.on('goaway', ({ reason, reconnectAfterMs, url }) => console.log(reason, reconnectAfterMs, url?.length)),
    room.once('closed', ({ code, error }) => console.log(code satisfies ClosedCode, error?.code)),
    room.on('error', (error: TurnpikeError) => console.log(error.code, error.retryAfterMs, error.fatal)),
  ];
}

async function useRoom(room: Room): Promise<void> {
  const role: Role = room.self.role;
  const state: 'joined' | 'reconnecting' | 'closed' = room.state;
  console.log(room.id, room.max, room.locked, room.meta, room.limits.maxMessage, room.server.version, role, state);
  const peers: Peer[] = [...room.peers.values()];
  const data: Json = { text: 'hi' };
  const { delivered } = await room.send('chat', data, { to: peers });
  await room.send('ping', null, { to: 'p_1' });
  await room.signal(peers[0], { any: delivered });
  await room.update({ ...room.self.meta, hand: true });
  const ice: IceInfo = await room.refreshIce();
  await room.reportPath('p_1', { local: 'relay', remote: 'host', protocol: 'udp', relayProtocol: 'tls', rttMs: null });
  await room.kick('p_1');
  await room.lock();
  await room.lock(false);
  await room.end();
  await room.leave();
  console.log(ice.iceServers);
}

async function useCall(room: Room): Promise<void> {
  const stream: MediaStream = await openMedia({ camera: 'id', microphone: true });
  const call = new Call(room, {
    stream, iceTransportPolicy: 'relay', rtcConfiguration: { bundlePolicy: 'max-bundle' }, announceMedia: true, statsIntervalMs: 1000,
    RTCPeerConnection, MediaStream, mediaDevices: navigator.mediaDevices, timers,
  });
  const emitter: Emitter<CallEvents> = call;
  emitter.on('closed', () => {});
  call.on('stream', ({ peer, stream: theirs }) => console.log(peer.name, theirs.getTracks()));
  call.on('state', ({ peer, state }) => console.log(peer.name, state satisfies PeerState));
  call.on('path', (path: CallPath) => console.log(path.peer, path.local === 'relay', path.remote, path.protocol, path.relayProtocol, path.rttMs));
  call.on('stats', (stats: PeerStats) => console.log(stats.kbpsIn, stats.incoming.video?.lossPercent));
  call.on('local', (local: LocalState) => console.log(local.mic, local.cam, local.screen, local.stream.id, local.cameraId));
  call.on('error', ({ peer, error }) => console.log(peer.name, error.message));
  call.setMic(false);
  call.setCam(true);
  await call.switchCamera();
  await call.switchMicrophone('id');
  await call.shareScreen({ video: true });
  await call.stopScreen();
  call.setIceTransportPolicy('all');
  call.restart();
  call.restart('p_1');
  const flow: MediaFlow | null = (await call.stats('p_1')).outgoing.audio;
  console.log(call.room === room, call.streams.get('p_1'), call.stateOf('p_1'), call.pathOf('p_1')?.rttMs, flow?.kbps, call.local.cam);
  useChat(call.chat);
  await useFiles(call.files);
  call.close();
}

async function useChat(chat: Chat): Promise<void> {
  chat.on('message', ({ peer, text, at, private: isPrivate }: ChatMessage) => console.log(peer.name, text, at, isPrivate));
  const { delivered } = await chat.send('hi', { to: ['p_1'] });
  console.log(delivered);
}

async function useFiles(files: Files): Promise<void> {
  const onProgress = ({ done, total }: Progress): void => console.log(done / total);
  files.on('offer', async (offer: FileOffer) => {
    if (offer.size > 1e9) return offer.decline();
    const incoming: Transfer<File> = offer.accept({ onProgress });
    console.log(URL.createObjectURL(await incoming.done), offer.id, offer.peer, offer.name, offer.type);
  });
  files.on('withdrawn', ({ id, peer }) => console.log(id, peer.name));
  const outgoing: Transfer<void> = files.send('p_1', new Blob(['x']), { name: 'x.txt', onProgress });
  console.log(outgoing.id, outgoing.peer, outgoing.name, outgoing.size, outgoing.type, outgoing.state, outgoing.progress.total);
  outgoing.cancel();
  await outgoing.done;
}

async function useDevices(stream: MediaStream): Promise<void> {
  const list: DeviceList = await listDevices();
  const stop: Unsubscribe = watchDevices(({ cameras, microphones, speakers }) => console.log(cameras, microphones, speakers));
  const meter: LevelMeter = levelMeter(stream, (level) => console.log(level));
  console.log(list, meter.level);
  meter.stop();
  stop();
}

export async function main(): Promise<void> {
  try {
    const room = await join(new URL('wss://turn.example.com/v1/ws'), options);
    for (const stop of follow(room)) stop();
    await useCall(room);
    await useDevices(new MediaStream());
    await useRoom(room);
  } catch (error) {
    if (error instanceof TurnpikeError && error.code === 'room_full') console.log(error.retryAfterMs);
  }
}

// What must not compile:
declare const room: Room;
declare const call: Call;
// @ts-expect-error there is no such event
room.on('peer-jioned', () => {});
// @ts-expect-error rooms come from join()
new Room();
// @ts-expect-error a room needs a name
join('wss://host/v1/ws', {});
// @ts-expect-error ids and peers are no numbers
call.stats(1);
// @ts-expect-error what is known about a room is not the application's to change
room.id = 'other';
