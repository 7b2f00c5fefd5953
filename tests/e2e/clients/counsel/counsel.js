// One side of a consultation: text frames are JSON, a binary frame is an image. There is no join on
// the wire. Each side offers once its camera is there; whoever is alone offers to nobody.

// The session of the web application told who the user is.
const session = new URLSearchParams(location.search);
const role = session.get('role') ?? 'user';
const nick = session.get('nick') ?? role;
const id = session.get('id') ?? nick;

const localVideo = document.querySelector('#localVideo');
const remoteVideo = document.querySelector('#remoteVideo');
const chat = document.querySelector('#chat');

let localStream;
let pc;

const socket = new WebSocket(socketUrl);

const send = (message) => socket.send(JSON.stringify(message));

socket.onopen = () => {
  if (role !== 'expert') send({ type: 'SYS', nick, msg: '접속', id });
};
// After the handler above: whoever waits for it speaks after SYS.
const opened = new Promise((resolve) => socket.addEventListener('open', resolve));

function show(html) {
  const line = document.createElement('div');
  line.innerHTML = html;
  chat.append(line);
}

function createPeerConnection() {
  pc = new RTCPeerConnection({ iceServers });
  pc.onicecandidate = ({ candidate }) => {
    if (!candidate) return;
    send({
      type: 'candidate',
      label: candidate.sdpMLineIndex,
      id: candidate.sdpMid,
      candidate: candidate.candidate,
    });
  };
  pc.ontrack = ({ streams }) => {
    remoteVideo.srcObject = streams[0];
  };
  for (const track of localStream.getTracks()) pc.addTrack(track, localStream);
}

async function setLocalAndSend(description) {
  await pc.setLocalDescription(description);
  send({ type: description.type, sdp: description.sdp });
}

async function onOffer(message) {
  if (!pc) return;
  await pc.setRemoteDescription(new RTCSessionDescription(message));
  await setLocalAndSend(await pc.createAnswer());
}

function onCandidate({ label, id: mid, candidate }) {
  if (!pc) return undefined;
  return pc.addIceCandidate(new RTCIceCandidate({ sdpMLineIndex: label, sdpMid: mid, candidate }));
}

function stop() {
  pc?.close();
  pc = undefined;
  remoteVideo.srcObject = null;
}

const handlers = {
  SYS: ({ nick: who, msg }) => show(`${who}: ${msg}`),
  expert: () => {},
  offer: onOffer,
  answer: (message) => pc?.setRemoteDescription(new RTCSessionDescription(message)),
  candidate: onCandidate,
  TXT: ({ msg }) => show(msg),
  CAM: ({ msg }) => {
    remoteVideo.style.visibility = msg === 'on' ? 'visible' : 'hidden';
  },
  FILE2: ({ msg }) => show(`<img src="${path}/resources/upload_images/${msg}">`),
  END: () => stop(),
  MEMEND: () => stop(),
};

socket.onmessage = async ({ data }) => {
  const message = JSON.parse(data);
  try {
    await handlers[message.type]?.(message);
  } catch (error) {
    console.error(`${message.type}: ${error.message}`);
  }
};

navigator.mediaDevices.getUserMedia({ audio: true, video: true }).then(async (stream) => {
  localStream = stream;
  localVideo.srcObject = stream;
  await opened; // whoever has to answer the browser's question takes longer than the socket does
  send({ type: 'expert' });
  createPeerConnection();
  await setLocalAndSend(await pc.createOffer());
});

document.querySelector('#chatForm').onsubmit = (event) => {
  event.preventDefault();
  const text = document.querySelector('#chatText');
  const msg = `<b>${nick}</b> ${text.value}`;
  text.value = '';
  show(msg);
  send({ type: 'TXT', msg });
};

document.querySelector('#camera').onclick = () => {
  const [track] = localStream.getVideoTracks();
  track.enabled = !track.enabled;
  send({ type: 'CAM', msg: track.enabled ? 'on' : 'off' });
};

document.querySelector('#end').onclick = () => {
  send({ type: role === 'expert' ? 'END' : 'MEMEND' });
  stop();
};

document.querySelector('#file').onchange = async ({ target }) => {
  socket.send(await target.files[0].arrayBuffer());
};
