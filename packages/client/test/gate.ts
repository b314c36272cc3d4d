/** A small real server to test against: tickets over HTTP, `wardwire.v1` over npm `ws`. Its answers are set by each test. */

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { type WebSocket as Socket, WebSocket, WebSocketServer } from 'ws';

import { type AnyChannels, bearer, type Options, type SocketConstructor, type State, Wire } from '../src/index.js';

/** What this Node is given to connect with: nothing from 22 on, which has a `WebSocket` of its own. */
export const ownSocket = 'WebSocket' in globalThis ? {} : { WebSocket: WebSocket as unknown as SocketConstructor };

/** A request that the gate saw. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A JSON-RPC call from the client. */
export interface Call {
  readonly id: number;
  readonly method: string;
  readonly params: Record<string, unknown>;
}

export type Answer = (call: Call, peer: Peer) => unknown;

/** The server's end of one socket. */
export class Peer {
  readonly calls: Call[] = [];
  constructor(
    readonly socket: Socket,
    readonly protocols: readonly string[],
  ) {}

  notify(method: string, params: object): void {
    this.socket.send(JSON.stringify({ jsonrpc: '2.0', method, params }));
  }

  publish(channel: string, data: unknown, offset: number, from = 'bob'): void {
    this.notify('publication', { channel, data, position: `e:${offset}`, from });
  }
}

/** What a test's answer throws to send a JSON-RPC error. */
export class RpcFailure extends Error {
  constructor(
    readonly code: number,
    readonly data: object = { word: 'forbidden' },
  ) {
    super('no');
  }
}

export class Gate {
  readonly seen: Seen[] = [];
  /** Whose tickets are said to be. */
  handle: string | null | undefined = undefined;
  /** What a socket that comes by its cookie is told; without it the cookie is nobody's. */
  greet: ((peer: Peer) => void) | undefined = undefined;
  readonly peers: Peer[] = [];
  /** Refusals to give before tickets, first one first. */
  readonly refusals: { status: number; code: string; retryAfter?: string; challenge?: string }[] = [];
  answer: Answer = () => ({});
  /** Chooses among the offered subprotocols. */
  select: (offered: readonly string[]) => string | false = () => 'wardwire.v1';
  readonly #clients: Pick<Wire, 'close'>[] = [];
  #tickets = 0;
  readonly #used = new Set<string>();
  readonly #waiting: ((peer: Peer) => void)[] = [];

  private constructor(
    readonly http: Server,
    readonly sockets: WebSocketServer,
  ) {}

  static async open(): Promise<Gate> {
    const http = createServer();
    const sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => gate.select([...offered]) });
    const gate = new Gate(http, sockets);
    http.on('request', (request, response) => void gate.#ask(request, response));
    http.on('upgrade', (request, socket, head) => {
      const protocols = String(request.headers['sec-websocket-protocol']).split(/, ?/);
      const ticket = protocols.find((item) => item.startsWith('wardwire.ticket.')) ?? '';
      const { greet } = gate;
      if (greet !== undefined && protocols.includes('wardwire.session')) {
        return sockets.handleUpgrade(request, socket, head, (opened) => {
          const peer = new Peer(opened, protocols);
          gate.#admit(peer);
          greet(peer);
        });
      }
      if (!ticket.endsWith(`-${gate.#tickets}`) || gate.#used.has(ticket)) return void socket.destroy();
      gate.#used.add(ticket);
      sockets.handleUpgrade(request, socket, head, (opened) => gate.#admit(new Peer(opened, protocols)));
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    return gate;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  /** A client of this gate, quick to come back. */
  client<Channels = AnyChannels>(options: Partial<Options> = {}, url: string = `${this.origin}/live`): Wire<Channels> {
    const client = new Wire<Channels>(url, {
      auth: bearer(() => 'secret-token'),
      backoff: { baseMs: 1, capMs: 4 },
      ...options,
      platform: { ...ownSocket, ...options.platform },
    });
    this.#clients.push(client);
    return client;
  }

  /** The next socket that is opened. */
  nextPeer(): Promise<Peer> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  tickets(): Seen[] {
    return this.seen.filter((item) => item.path === '/.wardwire/tickets');
  }

  /** Ends everything, so that a test that failed half-way leaves nothing running. */
  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const peer of this.peers) peer.socket.terminate();
    this.http.closeAllConnections();
    this.http.close();
    await once(this.http, 'close');
  }

  #admit(peer: Peer): void {
    this.peers.push(peer);
    if (peer.socket.protocol !== 'wardwire.v1') {
      peer.socket.on('message', (bytes, binary) => peer.socket.send(bytes, { binary }));
      return this.#waiting.shift()?.(peer);
    }
    peer.socket.on('message', (bytes) => {
      const call = JSON.parse(String(bytes)) as Call;
      peer.calls.push(call);
      const reply = (fields: object): void => peer.socket.send(JSON.stringify({ jsonrpc: '2.0', id: call.id, ...fields }));
      try {
        const result = this.answer(call, peer);
        if (result !== undefined) reply({ result });
      } catch (error) {
        const { code, data } = error as RpcFailure;
        reply({ error: { code, message: 'no', ...(data === undefined ? {} : { data }) } });
      }
    });
    this.#waiting.shift()?.(peer);
  }

  async #ask(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    this.seen.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, body });
    if (request.method === 'DELETE') return void response.writeHead(204).end();
    const refusal = this.refusals.shift();
    if (refusal !== undefined) {
      const retry = refusal.retryAfter === undefined ? {} : { 'retry-after': refusal.retryAfter };
      const challenge = refusal.challenge === undefined ? {} : { 'www-authenticate': refusal.challenge };
      response.writeHead(refusal.status, { 'content-type': 'application/problem+json', ...retry, ...challenge });
      return void response.end(JSON.stringify({ title: 'No.', status: refusal.status, code: refusal.code }));
    }
    this.#tickets += 1;
    response.writeHead(201, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ ticket: `ticket-of-one-use-${this.#tickets}`, expires_in: 30, ...(this.handle === undefined ? {} : { handle: this.handle }) }));
  }
}

/** Resolves once the client is in a state of that kind. */
export function reaches<Kind extends State['kind']>(client: Wire, kind: Kind): Promise<Extract<State, { kind: Kind }>> {
  return new Promise((resolve) => {
    const check = (state: State): void => {
      if (state.kind !== kind) return;
      stop();
      resolve(state as Extract<State, { kind: Kind }>);
    };
    const stop = client.on('state', check);
    check(client.state);
  });
}

/** An answer to `subscribe` as from a channel that stands at `offset`. */
export function subscribed(call: Call, offset: number, recovered = false, missed: unknown[] = []): object {
  const publications = missed.map((data, i) => ({ data, position: `e:${offset - missed.length + 1 + i}`, from: 'bob' }));
  return { channel: call.params['channel'], position: `e:${offset}`, recovered, publications };
}
