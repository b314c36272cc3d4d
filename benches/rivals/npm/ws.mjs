// npm `ws`: a frame is built once for all followers, by its own Sender, as its documentation has no other way to share one.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { WebSocketServer } from 'ws';
import { options } from './options.mjs';

const { cert, key } = options();
const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) });
const sockets = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: 1 << 20 });
const followers = new Set();

sockets.on('connection', (socket, request) => {
  socket.on('error', () => {});
  if (request.url === '/follow') {
    followers.add(socket);
    socket.on('close', () => followers.delete(socket));
  } else if (request.url === '/publish') {
    socket.on('message', (data, binary) => {
      for (const follower of followers) follower.send(data, { binary });
    });
  } else {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  }
});
server.on('connection', (tcp) => tcp.setNoDelay(true));
server.listen(0, '127.0.0.1', () => console.log(`listening ${server.address().port}`));
