/** What stands around every demo: who is signed in, how the connection is, and the attacks on it. */

import type { Wire } from '@wardwire/client';

import { attacksPanel } from './attacks/panel.js';
import { connectionCard } from './connection.js';
import { element, place } from './dom.js';
import { failedSignIn, session, signIn, signInAtProvider, signOutAtProvider, surroundings } from './gate.js';
import { why } from './notice.js';
import { showProvider, showSignIn } from './sign-in.js';
import { because, isOver, showState } from './status.js';

/** A client of any channels. */
export type Line = Omit<Wire, 'channel'>;

/** Runs a demo for whoever signs in. `enter` fills `#demo`; at its signal everything of that user goes. */
export async function shell(wire: Line, enter: (account: string, signal: AbortSignal) => void): Promise<void> {
  const [{ hostile, provider }, known] = await Promise.all([surroundings(), session().catch(() => null)]);
  const panel = attacksPanel(place('break-in'), hostile, provider);
  const card = connectionCard(place('connection'), wire, provider);
  let present: AbortController | null = null;

  const leave = async (): Promise<void> => {
    try {
      await (provider ? signOutAtProvider() : wire.signOut());
    } catch (error) {
      // The page has forgotten everything, and the cookie is as good as before: whoever leaves must hear of it.
      const untold = `The server was not told, and the session goes on: ${why(error)} Reload, and sign out again.`;
      card.tell(untold, 'bad');
      if (present === null) signedOut(untold);
    }
  };

  const signedIn = (account: string, expiresAt: number, chosen: boolean): void => {
    present = new AbortController();
    showAccount(account, leave);
    place('sign-in').hidden = true;
    place('demo').hidden = false;
    if (chosen) toStage();
    enter(account, present.signal);
    panel.signedIn(account);
    card.signedIn(account, expiresAt);
    wire.start();
  };

  const signedOut = (reason: string | null): void => {
    if (present !== null) toStage();
    present?.abort();
    present = null;
    place('account').replaceChildren();
    place('demo').hidden = true;
    place('sign-in').hidden = false;
    panel.signedOut();
    card.signedOut();
    if (provider) return showProvider(place('sign-in'), reason, () => signInAtProvider(null));
    showSignIn(place('sign-in'), reason, async (account) => {
      await signIn(account);
      signedIn(account, (await session())?.expiresAt ?? NaN, true);
    });
  };

  wire.on('state', (state) => {
    showState(state);
    if (state.kind !== 'ended') return;
    signedOut(because(state.reason) + (isOver(state.reason) ? ' This page has forgotten everything of that session.' : ''));
  });
  const failed = failedSignIn();
  if (known === null) signedOut(failed);
  else signedIn(known.subject, known.expiresAt, false);
  if (failed !== null) card.tell(failed, 'bad');
  showState(wire.state);
}

function showAccount(account: string, signOut: () => Promise<void>): void {
  const leave = element('button', {
    class: 'quiet',
    type: 'button',
    'data-testid': 'sign-out',
    text: 'Sign out',
    on: { click: () => void signOut() },
  });
  place('account').replaceChildren(badge(account), element('span', { class: 'name', 'data-testid': 'account', text: account }), leave);
}

/** What had the focus is about to go: whoever uses a keyboard goes on where the next thing is. */
function toStage(): void {
  place('stage').focus({ preventScroll: true });
}

/** The round letter that stands for somebody. */
export function badge(account: string): HTMLElement {
  return element('span', { class: 'badge', 'data-account': account, 'aria-hidden': 'true', text: [...account][0] ?? '' });
}
