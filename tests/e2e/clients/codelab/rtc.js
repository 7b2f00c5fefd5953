// Two people in a room. The one who created it offers, once both have their camera.

'use strict';

let isChannelReady = false;
let isInitiator = false;
let isStarted = false;
let localStream;
let pc;

const socket = io.connect();

socket.emit('create or join', room);

socket.on('created', (name) => {
  console.log(`created ${name}`);
  isInitiator = true;
});

socket.on('full', (name) => console.log(`full: ${name}`));

socket.on('join', () => {
  isChannelReady = true;
});

socket.on('joined', (name) => {
  console.log(`joined ${name}`);
  isChannelReady = true;
});

socket.on('ready', () => console.log('ready'));

socket.on('log', (lines) => console.log(...lines));

const sendMessage = (message) => socket.emit('message', message);

socket.on('message', (message) => {
  if (message === 'got user media') {
    maybeStart();
  } else if (message.type === 'offer') {
    if (!isInitiator && !isStarted) maybeStart();
    pc.setRemoteDescription(new RTCSessionDescription(message));
    pc.createAnswer().then(setLocalAndSendMessage, report);
  } else if (message.type === 'answer' && isStarted) {
    pc.setRemoteDescription(new RTCSessionDescription(message));
  } else if (message.type === 'candidate' && isStarted) {
    pc.addIceCandidate(new RTCIceCandidate({
      sdpMLineIndex: message.label,
      sdpMid: message.id,
      candidate: message.candidate,
    }));
  }
});

const report = (error) => console.error(`description: ${error}`);

function setLocalAndSendMessage(description) {
  pc.setLocalDescription(description);
  sendMessage(description);
}

function createPeerConnection() {
  pc = new RTCPeerConnection(pcConfig);
  pc.onicecandidate = ({ candidate }) => {
    if (!candidate) return;
    sendMessage({
      type: 'candidate',
      label: candidate.sdpMLineIndex,
      id: candidate.sdpMid,
      candidate: candidate.candidate,
    });
  };
  pc.onaddstream = ({ stream }) => {
    document.querySelector('#remoteVideo').srcObject = stream;
  };
}

function maybeStart() {
  if (isStarted || !localStream || !isChannelReady) return;
  createPeerConnection();
  pc.addStream(localStream);
  isStarted = true;
  if (isInitiator) pc.createOffer().then(setLocalAndSendMessage, report);
}

navigator.mediaDevices.getUserMedia({ audio: false, video: true }).then((stream) => {
  localStream = stream;
  document.querySelector('#localVideo').srcObject = stream;
  sendMessage('got user media');
  if (isInitiator) maybeStart();
});
