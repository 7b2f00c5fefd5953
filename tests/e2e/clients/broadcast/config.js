// What changes from one server to the next. The page itself names no relay that needs a password:
// its peer connection took a text, "STUN host:port". shim.js uses `iceServers` in its place.
const socketUrl = `wss://${location.host}/r/demo`;
const iceServers = [{ urls: 'turn:turn.example.com:3478', username: 'user', credential: 'password' }];
