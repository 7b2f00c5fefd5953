// As much of openvidu-browser's interface as the hello-world page uses, over the reference server's
// own socket and a mesh: whoever comes later offers to all who are there.

class Stream {
  constructor(streamId, mediaStream) {
    this.streamId = streamId;
    this.mediaStream = mediaStream;
  }
}

class Peer {
  constructor(session, id, iceServers) {
    this.id = id;
    this.pc = new RTCPeerConnection({ iceServers });
    this.pc.onicecandidate = ({ candidate }) => candidate && session.tell(id, { candidate });
    this.pc.ontrack = ({ streams }) => {
      if (this.stream) return;
      this.stream = new Stream(streams[0].id, streams[0]);
      session.emit('streamCreated', { stream: this.stream });
    };
  }

  publish(mediaStream) {
    for (const track of mediaStream.getTracks()) this.pc.addTrack(track, mediaStream);
  }
}

class Session {
  #listeners = new Map();
  #peers = new Map();
  #media; // of the publisher, once there is one

  on(event, listener) {
    this.#listeners.set(event, listener);
  }

  emit(event, detail) {
    this.#listeners.get(event)?.(detail);
  }

  connect(token) {
    this.socket = new WebSocket(`wss://${location.host}/reference/session?token=${token}`);
    let turn = Promise.resolve();
    return new Promise((resolve, reject) => {
      this.socket.onerror = () => reject(new Error('the server refused the token'));
      this.socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === 'entered') {
          Object.assign(this, { iceServers: message.iceServers, present: message.members });
          resolve();
        } else {
          turn = turn.then(() => this.#onMessage(message)); // one after the other
        }
      };
    });
  }

  async publish(publisher) {
    this.#media = publisher.media;
    const mediaStream = await publisher.media;
    for (const id of this.present) {
      const peer = this.#peer(id);
      peer.publish(mediaStream);
      await peer.pc.setLocalDescription();
      this.tell(id, { description: peer.pc.localDescription });
    }
  }

  subscribe(stream, target) {
    const video = Object.assign(document.createElement('video'), { autoplay: true, playsInline: true });
    video.id = `remote-video-${stream.streamId}`;
    video.srcObject = stream.mediaStream;
    stream.video = video;
    document.getElementById(target).append(video);
  }

  tell(to, message) {
    this.socket.send(JSON.stringify({ to, ...message }));
  }

  disconnect() {
    for (const id of [...this.#peers.keys()]) this.#forget(id);
    this.socket.close();
  }

  #peer(id) {
    if (!this.#peers.has(id)) this.#peers.set(id, new Peer(this, id, this.iceServers));
    return this.#peers.get(id);
  }

  async #onMessage({ type, from, description, candidate }) {
    if (type === 'gone') return this.#forget(from);
    const peer = this.#peer(from);
    if (candidate) return peer.pc.addIceCandidate(candidate);
    await peer.pc.setRemoteDescription(description);
    if (description.type !== 'offer') return undefined;
    peer.publish(await this.#media);
    await peer.pc.setLocalDescription();
    return this.tell(from, { description: peer.pc.localDescription });
  }

  #forget(id) {
    const peer = this.#peers.get(id);
    if (!peer) return;
    this.#peers.delete(id);
    peer.pc.close();
    if (!peer.stream) return;
    peer.stream.video?.remove();
    this.emit('streamDestroyed', { stream: peer.stream });
  }
}

window.OpenVidu = class {
  initSession() {
    return new Session();
  }

  initPublisher(target) {
    const media = navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    media.then((mediaStream) => {
      const video = Object.assign(document.createElement('video'), { autoplay: true, muted: true });
      video.srcObject = mediaStream;
      document.getElementById(target).append(video);
    });
    return { media };
  }
};
