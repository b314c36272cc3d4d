/** What an application writes with a `WebSocket` compiles with ours, with the DOM's types and with those of Node alone; `tsc` is the judge of this file. */

import { SecureWebSocket, type SocketCloseEvent } from '@wardwire/client';

export function asTheOriginal(socket: SecureWebSocket): WebSocket {
  socket.addEventListener('message', ({ data, origin }) => console.log(data, origin));
  socket.addEventListener('close', ({ code, reason, wasClean }) => console.log(code.toFixed(), reason.trim(), wasClean), { once: true });
  socket.addEventListener('error', function ({ type }) {
    console.log(type, this.refusal);
  });
  socket.addEventListener('open', { handleEvent: ({ type }) => console.log(type) });
  socket.addEventListener('of-its-own', ({ type }) => console.log(type));
  const closed = ({ code }: SocketCloseEvent): void => console.log(code);
  socket.addEventListener('close', closed);
  socket.removeEventListener('close', closed);
  socket.onclose = closed;
  socket.onopen = null;
  socket.onmessage = function ({ data }) {
    this.send(String(data));
  };
  // @ts-expect-error: no member of a message
  socket.addEventListener('message', ({ date }) => date);
  // @ts-expect-error: an error has no code
  socket.addEventListener('error', ({ code }) => code);
  // @ts-expect-error: nor has what it is opened with
  socket.onopen = ({ code }) => code;
  return socket;
}
