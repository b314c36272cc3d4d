/** The demo page: who is signed in decides what is shown. */

import { session as cookie, type State, Wire } from '/client/index.js';

import { attacksPanel } from './attacks/panel.js';
import { lobby, showRoom } from './chat.js';
import { element, place } from './dom.js';
import { hostile, route, session, signIn } from './gate.js';
import { because, showState } from './status.js';
import { showSignIn } from './sign-in.js';

const client = new Wire(route, { auth: cookie() });
const panel = attacksPanel(place('break-in'), await hostile());

client.on('state', (state) => {
  showState(state);
  if (state.kind === 'ended') signedOut(notice(state));
});

const known = await session().catch(() => null);
if (known === null) signedOut(null);
else signedIn(known.subject);
showState(client.state);

function signedIn(account: string): void {
  const leave = element('button', {
    class: 'quiet',
    type: 'button',
    'data-testid': 'sign-out',
    text: 'Sign out',
    on: { click: () => void client.signOut().catch(() => undefined) },
  });
  const badge = element('span', { class: 'badge', 'data-account': account, 'aria-hidden': 'true', text: account.slice(0, 1) });
  place('account').replaceChildren(badge, element('span', { class: 'name', 'data-testid': 'account', text: account }), leave);
  showRoom(place('room'), client, account);
  panel.signedIn(account);
  client.start();
}

function signedOut(why: string | null): void {
  place('account').replaceChildren();
  // Whoever signs in next must not inherit what the one before followed.
  client.channel(lobby).unsubscribe();
  panel.signedOut();
  showSignIn(place('room'), why, async (account) => {
    await signIn(account);
    signedIn(account);
  });
}

function notice(state: Extract<State, { kind: 'ended' }>): string {
  const { reason } = state;
  const wiped = reason.kind === 'signed-out' ? ' This page has forgotten everything of that session.' : '';
  return because(reason) + wiped;
}
