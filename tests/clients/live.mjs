// Loaded before an example: `live.example.com` is the server of this run, which is trusted for it.

import { readFileSync } from 'node:fs';
import tls from 'node:tls';

import { WebSocket } from 'undici';

const { WARDWIRE_PORT, WARDWIRE_CA } = process.env;
const { connect } = tls;
const host = 'live.example.com';
tls.connect = (options, ...rest) => {
  if (options.host !== host || WARDWIRE_PORT === undefined) throw new Error(`An example speaks to ${options.host}.`);
  return connect({ ...options, host: '127.0.0.1', port: Number(WARDWIRE_PORT), servername: host, ca: readFileSync(WARDWIRE_CA) }, ...rest);
};
// Node has one of its own from 22 on.
globalThis.WebSocket ??= WebSocket;
