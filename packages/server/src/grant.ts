/** Grants: by which an application's own key lets one user do something in one channel for a while. */

import { toBase64Url } from './base64.js';
import { isChannelName } from './channel-name.js';
import { demandNames, usage, UsageError } from './error.js';
import { type SigningJwk, type SigningKey, signerOf } from './key.js';

/** What can be granted in a channel. */
export type Action = 'subscribe' | 'publish' | 'history' | 'presence';

/** What is granted, to whom, where and for how long. */
export interface GrantOptions {
  /** `issuer` of the `[[issuer]]` in the server's configuration that has this key, and `signs = ["grants"]`. */
  readonly issuer: string;
  /** Its `audience`. */
  readonly audience: string;
  /** The user's handle, as the server calls them in `from`: with several issuers of users `name:sub`. */
  readonly subject: string;
  readonly channel: string;
  readonly may: readonly Action[];
  /** In seconds, whole ones: 1 to 3600. */
  readonly lifetime: number;
  /** By which it can be revoked (`jti`), 1 to 255 bytes. Default: a random one. */
  readonly id?: string;
  /** Which of the issuer's keys this is. Default: the `kid` of the JWK. */
  readonly kid?: string;
}

const actions: readonly string[] = ['subscribe', 'publish', 'history', 'presence'] satisfies Action[];
/** In seconds. */
const longestLife = 3600;
/** In bytes: of a `sub` or `jti`, of a `kid`, and of a whole grant. */
const longest = { name: 255, kid: 256, grant: 8 * 1024 } as const;

/**
 * Signs what `subscribe` of the user's client shows as `grant`. What no server would take is refused here, with a `UsageError`.
 * A JWK is read anew each time: where there is much to sign import it once, with `crypto.subtle.importKey`.
 */
export async function signGrant(key: SigningKey | SigningJwk, options: GrantOptions): Promise<string> {
  demandNames(options, 'issuer', 'audience', 'subject', 'channel', 'may', 'lifetime', 'id', 'kid');
  const claims = claimsOf(options);
  const { alg, kid: own, sign } = await signerOf(key);
  const { kid = own } = options;
  if (kid !== undefined) text('kid', kid, longest.kid);
  const header = { typ: 'wardwire-grant+jwt', alg, kid };
  const signed = `${encode(header)}.${encode(claims)}`;
  const signature = await sign(new TextEncoder().encode(signed));
  const grant = `${signed}.${toBase64Url(new Uint8Array(signature))}`;
  if (grant.length > longest.grant) throw new UsageError('message-too-large');
  return grant;
}

function claimsOf({ issuer, audience, subject, channel, may, lifetime, id = crypto.randomUUID() }: GrantOptions): object {
  text('issuer', issuer, Infinity);
  text('audience', audience, Infinity);
  text('subject', subject, longest.name);
  text('id', id, longest.name);
  if (!isChannelName(channel)) throw usage('`channel` is the name of one channel, and no pattern.');
  if (!Array.isArray(may) || may.length === 0 || !may.every((it) => actions.includes(it))) {
    throw usage(`\`may\` is a list of some of ${actions.join(', ')}.`);
  }
  if (!Number.isInteger(lifetime) || lifetime < 1 || lifetime > longestLife) throw usage(`\`lifetime\` is 1 to ${longestLife} seconds.`);
  const iat = Math.floor(Date.now() / 1000);
  return { iss: issuer, aud: audience, sub: subject, channels: { [channel]: may }, iat, exp: iat + lifetime, jti: id };
}

function text(name: string, value: unknown, bytes: number): void {
  const fits = typeof value === 'string' && value !== '' && !/\p{Cs}/u.test(value) && new TextEncoder().encode(value).length <= bytes;
  if (!fits) throw usage(`\`${name}\` is a text that is not empty${bytes === Infinity ? '' : `, of at most ${bytes} bytes`}.`);
}

function encode(value: object): string {
  return toBase64Url(new TextEncoder().encode(JSON.stringify(value)));
}
