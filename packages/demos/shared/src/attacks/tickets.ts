/** Attacks on the question "who is this?": no credential, bad ones, and one used twice. */

import { askForTicket, expiredToken, type Proof, session, ticket } from '../gate.js';
import { type Arena, type Attack, type Outcome, refusedUnless } from './attack.js';
import { describe, knock } from './knock.js';

export const noCredential: Attack = {
  id: 'no-credential',
  title: 'No credential at all',
  tries: 'Asks for a ticket with the cookie left at home.',
  run: ({ trace }) => ask({ kind: 'nothing' }, trace, 'no cookie, no token'),
};

export const expired: Attack = {
  id: 'expired-token',
  title: 'An expired token',
  tries: 'Brings a token that the right issuer signed, and that ran out.',
  run: async ({ trace }) => ask({ kind: 'token', token: await expiredToken() }, trace, 'Authorization: Bearer (signed, expired)'),
};

export const algNone: Attack = {
  id: 'alg-none',
  title: 'A token that nobody signed',
  tries: 'Writes its own token, says "alg": "none", and claims to be alice.',
  run: async ({ trace }) => ask({ kind: 'token', token: await unsigned() }, trace, 'Authorization: Bearer (alg none, sub alice)'),
};

export const ticketTwice: Attack = {
  id: 'ticket-twice',
  title: 'A ticket used twice',
  tries: 'Gets an honest ticket, opens a socket with it, and tries the same ticket again.',
  run: useTwice,
};

async function ask(proof: Proof, trace: string, brought: string): Promise<Outcome> {
  const answer = await askForTicket(proof, trace);
  const { code, title } = answer.body;
  return {
    verdict: refusedUnless(answer.status < 400),
    saw: [
      'POST /.wardwire/tickets',
      brought,
      `HTTP ${answer.status}, code "${String(code ?? '')}"`,
      ...(typeof title === 'string' ? [`"${title}"`] : []),
    ],
    awaits: 'refusal',
  };
}

/** The header and claims of a good token, and an empty signature (RFC 7519 §6). */
async function unsigned(): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const iss = (await session())?.issuer ?? location.origin;
  const claims = { iss, aud: 'wardwire', sub: 'alice', iat: now, exp: now + 3600, jti: crypto.randomUUID(), client_id: 'demo' };
  const part = (value: object): string =>
    btoa(JSON.stringify(value)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  return `${part({ alg: 'none', typ: 'at+jwt' })}.${part(claims)}.`;
}

async function useTwice({ trace }: Arena): Promise<Outcome> {
  if ((await session()) === null) return { verdict: { kind: 'unclear' }, saw: ['Nobody is signed in.'], awaits: 'refusal' };
  const once = await ticket(trace);
  const first = await knock(trace, once);
  const second = await knock(trace, once);
  const unclear = first.kind === 'failed';
  for (const knocked of [first, second]) if (knocked.kind === 'opened') knocked.socket.close(1000, 'done');
  return {
    verdict: unclear ? { kind: 'unclear' } : refusedUnless(second.kind === 'opened'),
    saw: ['first socket:', ...describe(first), 'second socket, same ticket:', ...describe(second)],
    awaits: 'refusal',
  };
}
