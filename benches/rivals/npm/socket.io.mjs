// npm `socket.io`, WebSocket transport only: one room, to which the server emits.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { Server } from 'socket.io';
import { options } from './options.mjs';

const { cert, key } = options();
const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) });
const io = new Server(server, {
  transports: ['websocket'],
  perMessageDeflate: false,
  pingInterval: 3_600_000,
  serveClient: false,
});
io.on('connection', (socket) => {
  socket.on('follow', () => {
    socket.join('all');
    socket.emit('ready');
  });
  socket.on('publish', (data) => io.to('all').emit('p', data));
  socket.on('echo', (data) => socket.emit('e', data));
});
server.on('connection', (tcp) => tcp.setNoDelay(true));
server.listen(0, '127.0.0.1', () => console.log(`listening ${server.address().port}`));
