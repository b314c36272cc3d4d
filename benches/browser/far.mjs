// A network of a fixed round trip before a server of this machine: TLS goes through it untouched, nothing is lost or reordered.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Gives the port to connect to. `roundTripMs` is for both directions together. */
export async function farFrom(port, roundTripMs) {
  const open = new Set();
  const server = createServer((near) => {
    const there = connect(port, '127.0.0.1');
    // The loopback has let the client in at once; over this network TCP's own handshake takes a round trip (RFC 9293 §3.5).
    carry(near, there, roundTripMs / 2, performance.now() + roundTripMs);
    carry(there, near, roundTripMs / 2, 0);
    for (const socket of [near, there]) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.on('close', () => open.delete(socket));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.close();
    for (const socket of open) socket.destroy();
  };
  return { port: server.address().port, close };
}

/** Everything of one direction, each piece `delayMs` late and none before `leavesAt` has left; timers of one length keep their order. */
function carry(from, to, delayMs, leavesAt) {
  const later = (action) => setTimeout(action, Math.max(leavesAt - performance.now(), 0) + delayMs);
  from.on('data', (piece) => later(() => to.write(piece)));
  from.on('end', () => later(() => to.end()));
  from.on('error', () => later(() => to.destroy()));
}
