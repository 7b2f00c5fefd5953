// /r/<room> and /r/<room>/ertc: what one sends goes to the others, verbatim and live only.
// At ertc, the room of a consultation: two at most, and a binary frame is kept as a file that both are
// told of. Elsewhere a binary frame goes back to its sender.

import { randomUUID } from 'node:crypto';
import { WebSocketServer } from 'ws';
import { OfferWindow } from './offer_window.mjs';

const mostInConsultation = 2;
const tooManyPeople = 4423;

export class RelayRooms {
  #rooms = new Map(); // path: {sockets, window?}
  #blobs = new Map(); // path: bytes
  #upgrades = new WebSocketServer({ noServer: true, maxPayload: 8 * 1024 * 1024 });

  accept(request, socket, head) {
    const { pathname } = new URL(request.url, 'https://reference.test');
    this.#upgrades.handleUpgrade(request, socket, head, (client) => this.#enter(pathname, client));
  }

  sendBlob(pathname, response) {
    const bytes = this.#blobs.get(pathname);
    if (!bytes) return response.writeHead(404).end();
    response.setHeader('content-type', 'image/png');
    return response.end(bytes);
  }

  #enter(pathname, client) {
    const isConsultation = pathname.endsWith('/ertc');
    if (!this.#rooms.has(pathname)) this.#rooms.set(pathname, { sockets: new Set() });
    const room = this.#rooms.get(pathname);
    if (isConsultation && room.sockets.size >= mostInConsultation) return client.close(tooManyPeople, 'room_full');
    if (isConsultation) room.window ??= new OfferWindow((from, text) => this.#toOthers(room, from, text));
    room.sockets.add(client);
    client.on('message', (bytes, isBinary) => {
      if (!isBinary && isConsultation && room.sockets.size === 1) return; // lost
      if (!isBinary && isConsultation) room.window.onText(client, bytes.toString());
      else if (!isBinary) this.#toOthers(room, client, bytes.toString());
      else if (isConsultation) this.#keep(room, pathname, bytes);
      else client.send(bytes);
    });
    client.on('close', () => {
      room.sockets.delete(client);
      room.window?.onGone();
      if (room.sockets.size === 0) this.#rooms.delete(pathname);
    });
    return undefined;
  }

  #toOthers({ sockets }, from, text) {
    for (const socket of sockets) if (socket !== from) socket.send(text);
  }

  #keep({ sockets }, pathname, bytes) {
    const name = `${randomUUID()}.png`;
    this.#blobs.set(pathname.replace(/ertc$/, `resources/upload_images/${name}`), bytes);
    for (const socket of sockets) socket.send(JSON.stringify({ type: 'FILE2', msg: name }));
  }
}
