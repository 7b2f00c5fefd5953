// What browsers have removed since 2012, in terms of what they have now. A message is "SDP\n{json}".
class DeprecatedPeerConnection {
  #pc = new RTCPeerConnection({ iceServers });

  constructor(_server, send) {
    this.#pc.onnegotiationneeded = () => this.#pc.setLocalDescription();
    this.#pc.onicecandidate = ({ candidate }) => {
      if (candidate) return; // there was no trickling: a description goes out with all its candidates
      const { type, sdp } = this.#pc.localDescription;
      send(`SDP\n${JSON.stringify({ messageType: type.toUpperCase(), sdp })}`);
    };
    this.#pc.onaddstream = (event) => this.onaddstream(event);
  }

  addStream(stream) { this.#pc.addStream(stream); }

  async processSignalingMessage(text) {
    const { messageType, sdp } = JSON.parse(text.slice('SDP\n'.length));
    await this.#pc.setRemoteDescription({ type: messageType.toLowerCase(), sdp });
    if (messageType === 'OFFER') await this.#pc.setLocalDescription();
  }

  close() { this.#pc.close(); }
}
window.webkitDeprecatedPeerConnection = DeprecatedPeerConnection;

const objectUrl = URL.createObjectURL;
const streams = new Map();
URL.createObjectURL = (object) => {
  if (!(object instanceof MediaStream)) return objectUrl(object);
  streams.set(`stream:${object.id}`, object);
  return `stream:${object.id}`;
};
Object.defineProperty(HTMLMediaElement.prototype, 'src', {
  set(url) { this.srcObject = streams.get(url); },
});
