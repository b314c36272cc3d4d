// What a client in Node is given so that it trusts the authority of this run.

import { request } from 'node:https';

import WebSocket from 'ws';

import { ca } from './gate.mjs';

/** What of `fetch` the client uses. */
export function fetchTrusting(input, { method, headers, body, signal }) {
  return new Promise((resolve, reject) => {
    const asking = request(input, { method, headers, ca, signal, agent: false }, async (response) => {
      try {
        let text = '';
        for await (const chunk of response) text += chunk;
        resolve(new Response(text, { status: response.statusCode, headers: { 'content-type': response.headers['content-type'] ?? '' } }));
      } catch (error) {
        reject(error);
      }
    });
    asking.on('error', reject);
    asking.end(body ?? undefined);
  });
}

export class TrustingWebSocket extends WebSocket {
  constructor(url, protocols, options = {}) {
    super(url, protocols, { ...options, ca });
  }
}
