/** The card that tells how the connection is, and makes it go through what connections go through. */

import { SecureWebSocket, type State, stepUpFor } from '@wardwire/client';

import { plug, pull } from './cable.js';
import { clockTime, element } from './dom.js';
import { shortToken, signInAtProvider, signOutElsewhere } from './gate.js';
import type { Line } from './shell.js';
import { because } from './status.js';

/** The card, as the page drives it. */
export interface ConnectionCard {
  tell(text: string, tone: string): void;
  signedIn(account: string, expiresAt: number): void;
  signedOut(): void;
}

const pingEveryMs = 2000;
/** Round trips in the picture. */
const shownTrips = 40;
/** Lines of what happened. */
const shownEvents = 30;

/** Builds the card into its place. With a provider it has what only a provider can do, and not what only our own issuer can. */
export function connectionCard(root: HTMLElement, wire: Line, provider: boolean): ConnectionCard {
  const trip = figure('Round trip', 'latency');
  const ends = figure('Proof ends in', 'ends');
  const picture = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
  const log = element('ol', { role: 'list' });
  const events = element('div', { class: 'events', role: 'log', 'aria-label': 'What happened to the connection', 'data-testid': 'events', tabindex: '0' }, log);
  const cut = button('pull', 'Pull the cable');
  const expire = button('expire', 'Let the proof expire');
  const elsewhere = button('elsewhere', 'Sign out elsewhere');
  const vault = button('vault', 'Open the vault');
  const causes = provider ? [cut, elsewhere, vault] : [cut, expire, elsewhere];
  let account = '';
  let expiresAt = NaN;
  let pulled = false;

  cut.setAttribute('aria-pressed', 'false');
  picture.setAttribute('class', 'trips');
  picture.setAttribute('viewBox', `0 0 ${shownTrips - 1} 24`);
  picture.setAttribute('preserveAspectRatio', 'none');
  picture.setAttribute('aria-hidden', 'true');
  picture.append(line);
  root.replaceChildren(
    element('header', { class: 'card-head' }, element('h2', { id: 'connection-title', text: 'The connection' })),
    element('dl', { class: 'figures' }, trip.root, ends.root),
    picture as unknown as HTMLElement,
    element('div', { class: 'causes', role: 'group', 'aria-label': 'Let something happen' }, ...causes),
    events,
  );

  const tell = (text: string, tone = ''): void => {
    const time = element('time', { text: clockTime(Date.now(), true) });
    log.prepend(element('li', { 'data-tone': tone }, time, element('span', { text })));
    while (log.childElementCount > shownEvents) log.lastElementChild?.remove();
  };

  cut.addEventListener('click', () => {
    pulled = !pulled;
    cut.textContent = pulled ? 'Plug it in again' : 'Pull the cable';
    cut.setAttribute('aria-pressed', String(pulled));
    tell(pulled ? 'The cable is pulled: nothing comes through.' : 'The cable is in again.');
    if (pulled) pull();
    else plug();
  });
  expire.addEventListener('click', () => {
    const renewed = async (): Promise<void> => {
      expiresAt = await wire.refresh(await shortToken(account));
      tell('The socket now stands on a token that ends in seconds.');
    };
    renewed().catch((error: unknown) => tell(`No such token: ${error instanceof Error ? error.message : 'unknown'}`, 'bad'));
  });
  elsewhere.addEventListener('click', () => {
    tell('Another tab of this browser signs out.');
    void signOutElsewhere();
  });

  vault.addEventListener('click', () => openVault(tell));

  const trips: number[] = [];
  const measure = async (): Promise<void> => {
    if (wire.state.kind !== 'open' || document.hidden) return;
    const sent = performance.now();
    await wire.ping();
    trips.push(performance.now() - sent);
    if (trips.length > shownTrips) trips.shift();
    trip.value.textContent = milliseconds(median(trips.slice(-5)));
    const most = Math.max(...trips, 2);
    const points = trips.map((ms, at) => `${at + shownTrips - trips.length},${(23 - (ms / most) * 21).toFixed(1)}`);
    line.setAttribute('points', points.join(' '));
  };
  const look = (): void => void measure().catch(() => undefined);
  setInterval(look, pingEveryMs);
  setInterval(() => (ends.value.textContent = account === '' ? '–' : remaining(expiresAt - Date.now())), 500);

  wire.on('state', (state) => {
    for (const it of [expire, elsewhere, vault]) it.disabled = state.kind !== 'open';
    const told = sentence(state);
    if (told !== null) tell(told, state.kind === 'open' ? 'good' : state.kind === 'connecting' ? '' : 'bad');
    if (state.kind === 'open') setTimeout(look, 500);
    else trip.value.textContent = '–';
  });
  wire.on('expiring', ({ expiresAt: at }) => (expiresAt = at));
  return {
    tell,
    signedIn(name, until) {
      account = name;
      expiresAt = until;
      cut.disabled = false;
    },
    signedOut() {
      account = '';
      trips.length = 0;
      ends.value.textContent = '–';
      line.removeAttribute('points');
      for (const it of [cut, expire, elsewhere, vault]) it.disabled = true;
      if (pulled) cut.click();
      cut.disabled = true;
    },
  };
}

/** Opens a socket of a route that needs a second factor; who has not given it is sent to give it. */
function openVault(tell: (text: string, tone?: string) => void): void {
  const socket = new SecureWebSocket('/vault');
  socket.onopen = () => {
    tell('The vault is open.', 'good');
    socket.close();
  };
  socket.onerror = () => {
    const { refusal } = socket;
    tell(`The vault stays shut: ${refusal?.code ?? 'nobody knows why'}.`, 'bad');
    const stepUp = refusal && stepUpFor(refusal);
    if (stepUp !== null) signInAtProvider(stepUp);
  };
}

/** One sentence of each turn; `null` for those that are nothing to tell. */
function sentence(state: State): string | null {
  switch (state.kind) {
    case 'connecting':
      return state.attempt === 0 ? 'Brings the cookie of the session.' : `Asks for a fresh ticket (attempt ${state.attempt + 1}).`;
    case 'open':
      return 'Open.';
    case 'waiting':
      return `${because(state.reason)} Tries again in ${((state.until - Date.now()) / 1000).toFixed(1)} s.`;
    case 'ended':
      return `${because(state.reason)} Does not try again.`;
    case 'idle':
    case 'suspended':
      return null;
  }
}

function figure(title: string, id: string): { root: HTMLElement; value: HTMLElement } {
  const value = element('dd', { 'data-testid': id, text: '–' });
  return { root: element('div', {}, element('dt', { text: title }), value), value };
}

function button(id: string, text: string): HTMLButtonElement {
  return element('button', { type: 'button', 'data-testid': id, text, disabled: true });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

export function milliseconds(ms: number): string {
  return Number.isFinite(ms) ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : '–';
}

function remaining(ms: number): string {
  if (!Number.isFinite(ms)) return '–';
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return seconds < 100 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
