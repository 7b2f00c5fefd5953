// What changes from one server to the next. The page's server rendered `path`, the room's, into it.
const path = '/r/demo';
const socketUrl = `wss://${location.host}${path}/ertc`;
const iceServers = [{ urls: 'turn:turn.example.com:3478', username: 'user', credential: 'password' }];
