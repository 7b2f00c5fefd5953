// What changes from one server to the next. The script of the Socket.IO client comes from the
// server that serves the page.
const room = 'foo';
const pcConfig = {
  iceServers: [{ urls: 'turn:turn.example.com:3478', username: 'user', credential: 'password' }],
};
