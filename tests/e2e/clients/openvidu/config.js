// What changes from one server to the next: this, and the script's address in index.html. The
// relays come from the server, with the session.
const APPLICATION_SERVER_URL = `${location.origin}/`;
