// npm `bun`: its WebSocket server is uWebSockets, its publish/subscribe too.
import { options } from './options.mjs';

const { cert, key } = options();
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  tls: { cert: Bun.file(cert), key: Bun.file(key) },
  fetch(request, server) {
    const path = new URL(request.url).pathname;
    if (server.upgrade(request, { data: { path } })) return undefined;
    return new Response('no', { status: 404 });
  },
  websocket: {
    perMessageDeflate: false,
    maxPayloadLength: 1 << 20,
    idleTimeout: 0,
    open(socket) {
      if (socket.data.path === '/follow') socket.subscribe('all');
    },
    message(socket, message) {
      if (socket.data.path === '/publish') server.publish('all', message);
      else socket.send(message);
    },
  },
});
console.log(`listening ${server.port}`);
