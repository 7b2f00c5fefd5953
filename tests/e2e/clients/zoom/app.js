// Two people in a named room. Whoever was there first makes the data channel and the offer, on
// `welcome`.

const socket = io(serverUrl);
const element = (id) => document.getElementById(id);

let myStream;
let roomName;
let peerConnection;
let channel;

async function listCameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  const current = myStream.getVideoTracks()[0].label;
  element('cameras').replaceChildren(...devices
    .filter(({ kind }) => kind === 'videoinput')
    .map(({ deviceId, label }) => new Option(label, deviceId, false, label === current)));
}

async function getMedia(deviceId) {
  const video = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: 'user' };
  myStream = await navigator.mediaDevices.getUserMedia({ audio: true, video });
  element('myFace').srcObject = myStream;
  if (!deviceId) await listCameras();
}

function useChannel(opened) {
  channel = opened;
  channel.addEventListener('message', ({ data }) => {
    const line = document.createElement('li');
    line.textContent = data;
    element('messages').append(line);
  });
}

function makeConnection() {
  peerConnection = new RTCPeerConnection({ iceServers });
  peerConnection.addEventListener('icecandidate', ({ candidate }) => socket.emit('ice', candidate, roomName));
  peerConnection.addEventListener('addstream', ({ stream }) => {
    element('peerFace').srcObject = stream;
  });
  peerConnection.addEventListener('datachannel', ({ channel: theirs }) => useChannel(theirs));
  for (const track of myStream.getTracks()) peerConnection.addTrack(track, myStream);
}

element('welcome').addEventListener('submit', async (event) => {
  event.preventDefault();
  element('welcome').hidden = true;
  element('call').hidden = false;
  await getMedia();
  makeConnection();
  roomName = element('room').value;
  socket.emit('join_room', roomName);
});

socket.on('welcome', async () => {
  useChannel(peerConnection.createDataChannel('chat'));
  const offer = await peerConnection.createOffer();
  await peerConnection.setLocalDescription(offer);
  socket.emit('offer', offer, roomName);
});

socket.on('offer', async (offer) => {
  await peerConnection.setRemoteDescription(offer);
  const answer = await peerConnection.createAnswer();
  await peerConnection.setLocalDescription(answer);
  socket.emit('answer', answer, roomName);
});

socket.on('answer', (answer) => peerConnection.setRemoteDescription(answer));

socket.on('ice', (ice) => peerConnection.addIceCandidate(ice));

element('mute').addEventListener('click', () => {
  for (const track of myStream.getAudioTracks()) track.enabled = !track.enabled;
});

element('camera').addEventListener('click', () => {
  for (const track of myStream.getVideoTracks()) track.enabled = !track.enabled;
});

element('cameras').addEventListener('input', async () => {
  await getMedia(element('cameras').value);
  const sender = peerConnection.getSenders().find(({ track }) => track.kind === 'video');
  await sender.replaceTrack(myStream.getVideoTracks()[0]);
});

element('chat').addEventListener('submit', (event) => {
  event.preventDefault();
  channel.send(element('text').value);
  element('text').value = '';
});
