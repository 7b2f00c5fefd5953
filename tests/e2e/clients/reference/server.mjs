// The five clients' servers in one small process, to prove the clients against something that is not
// Turnpike: the static pages, a raw WebSocket relay, Socket.IO's own server, and the session routes.
// It knows nothing of limits, secrets or time, and is for these tests only.
// Its argument is JSON: {address, port, root, certificate, key, iceServers}.

import { readFile } from 'node:fs/promises';
import https from 'node:https';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Server as SocketIo } from 'socket.io';
import { RelayRooms } from './relay.mjs';
import { Sessions } from './sessions.mjs';
import { addSocketIoRules } from './socketio.mjs';

const { address, port, root, certificate, key, iceServers } = JSON.parse(process.argv[2]);

const contentTypes = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8' };
const shim = fileURLToPath(new URL('openvidu-browser.js', import.meta.url));

const relay = new RelayRooms();
const sessions = new Sessions(iceServers);

async function sendFile(response, file) {
  try {
    const bytes = await readFile(file);
    response.setHeader('content-type', contentTypes[path.extname(file)] ?? 'application/octet-stream');
    response.end(bytes);
  } catch {
    response.writeHead(404).end();
  }
}

function serve(request, response) {
  const { pathname } = new URL(request.url, 'https://reference.test');
  if (pathname.startsWith('/r/')) return relay.sendBlob(pathname, response);
  if (pathname.startsWith('/api/sessions')) return sessions.answer(request, pathname, response);
  if (pathname === '/compat/openvidu-browser.js') return sendFile(response, shim);
  return sendFile(response, path.join(root, pathname.endsWith('/') ? `${pathname}index.html` : pathname));
}

const server = https.createServer({ cert: await readFile(certificate), key: await readFile(key) }, serve);
server.on('upgrade', (request, socket, head) => {
  const { pathname } = new URL(request.url, 'https://reference.test');
  if (pathname.startsWith('/r/')) relay.accept(request, socket, head);
  else if (pathname === '/reference/session') sessions.accept(request, socket, head);
  else if (!pathname.startsWith('/socket.io/')) socket.destroy();
});
addSocketIoRules(new SocketIo(server, { destroyUpgrade: false }));
server.listen(port, address, () => console.log('started'));
