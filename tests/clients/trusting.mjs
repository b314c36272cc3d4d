// What a client in Node is given so that it trusts an authority.

import { request } from 'node:https';

import WebSocket from 'ws';

/** The platform of a client that trusts `ca`. */
export function trusting(ca) {
  return {
    /** What of `fetch` the client uses. */
    fetch: (input, { method, headers, body, signal }) =>
      new Promise((resolve, reject) => {
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
      }),
    WebSocket: class extends WebSocket {
      constructor(url, protocols, options = {}) {
        super(url, protocols, { ...options, ca });
      }
    },
  };
}
