/** Opening a bare socket and watching what a script gets to see of it. */

import { socketUrl } from '../gate.js';

/** A socket that opened, or the little that a browser tells of one that did not. */
export type Knock =
  | { readonly kind: 'opened'; readonly socket: WebSocket; readonly ms: number }
  | { readonly kind: 'failed'; readonly code: number; readonly ms: number };

/** How an open socket ended. */
export interface Farewell {
  readonly code: number;
  readonly reason: string;
}

/** Knocks at the gate with a ticket, or without. */
export function knock(trace: string, ticket: string | null): Promise<Knock> {
  const protocols = ['wardwire.v1', ...(ticket === null ? [] : [`wardwire.ticket.${ticket}`]), `wardwire.trace.${trace}`];
  const started = performance.now();
  const socket = new WebSocket(socketUrl, protocols);
  return new Promise((resolve) => {
    const ms = (): number => performance.now() - started;
    socket.onopen = () => resolve({ kind: 'opened', socket, ms: ms() });
    socket.onclose = ({ code }) => resolve({ kind: 'failed', code, ms: ms() });
  });
}

/** Waits for the server to end a socket; `null` where it lets it live. */
export function farewell(socket: WebSocket, patienceMs: number): Promise<Farewell | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), patienceMs);
    socket.onclose = ({ code, reason }) => {
      clearTimeout(timer);
      resolve({ code, reason });
    };
  });
}

/** What a script sees of a knock. */
export function describe(knocked: Pick<Knock, 'kind' | 'ms'> & { readonly code?: number }): string[] {
  const took = `after ${Math.max(1, Math.round(knocked.ms))} ms`;
  return knocked.kind === 'opened'
    ? [`open event ${took}`]
    : [`error event, without a reason`, `close event: code ${knocked.code}, ${took}; it never opened`];
}
