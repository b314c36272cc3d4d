// What stands between a client and Autobahn|Testsuite's fuzzingserver, which knows neither TLS nor tickets: it ends TLS, gives a ticket and takes it back as our
// server does, and hands on every byte behind the two heads as it came, whoever sent it.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import { connect } from 'node:net';

const prefix = 'wardwire.ticket.';

/**
 * Stands before the fuzzingserver at `port`, which it asks for `/runCase?agent=A&casetuple=1.1.1` where a client asked for `/A/runCase/1.1.1`: our client
 * puts nothing into a query. Agents in `ticketed` need a ticket, which they get for `token`; others bring no subprotocol at all.
 */
export async function proxyTo(port, { token, ticketed, ...tls }) {
  const routes = new Map();
  /** Ends of the connections to the fuzzingserver, which writes a case down when its own ends. */
  const ends = [];
  const server = createServer(tls, async (request, response) => {
    const fit = request.method === 'POST' && request.url === '/.wardwire/tickets' && request.headers.authorization === `Bearer ${token}`;
    if (!fit) return void response.writeHead(403).end();
    let body = '';
    for await (const chunk of request) body += chunk;
    const ticket = randomBytes(32).toString('base64url');
    routes.set(ticket, JSON.parse(body).route);
    response.writeHead(201, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ ticket, subprotocol: prefix + ticket, expires_in: 30, handle: null }));
  });

  /** The first line for the fuzzingserver; `undefined` for who may not pass. */
  function admit(url, offered) {
    const [, agent, order, id] = /^\/(\w+)\/(runCase|updateReports)(?:\/([\d.]+))?$/.exec(url) ?? [];
    const ticket = offered.find((name) => name.startsWith(prefix))?.slice(prefix.length);
    const due = ticketed.includes(agent) ? offered[0] === 'wardwire.raw' && routes.get(ticket) === url : offered.length === 0;
    routes.delete(ticket);
    return due ? `GET /${order}?agent=${agent}${id === undefined ? '' : `&casetuple=${id}`} HTTP/1.1` : undefined;
  }

  server.on('upgrade', ({ url, headers, rawHeaders }, client, first) => {
    const offered = headers['sec-websocket-protocol']?.split(/, ?/) ?? [];
    const asked = admit(url, offered);
    if (asked === undefined) return void client.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
    const judge = connect(port, '127.0.0.1');
    ends.push(new Promise((resolve) => judge.once('close', resolve)));
    for (const socket of [client, judge]) socket.setNoDelay(true);
    judge.on('error', () => client.destroy());
    client.on('error', () => judge.destroy());
    // What nobody hears any more is taken nonetheless, or the fuzzingserver would not come to its end.
    client.on('close', () => judge.resume());
    judge.write(`${asked}\r\n${fields(rawHeaders)}\r\n`);
    judge.write(first);
    client.pipe(judge);
    if (offered.length > 0) select(judge, client);
    else judge.pipe(client);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { port: server.address().port, close: () => server.close(), quiet: () => Promise.all(ends) };
}

/** A head's fields without what is between the client and us. */
function fields(raw) {
  let text = '';
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i].toLowerCase() !== 'sec-websocket-protocol') text += `${raw[i]}: ${raw[i + 1]}\r\n`;
  }
  return text;
}

/** Hands on the answer with our subprotocol selected, and then everything. */
function select(judge, client) {
  let answer = Buffer.alloc(0);
  judge.on('data', function read(bytes) {
    answer = Buffer.concat([answer, bytes]);
    const end = answer.indexOf('\r\n\r\n');
    if (end < 0) return;
    judge.off('data', read);
    client.write(answer.subarray(0, end));
    client.write('\r\nSec-WebSocket-Protocol: wardwire.raw');
    client.write(answer.subarray(end));
    judge.pipe(client);
  });
}
