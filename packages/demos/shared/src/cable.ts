/** A network cable that a page can pull, so that a demo shows what a lost network looks like. Real pages have no need of it. */

import type { Platform } from '@wardwire/client';

let pulled = false;
const sockets = new Set<WebSocket>();

class Plugged extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols);
    sockets.add(this);
    this.addEventListener('close', () => sockets.delete(this));
  }
}

/** Goes into the client's `platform`. */
export const cable: Partial<Platform> = {
  WebSocket: Plugged,
  fetch: (input, init) => (pulled ? Promise.reject(new TypeError('The cable is pulled.')) : fetch(input, init)),
};

/** Breaks every connection off without a word, as a lost network does, and lets no new one through. */
export function pull(): void {
  pulled = true;
  for (const socket of sockets) {
    const { onclose } = socket;
    socket.onclose = socket.onmessage = null;
    socket.close();
    onclose?.call(socket, new CloseEvent('close', { code: 1006 }));
  }
}

/** The network is back, and browsers say so. */
export function plug(): void {
  pulled = false;
  dispatchEvent(new Event('online'));
}
