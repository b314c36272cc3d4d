/** The sign-in card: three accounts, and what each may do. */

import { element } from './dom.js';

interface Account {
  readonly name: string;
  readonly may: string;
}

const accounts: readonly Account[] = [
  { name: 'alice', may: 'Every room, the market and the arena.' },
  { name: 'bob', may: 'The same, but not the room of the staff. Open a second browser for him.' },
  { name: 'mallory', may: 'May sign in, and has no right to any channel.' },
];

/** Shows the card where the demo will be. */
export function showSignIn(place: HTMLElement, why: string | null, choose: (account: string) => Promise<void>): void {
  const trouble = notice(why);
  const pick = (account: Account): HTMLElement => {
    const button = element(
      'button',
      { class: 'pick', type: 'button', 'data-testid': `sign-in-${account.name}` },
      element('span', { class: 'badge', 'data-account': account.name, 'aria-hidden': 'true', text: account.name.slice(0, 1) }),
      element('span', {}, element('strong', { text: account.name }), element('span', { class: 'may', text: account.may })),
    );
    button.addEventListener('click', () => {
      busy(true);
      choose(account.name).catch((error: unknown) => {
        busy(false);
        trouble.hidden = false;
        trouble.textContent = `That did not work. ${error instanceof Error ? error.message : ''}`;
      });
    });
    return element('li', {}, button);
  };
  const items = accounts.map(pick);
  /** One at a time. */
  const busy = (is: boolean): void => items.forEach((item) => item.querySelectorAll('button').forEach((it) => (it.disabled = is)));
  place.replaceChildren(
    head(),
    trouble,
    element('p', { class: 'lead', text: 'Pick who you are. The server sets a session cookie that no script can read.' }),
    element('ul', { class: 'picks', role: 'list' }, ...items),
  );
}

/** The card where people sign in at a provider. */
export function showProvider(place: HTMLElement, why: string | null, go: () => void): void {
  place.replaceChildren(
    head(),
    notice(why),
    element('p', { class: 'lead', text: 'At an OpenID provider, which sends you back. The page sees no token of it, and the server sets a cookie that no script can read.' }),
    element('p', {}, element('button', { type: 'button', 'data-testid': 'sign-in', text: 'Sign in', on: { click: go } })),
  );
}

function head(): HTMLElement {
  return element('header', { class: 'card-head' }, element('h2', { id: 'sign-in-title', text: 'Sign in' }));
}

function notice(why: string | null): HTMLElement {
  const made = element('p', { class: 'notice', role: 'status', 'data-testid': 'notice', text: why ?? '' });
  made.hidden = why === null;
  return made;
}
