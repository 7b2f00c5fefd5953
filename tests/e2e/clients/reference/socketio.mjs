// The two Socket.IO courses' servers; their event names do not collide.

const mostInCodelabRoom = 2;

function addZoomRules(socket) {
  socket.on('join_room', (room) => {
    socket.join(room);
    socket.to(room).emit('welcome');
  });
  for (const event of ['offer', 'answer', 'ice']) {
    socket.on(event, (value, room) => socket.to(room).emit(event, value));
  }
}

function addCodelabRules(socket, io) {
  socket.on('create or join', (room) => {
    const present = io.sockets.adapter.rooms.get(room)?.size ?? 0;
    socket.emit('log', [`room ${room} has ${present} client(s)`]);
    if (present >= mostInCodelabRoom) return socket.emit('full', room);
    if (present === 0) {
      socket.join(room);
      return socket.emit('created', room, socket.id);
    }
    io.to(room).emit('join', room);
    socket.join(room);
    socket.emit('joined', room, socket.id);
    return io.to(room).emit('ready');
  });
  socket.on('message', (message) => {
    for (const room of socket.rooms) if (room !== socket.id) socket.to(room).emit('message', message);
  });
}

export function addSocketIoRules(io) {
  io.on('connection', (socket) => {
    addZoomRules(socket);
    addCodelabRules(socket, io);
  });
}
