/** The server's HTTP side, as this page uses it. */

import type { StepUp } from '@wardwire/client';

/** One line of the audit log. */
export interface AuditEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** An HTTP answer, as far as the page shows it. */
export interface Answer {
  readonly status: number;
  readonly body: { readonly [field: string]: unknown };
}

/** What to send along: the cookie, nothing, or a token instead. */
export type Proof = { readonly kind: 'cookie' } | { readonly kind: 'nothing' } | { readonly kind: 'token'; readonly token: string };

/** Where the hostile pages live. */
export interface Hostile {
  /** Another site: `https://127.0.0.1:8444`. */
  readonly elsewhere: string;
  /** Another origin of this very site, to which SameSite cookies do go: `https://localhost:8444`. */
  readonly sameSite: string;
}

/** What the server is like. */
export interface Surroundings {
  readonly hostile: Hostile;
  /** Whether people sign in at a provider. */
  readonly provider: boolean;
}

/** The route that the page connects to. */
export const route = '/live';

/** The address of its socket. */
export const socketUrl = `wss://${location.host}${route}`;

/** Who is signed in, and who vouches for them. */
export interface Session {
  readonly subject: string;
  readonly issuer: string;
  /** In milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** The session that the cookie names; `null` for none. */
export async function session(): Promise<Session | null> {
  const { status, body } = await call('GET', '/.wardwire/session', { kind: 'cookie' });
  if (status !== 200 || typeof body['subject'] !== 'string') return null;
  return { subject: body['subject'], issuer: String(body['issuer'] ?? location.origin), expiresAt: Number(body['expires_at']) * 1000 };
}

/** Signs in as one of the demo's accounts, which need no password. */
export async function signIn(account: string): Promise<void> {
  const answer = await call('POST', '/.wardwire/demo/sign-in', { kind: 'cookie' }, { body: { account } });
  if (answer.status !== 200) throw new Error(`The server answered ${answer.status}.`);
}

/** Goes to sign in at the provider, who is asked for that, and comes back to this page. */
export function signInAtProvider(stepUp: StepUp | null): void {
  const asked = new URLSearchParams({ ...stepUp, return_to: location.pathname });
  location.assign(`/.wardwire/login?${asked}`);
}

/** What a sign-in came to that led back here with nothing, by the words that the server passes on. */
const failures = new Map([
  ['access_denied', 'it was called off at the provider.'],
  ['unmet_authentication_requirements', 'the provider did not ask for what is needed here.'],
]);

/** Why nobody was signed in, told once; `null` if that is not so. */
export function failedSignIn(): string | null {
  const address = new URL(location.href);
  const error = address.searchParams.get('error');
  if (error === null) return null;
  address.searchParams.delete('error');
  history.replaceState(null, '', address);
  return `That came to nothing: ${failures.get(error) ?? 'the provider does not say why.'}`;
}

/** Ends the session, and goes on to sign out at the provider too. Wherever an answer leads, it is never to run as a script. */
export async function signOutAtProvider(): Promise<void> {
  const { status, body } = await call('POST', '/.wardwire/logout', { kind: 'cookie' }, { body: {} });
  if (status >= 400) throw new Error(`The server answered ${status}.`);
  const next = URL.parse(String(body['continue'] ?? ''));
  if (next?.protocol === 'https:') location.assign(next);
}

/** Asks for a ticket. */
export function askForTicket(proof: Proof, trace: string): Promise<Answer> {
  return call('POST', '/.wardwire/tickets', proof, { body: { route }, trace });
}

/** A ticket for the one who is signed in. */
export async function ticket(trace: string): Promise<string> {
  const answer = await askForTicket({ kind: 'cookie' }, trace);
  if (typeof answer.body['ticket'] !== 'string') throw new Error(`No ticket: ${answer.status} ${String(answer.body['code'] ?? '')}`);
  return answer.body['ticket'];
}

/** A token that the demo's issuer signed properly, and that has expired. */
export async function expiredToken(): Promise<string> {
  const answer = await call('POST', '/.wardwire/demo/expired-token', { kind: 'cookie' });
  if (typeof answer.body['access_token'] !== 'string') throw new Error(`The server answered ${answer.status}.`);
  return answer.body['access_token'];
}

/** A token of this account's that ends in seconds. */
export async function shortToken(account: string): Promise<string> {
  const answer = await call('POST', '/.wardwire/demo/short-token', { kind: 'cookie' }, { body: { account } });
  if (typeof answer.body['access_token'] !== 'string') throw new Error(`The server answered ${answer.status}.`);
  return answer.body['access_token'];
}

/** Ends the session as another tab of this browser would: the socket of this page is not asked. */
export async function signOutElsewhere(): Promise<void> {
  await call('DELETE', '/.wardwire/session', { kind: 'cookie' });
}

/** What is around. The hostile pages are one port up by default, which is where the demo puts them. */
export async function surroundings(): Promise<Surroundings> {
  const next = Number(location.port || 443) + 1;
  const answer = await call('GET', '/.wardwire/demo/info', { kind: 'cookie' }).catch(() => ({ status: 0, body: {} }) as Answer);
  const { hostile: elsewhere, hostile_same_site: sameSite, provider } = answer.body;
  return {
    hostile: {
      elsewhere: originOf(elsewhere) ?? `https://127.0.0.1:${next}`,
      sameSite: originOf(sameSite) ?? `https://localhost:${next}`,
    },
    provider: typeof provider === 'string',
  };
}

/** The origin of an `https` address. */
function originOf(value: unknown): string | null {
  const address = URL.parse(String(value));
  return address?.protocol === 'https:' ? address.origin : null;
}

/** What the audit log says about one attempt, once it names an event of that kind; what there is after ten seconds. */
export async function audit(trace: string, awaited: string): Promise<readonly AuditEvent[]> {
  const until = performance.now() + 10_000;
  for (;;) {
    const events = await auditNow(trace);
    if (events.some(({ event }) => event === awaited) || performance.now() > until) return events;
    await new Promise((resolve) => setTimeout(resolve, 120));
  }
}

async function auditNow(trace: string): Promise<readonly AuditEvent[]> {
  const response = await fetch(`/.wardwire/demo/audit?trace=${encodeURIComponent(trace)}`, { cache: 'no-store' });
  const events: unknown = response.ok ? await response.json() : [];
  return Array.isArray(events) ? events.filter(isAuditEvent) : [];
}

function isAuditEvent(value: unknown): value is AuditEvent {
  return typeof value === 'object' && value !== null && typeof (value as { event?: unknown }).event === 'string';
}

interface More {
  readonly body?: object;
  readonly trace?: string;
}

async function call(method: string, path: string, proof: Proof, more: More = {}): Promise<Answer> {
  const headers: Record<string, string> = {};
  if (more.body !== undefined) headers['content-type'] = 'application/json';
  if (more.trace !== undefined) headers['wardwire-trace'] = more.trace;
  if (proof.kind === 'token') headers['authorization'] = `Bearer ${proof.token}`;
  const response = await fetch(path, {
    method,
    headers,
    body: more.body === undefined ? null : JSON.stringify(more.body),
    credentials: proof.kind === 'cookie' ? 'same-origin' : 'omit',
    cache: 'no-store',
  });
  const body: unknown = await response.json().catch(() => ({}));
  return { status: response.status, body: typeof body === 'object' && body !== null ? (body as Answer['body']) : {} };
}
