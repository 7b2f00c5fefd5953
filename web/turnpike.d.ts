/**
 * turnpike-client: rooms and calls over a Turnpike server.
 *
 * - Wherever an event carries `peer`, it is the {@link Peer} object; wherever a method takes a peer,
 *   the object or its `id` will do.
 * - `on()` returns the function that unsubscribes. A listener that throws disturbs nobody else: its
 *   exception is reported (`reportError`) and the others are called all the same.
 * - Every promise rejects with a {@link TurnpikeError}, unless the browser itself refused
 *   (`getUserMedia`, `getDisplayMedia`, `replaceTrack`: then with the browser's DOMException).
 */

// --- Events and errors ---------------------------------------------------------------------------

/** Stops the subscription. Calling it again does nothing. */
export type Unsubscribe = () => void;

/** The base of everything here that has events. */
export declare class Emitter<Events> {
  on<K extends keyof Events>(event: K, listener: (payload: Events[K]) => void): Unsubscribe;
  /** As `on`, for the next event only. */
  once<K extends keyof Events>(event: K, listener: (payload: Events[K]) => void): Unsubscribe;
}

/** What the server calls its errors. Those of the first group are always fatal. */
export type ServerErrorCode =
  | 'unauthorized' | 'token_expired' | 'room_not_found' | 'join_timeout' | 'replaced'
  | 'room_ended' | 'room_full' | 'room_locked' | 'server_busy'
  | 'bad_message' | 'forbidden' | 'too_large' | 'rate_limited'
  | 'peer_not_found' | 'not_joined' | 'already_joined' | 'resume_failed';

/** What this library itself reports. */
export type ClientErrorCode =
  /** The server could not be reached, or refused the connection (wrong URL, origin not allowed). */
  | 'unreachable'
  /** The connection broke before the answer came: whether the request was carried out is unknown. */
  | 'connection_lost'
  /** The room is closed: left, ended, kicked. */
  | 'closed'
  /** The peer is not (or no longer) in the room or in the call. */
  | 'no_such_peer'
  /** A file: declined, cancelled by either side, or other bytes arrived than were sent. */
  | 'declined' | 'cancelled' | 'checksum_mismatch'
  /** The browser lacks something, or there is no such device. */
  | 'unsupported';

export declare class TurnpikeError extends Error {
  readonly name: 'TurnpikeError';
  /** Codes that are not in the list may come from newer servers. */
  readonly code: ServerErrorCode | ClientErrorCode | (string & {});
  /** When it makes sense to try again; null: the server did not say. */
  readonly retryAfterMs: number | null;
  /** The connection or the room ended with it. */
  readonly fatal: boolean;
}

// --- Rooms ---------------------------------------------------------------------------------------

/** Anything that JSON can carry. `undefined` members are left out. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined };
/** At most 4096 bytes as JSON. A `Call` keeps {@link MediaState} in it. */
export type Meta = { [key: string]: Json | undefined };

/** What a `Call` tells the others about its own media, as members of `peer.meta`. */
export interface MediaState {
  mic?: boolean;
  cam?: boolean;
  screen?: boolean;
}

/** Another peer of the room. One live object per peer: its fields change, the object stays. */
export interface Peer {
  /**
   * Names the peer on this client, for as long as it is known here: also when a restarted server
   * calls it by another name. So do not send ids to others; use `from` and `peer` of what arrives.
   */
  readonly id: string;
  /** The order in which peers joined. */
  readonly n: number;
  readonly name: string;
  readonly meta: Meta & MediaState;
  /** Its connection to the server is broken. It may come back; a call goes on meanwhile. */
  readonly away: boolean;
  /** Our role toward it: we yield when offers collide; we make the first offer. */
  readonly polite: boolean;
  readonly offer: boolean;
}

export type PeerRef = Peer | string;

export type Role = 'owner' | 'member' | 'viewer';

export interface Self {
  /** What the server calls us now. */
  readonly id: string;
  readonly n: number;
  /** From the token where it has one, else as asked for in `join`. */
  readonly name: string;
  readonly role: Role;
  readonly meta: Meta & MediaState;
}

export interface IceInfo {
  readonly iceServers: RTCIceServer[];
  /** Milliseconds since 1970. */
  readonly iceExpiresAt: number;
  /** 'relay': the token demands it. */
  readonly iceTransportPolicy: RTCIceTransportPolicy;
}

export interface RoomMessage<T = any> {
  /** The sender's id; "server" for what the operator posted. */
  from: string;
  /** The sender, if it is (still) in the room. */
  peer: Peer | undefined;
  event: string;
  data: T;
  /** Numbers of one room only rise. */
  seq: number;
  /** Milliseconds since 1970, by the server's clock. */
  ts: number;
  /** It was sent to some peers, not to the room. */
  private: boolean;
}

/**
 * Why a room closed: 'left' (we called `leave`), 'room_ended' (an owner, perhaps we, called `end`),
 * 'kicked', 'replaced' (the same user joined elsewhere), 'unreachable' (given up), or the code of
 * another fatal error.
 */
export type ClosedCode = 'left' | 'kicked' | 'unreachable' | ServerErrorCode | (string & {});

export interface RoomEvents {
  'peer-joined': { peer: Peer };
  /** 'timeout': it was away for too long. 'replaced': it joined again from elsewhere. */
  'peer-left': { peer: Peer; reason: 'left' | 'timeout' | 'kicked' | 'replaced' | (string & {}) };
  /** Its `meta` has changed. */
  'peer-updated': { peer: Peer };
  'peer-away': { peer: Peer };
  'peer-back': { peer: Peer };
  message: RoomMessage;
  /** Descriptions and candidates; a `Call` listens to it. */
  signal: { from: string; peer: Peer | undefined; data: any; seq: number };
  /** There are fresh ICE servers. */
  ice: IceInfo;
  /** The connection broke; attempt number `attempt` (from 1) begins in `delayMs`. */
  reconnecting: { attempt: number; delayMs: number; reason: string };
  /**
   * We are back. `rejoined`: what happened meanwhile is lost (the server was restarted, or we were
   * away for too long), the peers have been compared and their events sent.
   */
  resumed: { rejoined: boolean };
  /** The server is about to go; we reconnect by ourselves, to `url` if there is one. */
  goaway: { reason: string; reconnectAfterMs: number; url: string | null };
  /** The room is over for us. Nothing comes after it. */
  closed: { code: ClosedCode; error: TurnpikeError | null };
  /** An error that belongs to no request. */
  error: TurnpikeError;
}

/** Where this library gets its time and chance; for tests. */
export interface Timers {
  setTimeout(callback: () => void, ms: number): any;
  clearTimeout(handle: any): void;
  /** Milliseconds since 1970. */
  now(): number;
  /** From 0 up to 1. */
  random(): number;
}

export interface JoinOptions {
  /** At most 128 bytes. */
  room: string;
  /**
   * The room token, where the server demands one. A function is asked again when the room has to
   * be joined anew (a resumed connection goes on with the old one).
   */
  token?: string | (() => string | Promise<string>);
  name?: string;
  meta?: Meta & MediaState;
  /** How long the first join may take. 15 000 unless given. */
  timeoutMs?: number;
  /** false: a broken connection closes the room ('unreachable'). */
  reconnect?: boolean | {
    /** The first and the longest delay between attempts: 500 and 15 000 unless given. */
    minMs?: number;
    maxMs?: number;
    /** Close the room when nothing helped for so long. Never, unless given. */
    giveUpAfterMs?: number;
  };
  /** Leave when the page goes away, so that the others do not wait for it. true unless given. */
  leaveOnPageHide?: boolean;
  /** In place of the global one: `ws` on Node before 22. */
  WebSocket?: new (url: string, protocols?: string | string[]) => any;
  timers?: Timers;
}

/**
 * Joins a room.
 *
 * @param url `wss://host/v1/ws`
 * Rejects when the server cannot be reached or refuses ('unauthorized', 'room_full', …); it is not
 * tried again: `error.retryAfterMs` says when that makes sense.
 */
export declare function join(url: string | URL, options: JoinOptions): Promise<Room>;

/** A joined room. Broken connections are resumed by themselves; requests wait meanwhile. */
export declare class Room extends Emitter<RoomEvents> implements IceInfo {
  private constructor();
  readonly id: string;
  readonly self: Self;
  /** The others, by id. */
  readonly peers: ReadonlyMap<string, Peer>;
  readonly state: 'joined' | 'reconnecting' | 'closed';
  readonly max: number;
  /** As it was when we joined, or as we set it since. The server does not tell the others. */
  readonly locked: boolean;
  /** What the operator gave the room. */
  readonly meta: Meta;
  readonly iceServers: RTCIceServer[];
  readonly iceExpiresAt: number;
  readonly iceTransportPolicy: RTCIceTransportPolicy;
  readonly limits: { readonly maxMessage: number; readonly perSecond: number };
  readonly server: { readonly version: string; readonly node: string; readonly region: string };

  /**
   * Sends to the room, or to the peers in `to`: to all of them or, if one is unknown, to none
   * ('peer_not_found'). `delivered` counts those who were there; who is away gets it later.
   */
  send(event: string, data?: Json, options?: { to?: PeerRef | PeerRef[] }): Promise<{ delivered: number }>;
  /** To one peer. Kept and sent again until the server has it; lost only if the peer leaves. */
  signal(peer: PeerRef, data: object): Promise<void>;
  /** Replaces our `meta`. */
  update(meta: Meta & MediaState): Promise<void>;
  /** Fresh ICE servers; the event `ice` comes as well. */
  refreshIce(): Promise<IceInfo>;
  /** Tells the server by which way the call to `peer` goes (a `Call` does it). */
  reportPath(peer: PeerRef, path: Omit<CallPath, 'peer'>): Promise<void>;
  /** Owners only, as the two that follow. */
  kick(peer: PeerRef): Promise<void>;
  lock(locked?: boolean): Promise<void>;
  /** Ends the room for all. */
  end(): Promise<void>;
  /** Resolves when the server knows, or cannot be told. */
  leave(): Promise<void>;
}

// --- Calls ---------------------------------------------------------------------------------------

export type CandidateType = 'host' | 'srflx' | 'prflx' | 'relay';

/** The way on which media goes between us and a peer: ICE's selected pair. */
export interface CallPath {
  peer: Peer;
  local: CandidateType;
  remote: CandidateType;
  /** Between the two candidates. */
  protocol: 'udp' | 'tcp';
  /** From us to our relay; null when `local` is not 'relay'. */
  relayProtocol: 'udp' | 'tcp' | 'tls' | null;
  /** null: not measured yet. */
  rttMs: number | null;
}

export type PeerState =
  /** Before it is connected for the first time. */
  | 'connecting'
  | 'connected'
  /** It was connected; ICE is looking for another way. */
  | 'reconnecting'
  /** No way was found. It is tried again when something changes, and `call.restart(peer)` tries at once. */
  | 'failed'
  /** The peer has left, or the call was closed. A connection that begins anew is 'connecting'. */
  | 'closed';

/** One direction of one kind of media. */
export interface MediaFlow {
  /** null until there have been two measurements, here and below. */
  kbps: number | null;
  /** Since the last measurement. Outgoing: as the peer reports it. */
  lossPercent: number | null;
  jitterMs: number | null;
  /** Video only. */
  width: number | null;
  height: number | null;
  framesPerSecond: number | null;
  codec: string | null;
}

export interface PeerStats {
  peer: Peer;
  /** Milliseconds since 1970. */
  at: number;
  path: CallPath | null;
  rttMs: number | null;
  /** All that the path carries, media and data. */
  kbpsIn: number | null;
  kbpsOut: number | null;
  /** What the browser thinks it could send. */
  availableKbpsOut: number | null;
  /** null: there is none. */
  incoming: { audio: MediaFlow | null; video: MediaFlow | null };
  outgoing: { audio: MediaFlow | null; video: MediaFlow | null };
}

export interface LocalState {
  /** There is a microphone and it is on; and so on. */
  mic: boolean;
  cam: boolean;
  screen: boolean;
  /** What a preview should show: microphone, and camera or screen. Stays the same object. */
  stream: MediaStream;
  /** The devices in use; null where there is none or the browser does not say. */
  cameraId: string | null;
  microphoneId: string | null;
}

export interface CallEvents {
  /** Media of a peer is here. Once per peer, and again should a new stream replace it. */
  stream: { peer: Peer; stream: MediaStream };
  state: { peer: Peer; state: PeerState };
  /** The way to a peer is known, or has changed. */
  path: CallPath;
  /** Every `statsIntervalMs`, for each connected peer. */
  stats: PeerStats;
  /** Our own media changed: by a method here, because a device was unplugged, or because the
   *  browser's own button stopped the screen share. */
  local: LocalState;
  /** Something went wrong with one peer; the call goes on. */
  error: { peer: Peer; error: Error };
  closed: {};
}

export interface CallOptions {
  /** What to send: none, audio, video or both; tracks can come later (`switchCamera`). */
  stream?: MediaStream | null;
  /** 'relay': only through the server. What the token demands always holds. */
  iceTransportPolicy?: RTCIceTransportPolicy;
  /** Merged into the RTCConfiguration of each connection. */
  rtcConfiguration?: RTCConfiguration;
  /** Keep `mic`, `cam` and `screen` in our `meta`, for the others to see. true unless given. */
  announceMedia?: boolean;
  /** 2000 unless given; 0: measure only when asked. */
  statsIntervalMs?: number;
  /** In place of the browser's; for tests. */
  RTCPeerConnection?: new (configuration?: RTCConfiguration) => any;
  MediaStream?: new (tracks?: any[]) => any;
  mediaDevices?: any;
  timers?: Timers;
}

/**
 * A call with everybody in the room: one connection to each (a mesh). It follows the room: who
 * joins is called, who leaves is hung up. There is one `Call` to a room at a time.
 */
export declare class Call extends Emitter<CallEvents> {
  constructor(room: Room, options?: CallOptions);
  readonly room: Room;
  readonly chat: Chat;
  readonly files: Files;
  readonly local: LocalState;
  /** The peers' media, by peer id. */
  readonly streams: ReadonlyMap<string, MediaStream>;
  /** 'closed' for who is not in the call. */
  stateOf(peer: PeerRef): PeerState;
  /** The last known way; null before there is one. */
  pathOf(peer: PeerRef): CallPath | null;

  /** On or off. Off sends silence or black; the device stays open. */
  setMic(on: boolean): void;
  setCam(on: boolean): void;
  /** Opens the device (undefined: any) and sends from it. What was sent before is stopped; nothing
   *  is negotiated again. During a screen share the new camera waits for its end. */
  switchCamera(deviceId?: string): Promise<void>;
  switchMicrophone(deviceId?: string): Promise<void>;
  /** Sends the screen in place of the camera. Rejects with NotAllowedError if the user declines. */
  shareScreen(options?: DisplayMediaStreamOptions): Promise<void>;
  /** Back to the camera. Without a share it does nothing. */
  stopScreen(): Promise<void>;

  /** From now on only through the server ('relay'), or by any way ('all'). The connections are made
   *  anew for it, which takes a moment: browsers do not leave a good path for less. What the token
   *  demands always holds. */
  setIceTransportPolicy(policy: RTCIceTransportPolicy): void;
  /** Looks for a new way to one peer, or to all. */
  restart(peer?: PeerRef): void;
  /** Measures now. Rejects with 'no_such_peer'. */
  stats(peer: PeerRef): Promise<PeerStats>;
  /** Hangs up; the room stays joined. The tracks that this call opened itself are stopped, those of
   *  the `stream` that it was given are not. */
  close(): void;
}

// --- Chat ----------------------------------------------------------------------------------------

export interface ChatMessage {
  peer: Peer;
  text: string;
  /** Milliseconds since 1970, by the sender's clock. */
  at: number;
  private: boolean;
}

/** Text to the others: straight to them where a data channel is open, else through the room. */
export declare class Chat extends Emitter<{ message: ChatMessage }> {
  private constructor();
  /** Resolves with how many were reached at once; who is away gets it later. Our own message does
   *  not come back as an event. */
  send(text: string, options?: { to?: PeerRef | PeerRef[] }): Promise<{ delivered: number }>;
}

// --- Files ---------------------------------------------------------------------------------------

export interface Progress {
  /** Bytes. */
  done: number;
  total: number;
}

export type TransferState = 'offered' | 'active' | 'paused' | 'done' | 'failed';

/** A file on its way, in one direction. */
export interface Transfer<Result> {
  readonly id: string;
  readonly peer: Peer;
  readonly name: string;
  readonly size: number;
  readonly type: string;
  /** 'paused': the connection to the peer broke; it goes on where it was when that is back. */
  readonly state: TransferState;
  readonly progress: Progress;
  /** Rejects with 'declined', 'cancelled', 'checksum_mismatch', 'no_such_peer' (it left) or 'closed'
   *  (the call was). */
  readonly done: Promise<Result>;
  /** Ends it on both sides. */
  cancel(): void;
}

export interface FileOffer {
  readonly id: string;
  readonly peer: Peer;
  readonly name: string;
  readonly size: number;
  readonly type: string;
  accept(options?: { onProgress?: (progress: Progress) => void }): Transfer<File>;
  decline(): void;
}

export interface FilesEvents {
  /** A peer wants to send something. Unanswered offers wait. */
  offer: FileOffer;
  /** The sender took an offer back, or left, before it was answered. */
  withdrawn: { id: string; peer: Peer };
}

/** Files from peer to peer; the server never sees them. */
export declare class Files extends Emitter<FilesEvents> {
  private constructor();
  /**
   * Offers a file to one peer and sends it when accepted. `done` resolves once the receiver has
   * all of it and its SHA-256 is right. The name of a Blob is given in the options. Throws
   * 'no_such_peer' at once.
   */
  send(peer: PeerRef, file: File | Blob, options?: {
    name?: string;
    onProgress?: (progress: Progress) => void;
  }): Transfer<void>;
}

// --- Devices -------------------------------------------------------------------------------------

export interface DeviceList {
  cameras: MediaDeviceInfo[];
  microphones: MediaDeviceInfo[];
  speakers: MediaDeviceInfo[];
}

/** The devices there are. Labels are empty until the user has allowed one to be used. */
export declare function listDevices(options?: { mediaDevices?: any }): Promise<DeviceList>;
/** Calls back with the new list whenever a device comes or goes. */
export declare function watchDevices(
  onChange: (devices: DeviceList) => void, options?: { mediaDevices?: any }): Unsubscribe;

export interface OpenMediaOptions {
  /** true: any; a string: that device; false: none. Both are true unless given. */
  camera?: boolean | string;
  microphone?: boolean | string;
  mediaDevices?: any;
}
/**
 * A camera and a microphone; whichever of them is missing or cannot be opened is left out, and a
 * chosen device that is gone is replaced by any. Rejects when nothing could be opened.
 */
export declare function openMedia(options?: OpenMediaOptions): Promise<MediaStream>;

export interface LevelMeter {
  /** The loudness now, from 0 (silence) to 1. */
  readonly level: number;
  stop(): void;
}
/** Measures the loudness of a stream's audio, about 20 times a second; 0 if it has none. */
export declare function levelMeter(stream: MediaStream, onLevel?: (level: number) => void): LevelMeter;
