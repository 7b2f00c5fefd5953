// What changes from one server to the next.
const serverUrl = location.origin;
const iceServers = [{ urls: 'turn:turn.example.com:3478', username: 'user', credential: 'password' }];
