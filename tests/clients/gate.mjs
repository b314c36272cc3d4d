// What every client's test needs: where the server is, whom to trust, and a ticket.

import { readFileSync } from 'node:fs';
import { request } from 'node:https';

/** `localhost:PORT` of the server under test; `cargo xtask test clients` sets it. */
export const host = process.env.WARDWIRE_HOST;
export const url = `wss://${host}/echo`;
/** An echo that compresses. */
export const packed = `wss://${host}/packed`;
/** Where `wardwire.v1` is spoken. */
export const live = `wss://${host}/live`;
export const ca = readFileSync(process.env.WARDWIRE_CA);
export const token = process.env.WARDWIRE_TOKEN;
/** Another user's. */
export const otherToken = process.env.WARDWIRE_OTHER_TOKEN;

/** The most that a message may hold by default. */
export const limit = 64 * 1024;
export const text = 'Grüße, 世界 🛰️';
export const binary = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 256));

/** A fresh one-time ticket, as the subprotocol to offer. */
export function ticket() {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const asking = request(`https://${host}/.wardwire/tickets`, { method: 'POST', ca, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (body += chunk));
      response.on('end', () => {
        if (response.statusCode === 201) resolve(JSON.parse(body).subprotocol);
        else reject(new Error(`${response.statusCode}: ${body}`));
      });
    });
    asking.on('error', reject);
    asking.end(JSON.stringify({ route: '/echo' }));
  });
}
