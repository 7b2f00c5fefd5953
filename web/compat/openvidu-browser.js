// The interface of openvidu-browser 2.x over Turnpike's rooms and a mesh in place of an SFU: what
// tutorials and small applications use of it. A classic script, that defines `OpenVidu`.
//
// Each member keeps in its meta what others learn of it: { ov: { data, stream } }, where `data` is
// what it passed to connect() and `stream` what it publishes, or null. The media is turnpike.js's.

(() => {
  const library = new URL('../turnpike.js', document.currentScript.src);
  let loading;
  const loadTurnpike = () => (loading ??= import(library));

  const signalEvent = 'openvidu-signal';
  const randomId = (prefix) => prefix + crypto.getRandomValues(new Uint32Array(2)).join('');

  class OpenViduError extends Error {
    constructor(name, message, code = 0) {
      super(message);
      Object.assign(this, { name, code });
    }
  }

  // --- Events ------------------------------------------------------------------------------------

  class OpenViduEvent {
    #isPrevented = false;

    constructor(type, target, fields) {
      Object.assign(this, { type, target, cancelable: true }, fields);
    }

    preventDefault() {
      this.#isPrevented = true;
    }

    isDefaultPrevented() {
      return this.#isPrevented;
    }
  }

  class EventDispatcher {
    #listeners = new Map();

    on(type, listener) {
      this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), { listener }]);
      return this;
    }

    once(type, listener) {
      const once = (event) => {
        this.off(type, listener);
        listener(event);
      };
      this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), { listener, once }]);
      return this;
    }

    /** Without a listener: all of them. */
    off(type, listener) {
      const rest = (this.#listeners.get(type) ?? []).filter((entry) => listener && entry.listener !== listener);
      this.#listeners.set(type, rest);
      return this;
    }

    /** Internal: tells the listeners, of whom one that throws disturbs no other. */
    emitEvent(type, fields = {}) {
      const event = new OpenViduEvent(type, this, fields);
      for (const { listener, once = listener } of this.#listeners.get(type) ?? []) {
        try {
          once(event);
        } catch (error) {
          reportError(error);
        }
      }
      return event;
    }
  }

  // --- What there is in a session ----------------------------------------------------------------

  class Connection {
    creationTime = Date.now();
    stream = undefined;

    constructor(session, connectionId, data) {
      Object.assign(this, { session, connectionId, data });
    }
  }

  class Stream {
    creationTime = Date.now();
    streamManager = undefined;
    #media = null;

    /** @param properties what its publisher tells: streamId, hasAudio, audioActive, … */
    constructor(connection, properties) {
      this.connection = connection;
      Object.assign(this, properties);
    }

    getMediaStream() {
      return this.#media;
    }

    /** Internal. */
    setMediaStream(media) {
      this.#media = media;
      for (const { video } of this.streamManager?.videos ?? []) video.srcObject = media;
    }
  }

  const insertions = { APPEND: 'append', PREPEND: 'prepend', BEFORE: 'before', AFTER: 'after', REPLACE: 'replaceWith' };

  const elementOf = (target) => {
    const element = typeof target === 'string' ? document.getElementById(target) : target;
    if (target && !element) throw new OpenViduError('NO_VIDEO_ELEMENT', `there is no element "${target}"`);
    return element;
  };

  /** A stream of ours or of others, and the elements that show it. */
  class StreamManager extends EventDispatcher {
    videos = [];

    constructor(stream, isRemote) {
      super();
      Object.assign(this, { stream, remote: isRemote });
      stream.streamManager = this;
    }

    get id() {
      return this.videos[0]?.id ?? '';
    }

    createVideoElement(target, insertMode = 'APPEND') {
      const video = document.createElement('video');
      video.id = `${this.remote ? 'remote' : 'local'}-video-${this.stream.streamId}`;
      elementOf(target)[insertions[insertMode]](video);
      this.#show(video, true);
      this.emitEvent('videoElementCreated', { element: video });
      return video;
    }

    /** Shows the stream in an element of the application's. */
    addVideoElement(video) {
      this.#show(video, false);
      return 1;
    }

    #show(video, isOurs) {
      Object.assign(video, { autoplay: true, playsInline: true, controls: false });
      video.muted = !this.remote;
      if (this.isMirrored) video.style.transform = 'rotateY(180deg)';
      video.srcObject = this.stream.getMediaStream();
      video.addEventListener('playing', () => {
        this.emitEvent('videoPlaying', { element: video });
        this.emitEvent('streamPlaying');
      }, { once: true });
      this.videos.push({ video, isOurs });
    }

    /** Internal: those that the application made itself only go dark. */
    removeVideos() {
      for (const { video, isOurs } of this.videos.splice(0)) {
        video.srcObject = null;
        if (!isOurs) continue;
        video.remove();
        this.emitEvent('videoElementDestroyed', { element: video });
      }
    }
  }

  class Subscriber extends StreamManager {
    constructor(stream) {
      super(stream, true);
    }

    subscribeToAudio(isWanted) {
      for (const track of this.stream.getMediaStream()?.getAudioTracks() ?? []) track.enabled = isWanted;
      return this;
    }

    subscribeToVideo(isWanted) {
      for (const track of this.stream.getMediaStream()?.getVideoTracks() ?? []) track.enabled = isWanted;
      return this;
    }
  }

  // --- Our own media -----------------------------------------------------------------------------

  const isTrack = (source) => source instanceof MediaStreamTrack;

  function constraintsFor({ audioSource, videoSource, resolution = '640x480', frameRate }) {
    const device = (source) => (typeof source === 'string' ? { deviceId: { exact: source } } : {});
    const [width, height] = resolution.split('x').map(Number);
    const picture = { ...device(videoSource), width: { ideal: width }, height: { ideal: height } };
    if (frameRate) picture.frameRate = { ideal: frameRate };
    const wants = (source) => source !== null && source !== false && !isTrack(source);
    return { audio: wants(audioSource) && device(audioSource), video: wants(videoSource) && picture };
  }

  /** Devices, the screen, tracks of the application's: all that `properties` ask for. */
  async function openMedia(properties) {
    const media = new MediaStream([properties.audioSource, properties.videoSource].filter(isTrack));
    const constraints = constraintsFor(properties);
    if (properties.videoSource === 'screen') {
      constraints.video = false;
      const screen = await navigator.mediaDevices.getDisplayMedia({ video: true });
      media.addTrack(screen.getVideoTracks()[0]);
    }
    if (constraints.audio || constraints.video) {
      const opened = await navigator.mediaDevices.getUserMedia(constraints);
      for (const track of opened.getTracks()) media.addTrack(track);
    }
    return media;
  }

  const accessErrors = { NotAllowedError: 'DEVICE_ACCESS_DENIED', NotFoundError: 'INPUT_VIDEO_DEVICE_NOT_FOUND' };

  class Publisher extends StreamManager {
    accessAllowed = false;
    session = undefined;

    constructor(target, properties) {
      const { publishAudio = true, publishVideo = true, videoSource, mirror = true } = properties;
      const typeOfVideo = videoSource === 'screen' ? 'SCREEN' : isTrack(videoSource) ? 'CUSTOM' : 'CAMERA';
      const streamId = randomId(`str_${typeOfVideo === 'CAMERA' ? 'CAM' : typeOfVideo}_`);
      super(new Stream(undefined, { streamId, typeOfVideo, audioActive: publishAudio, videoActive: publishVideo }), false);
      this.isMirrored = mirror && typeOfVideo === 'CAMERA';
      this.ready = this.#open(target, properties);
      this.ready.catch(() => {}); // publish() and the callback of initPublisher() report it
    }

    async #open(target, properties) {
      const place = elementOf(target);
      try {
        const media = await openMedia(properties);
        this.stream.setMediaStream(media);
      } catch (error) {
        this.emitEvent('accessDenied');
        throw new OpenViduError(accessErrors[error.name] ?? 'GENERIC_ERROR', error.message);
      }
      this.accessAllowed = true;
      this.stream.hasAudio = this.#track('audio') !== undefined;
      this.stream.hasVideo = this.#track('video') !== undefined;
      this.#turn('audio', this.stream.audioActive);
      this.#turn('video', this.stream.videoActive);
      this.emitEvent('accessAllowed');
      if (place) this.createVideoElement(place, properties.insertMode);
    }

    publishAudio(isOn) {
      this.#change('audio', isOn);
    }

    publishVideo(isOn) {
      this.#change('video', isOn);
      return Promise.resolve();
    }

    /** Sends another track of the same kind, without a negotiation. The one before is stopped. */
    async replaceTrack(track) {
      const media = this.stream.getMediaStream();
      const before = this.#track(track.kind);
      if (before === track) return;
      media.addTrack(track);
      if (before) media.removeTrack(before);
      this.#turn(track.kind, this.stream[`${track.kind}Active`]);
      if (this.session) await this.session.sendTrack(track);
      before?.stop();
    }

    #change(kind, isOn) {
      this.stream[`${kind}Active`] = isOn;
      this.#turn(kind, isOn);
      this.session?.announce();
    }

    #turn(kind, isOn) {
      const track = this.#track(kind);
      if (track) track.enabled = isOn;
    }

    #track(kind) {
      return this.stream.getMediaStream()?.getTracks().find((track) => track.kind === kind);
    }

    /** Internal: what others learn of it. */
    describe() {
      const { streamId, typeOfVideo, hasAudio, hasVideo, audioActive, videoActive } = this.stream;
      return { streamId, typeOfVideo, hasAudio, hasVideo, audioActive, videoActive };
    }

    /** Internal: it is over for good, and its devices are let go. */
    dispose(reason) {
      this.session = undefined;
      const event = this.emitEvent('streamDestroyed', { stream: this.stream, reason });
      for (const track of this.stream.getMediaStream()?.getTracks() ?? []) track.stop();
      if (!event.isDefaultPrevented()) this.removeVideos();
    }
  }

  // --- Sessions ----------------------------------------------------------------------------------

  /** `wss://host/v1/ws?sessionId=…&room=…&token=…`, as POST …/connections answers. */
  function readToken(text) {
    const url = new URL(text);
    const [sessionId, room, token] = ['sessionId', 'room', 'token'].map((name) => url.searchParams.get(name));
    url.search = '';
    // The server does not know what is in front of it; who gave us this script used the right one.
    if (url.host === library.host) url.protocol = library.protocol === 'https:' ? 'wss:' : 'ws:';
    return { url: url.href, sessionId, room: room ?? sessionId, token: token ?? undefined };
  }

  const metadataText = (metadata) => (typeof metadata === 'string' ? metadata : JSON.stringify(metadata ?? ''));

  class Session extends EventDispatcher {
    connection = undefined;
    sessionId = undefined;
    capabilities = { subscribe: 1, publish: 1, forceUnpublish: 0, forceDisconnect: 0 };
    remoteConnections = new Map();
    #room;
    #call;
    #publisher;
    #nextTrack;

    async connect(token, metadata) {
      const { url, sessionId, room, token: roomToken } = readToken(token);
      const turnpike = await loadTurnpike();
      const data = metadata === undefined ? '' : metadataText(metadata);
      try {
        this.#room = await turnpike.join(url, { room, token: roomToken, meta: { ov: { data, stream: null } } });
      } catch (error) {
        throw new OpenViduError(error.code, error.message);
      }
      this.sessionId = sessionId;
      this.connection = new Connection(this, this.#room.self.id, data);
      this.#call = new turnpike.Call(this.#room, {
        announceMedia: false, statsIntervalMs: 0, mediaDevices: { getUserMedia: async () => new MediaStream([this.#nextTrack]) },
      });
      this.#listen();
      this.emitEvent('connectionCreated', { connection: this.connection });
      for (const peer of this.#room.peers.values()) this.#onPeer(peer);
    }

    async publish(publisher) {
      await publisher.ready;
      if (!this.#room) throw new OpenViduError('OPENVIDU_NOT_CONNECTED', 'connect the session first');
      if (this.#publisher) throw new OpenViduError('GENERIC_ERROR', 'there is a publisher in this session');
      this.#publisher = publisher;
      publisher.session = this;
      publisher.stream.connection = this.connection;
      this.connection.stream = publisher.stream;
      for (const track of publisher.stream.getMediaStream().getTracks()) await this.sendTrack(track);
      await this.announce();
      publisher.emitEvent('streamCreated', { stream: publisher.stream });
    }

    async unpublish(publisher) {
      if (publisher !== this.#publisher) return;
      this.#publisher = undefined;
      this.connection.stream = undefined;
      // As a call takes it when a device is unplugged: nothing is sent any more.
      for (const track of publisher.stream.getMediaStream().getTracks()) track.dispatchEvent(new Event('ended'));
      publisher.dispose('unpublish');
      await this.announce();
    }

    subscribe(stream, target, properties = {}, completionHandler = undefined) {
      const subscriber = new Subscriber(stream);
      if (properties?.subscribeToAudio === false) subscriber.subscribeToAudio(false);
      if (properties?.subscribeToVideo === false) subscriber.subscribeToVideo(false);
      const place = elementOf(target);
      // Later, so that who subscribes can listen before anything happens.
      queueMicrotask(() => {
        if (place && stream.streamManager === subscriber) subscriber.createVideoElement(place, properties?.insertMode);
        completionHandler?.();
      });
      return subscriber;
    }

    async subscribeAsync(stream, target, properties) {
      return this.subscribe(stream, target, properties);
    }

    async unsubscribe(subscriber) {
      subscriber.removeVideos();
      subscriber.stream.streamManager = undefined;
    }

    /** Without `to` to everybody, and that is also us. */
    async signal({ data = '', type = '', to = [] }) {
      if (!this.#room) throw new OpenViduError('OPENVIDU_NOT_CONNECTED', 'connect the session first');
      const ids = to.map((connection) => connection.connectionId);
      const others = ids.filter((id) => id !== this.connection.connectionId);
      if (ids.length === 0) await this.#room.send(signalEvent, { type, data });
      else if (others.length > 0) await this.#room.send(signalEvent, { type, data }, { to: others });
      if (ids.length === 0 || others.length < ids.length) this.#onSignal(this.connection, { type, data });
    }

    disconnect() {
      this.#end('disconnect');
    }

    // --- for publishers ---

    /** Sends `track` in place of the one of its kind. */
    async sendTrack(track) {
      const { enabled } = track;
      this.#nextTrack = track;
      if (track.kind === 'audio') await this.#call.switchMicrophone();
      else await this.#call.switchCamera();
      track.enabled = enabled;
    }

    announce() {
      const { data } = this.connection;
      return this.#room.update({ ov: { data, stream: this.#publisher?.describe() ?? null } });
    }

    // --- what happens in the room ---

    #listen() {
      const room = this.#room;
      room.on('peer-joined', ({ peer }) => this.#onPeer(peer));
      room.on('peer-updated', ({ peer }) => this.#onPeer(peer));
      room.on('peer-left', ({ peer, reason }) => this.#onLeft(peer, reason === 'left' ? 'disconnect' : 'networkDisconnect'));
      room.on('message', ({ peer, event, data }) => {
        if (event === signalEvent) this.#onSignal(peer && this.remoteConnections.get(peer.id), data);
      });
      room.on('reconnecting', () => this.emitEvent('reconnecting'));
      room.on('resumed', () => this.emitEvent('reconnected'));
      room.on('closed', ({ code }) => this.#end(code === 'unreachable' ? 'networkDisconnect' : 'forceDisconnectByServer'));
      this.#call.on('stream', ({ peer, stream }) => {
        this.remoteConnections.get(peer.id)?.stream?.setMediaStream(stream);
      });
      this.#call.on('state', ({ peer, state }) => {
        if (state === 'failed') this.#raise('ICE_CONNECTION_FAILED', peer, `no way to ${peer.id}`);
      });
      this.#call.on('error', ({ peer, error }) => this.#raise('GENERIC_ERROR', peer, error.message));
    }

    #raise(name, peer, message) {
      this.emitEvent('exception', { name, message, origin: this.remoteConnections.get(peer.id)?.stream ?? this });
    }

    /** It came, or says something else of itself than before. */
    #onPeer(peer) {
      const { data = '', stream: told = null } = peer.meta.ov ?? {};
      let connection = this.remoteConnections.get(peer.id);
      if (!connection) {
        connection = new Connection(this, peer.id, data);
        this.remoteConnections.set(peer.id, connection);
        this.emitEvent('connectionCreated', { connection });
      }
      if (connection.stream && connection.stream.streamId !== told?.streamId) this.#dropStream(connection, 'unpublish');
      if (told && !connection.stream) {
        connection.stream = new Stream(connection, told);
        connection.stream.setMediaStream(this.#call.streams.get(peer.id) ?? null);
        this.emitEvent('streamCreated', { stream: connection.stream });
      } else if (told) {
        this.#compare(connection.stream, told);
      }
    }

    #compare(stream, told) {
      for (const changedProperty of ['audioActive', 'videoActive']) {
        const [oldValue, newValue] = [stream[changedProperty], told[changedProperty]];
        if (oldValue === newValue) continue;
        stream[changedProperty] = newValue;
        const change = { stream, changedProperty, oldValue, newValue, reason: 'trackEnabled' };
        this.emitEvent('streamPropertyChanged', change);
        stream.streamManager?.emitEvent('streamPropertyChanged', change);
      }
    }

    #onLeft(peer, reason) {
      const connection = this.remoteConnections.get(peer.id);
      if (!connection) return;
      this.#dropStream(connection, reason);
      this.remoteConnections.delete(peer.id);
      this.emitEvent('connectionDestroyed', { connection, reason });
    }

    #dropStream(connection, reason) {
      const { stream } = connection;
      if (!stream) return;
      connection.stream = undefined;
      const event = this.emitEvent('streamDestroyed', { stream, reason });
      if (!event.isDefaultPrevented()) stream.streamManager?.removeVideos();
    }

    #onSignal(from, { type = '', data = '' }) {
      const name = type.replace(/^signal:/, '');
      const fields = { data, from };
      if (name) this.emitEvent(`signal:${name}`, { ...fields, type: `signal:${name}` });
      this.emitEvent('signal', { ...fields, type: name ? `signal:${name}` : 'signal' });
    }

    #end(reason) {
      const [room, call, publisher] = [this.#room, this.#call, this.#publisher];
      if (!room) return;
      this.#room = this.#call = this.#publisher = undefined;
      call.close();
      room.leave().catch(() => {});
      for (const connection of this.remoteConnections.values()) connection.stream?.streamManager?.removeVideos();
      this.remoteConnections.clear();
      publisher?.dispose(reason);
      this.emitEvent('sessionDisconnected', { reason });
    }
  }

  // --- The way in --------------------------------------------------------------------------------

  globalThis.OpenVidu = class OpenVidu {
    initSession() {
      this.session = new Session();
      return this.session;
    }

    /** The two last may both be left out: `initPublisher(target, callback)`. */
    initPublisher(target, properties = {}, completionHandler = undefined) {
      const handler = typeof properties === 'function' ? properties : completionHandler;
      const publisher = new Publisher(target, typeof properties === 'function' ? {} : properties ?? {});
      publisher.ready.then(() => handler?.(undefined), (error) => handler?.(error));
      return publisher;
    }

    async initPublisherAsync(target, properties) {
      const publisher = this.initPublisher(target, properties);
      await publisher.ready;
      return publisher;
    }

    getUserMedia(options = {}) {
      return openMedia(options);
    }

    async getDevices() {
      const devices = await navigator.mediaDevices.enumerateDevices();
      const inputs = devices.filter(({ kind }) => kind === 'audioinput' || kind === 'videoinput');
      return inputs.map(({ kind, deviceId, label }) => ({ kind, deviceId, label }));
    }

    checkSystemRequirements() {
      return Boolean(globalThis.RTCPeerConnection && navigator.mediaDevices);
    }

    checkScreenSharingCapabilities() {
      return Boolean(navigator.mediaDevices?.getDisplayMedia);
    }

    /** For those who call it: this script logs nothing. */
    enableProdMode() {}

    /** For those who call it: relays come from the server, with the session. */
    setAdvancedConfiguration() {}
  };
})();
