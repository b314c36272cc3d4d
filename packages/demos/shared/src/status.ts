/** The state of the connection, in the page's header. */

import type { Reason, State } from '@wardwire/client';

import { element, place } from './dom.js';

let countdown: ReturnType<typeof setInterval> | undefined;

/** Shows a state. The running seconds are hidden from screen readers, which would read each of them. */
export function showState(state: State): void {
  clearInterval(countdown);
  const status = place('status');
  const seconds = element('span', { 'aria-hidden': 'true' });
  status.dataset['tone'] = tone(state);
  status.dataset['state'] = state.kind;
  status.replaceChildren(element('span', { class: 'dot', 'aria-hidden': 'true' }), element('span', { text: sentence(state) }), seconds);
  if (state.kind !== 'waiting') return;
  const tick = (): void => void (seconds.textContent = ` ${Math.max(0, Math.ceil((state.until - Date.now()) / 1000))} s`);
  tick();
  countdown = setInterval(tick, 500);
}

/** What the server's words come to. A map, as a server could say `constructor`. */
const closes: ReadonlyMap<string, string> = new Map([
  ['expired', 'The proof of who you are has expired'],
  ['restart', 'The server restarts'],
]);
const ends: ReadonlyMap<string, string> = new Map([
  ['logged-out', 'You were signed out elsewhere'],
  ['revoked', 'The right to be here was taken back'],
]);

/** Why there is no connection, in one sentence. */
export function because(reason: Reason): string {
  switch (reason.kind) {
    case 'refused':
      if (reason.error.code === 'unreachable') return 'The server cannot be reached.';
      return reason.error.status === 401 ? 'This session has ended. Sign in again.' : `${reason.error.title} (${reason.error.code}).`;
    case 'closed':
      if (reason.word === '') return `The connection was lost (${reason.code}).`;
      return `${closes.get(reason.word) ?? `The server closed: ${reason.word}`} (${reason.code}).`;
    case 'signed-out':
      if (reason.by === 'another-user') return 'Somebody else signed in here. Reload to go on as them.';
      return reason.by === 'client' ? 'Signed out.' : `${ends.get(reason.word) ?? 'The server ended this session'} (${reason.word}).`;
    case 'stopped':
      return 'Disconnected.';
  }
}

function tone(state: State): string {
  switch (state.kind) {
    case 'open':
      return 'good';
    case 'connecting':
    case 'waiting':
      return 'busy';
    case 'idle':
    case 'suspended':
      return 'idle';
    case 'ended':
      return isRefusal(state.reason) ? 'bad' : 'idle';
  }
}

function sentence(state: State): string {
  switch (state.kind) {
    case 'idle':
    case 'suspended':
      return 'Not connected';
    case 'connecting':
      return 'Connecting';
    case 'open':
      return 'Connected';
    case 'waiting':
      return 'Reconnecting in';
    case 'ended':
      return isRefusal(state.reason) ? 'Refused' : 'Not connected';
  }
}

/** Whether the session has ended: the server said so on the socket, or, where that was lost before, at the next attempt. */
export function isOver(reason: Reason): boolean {
  return reason.kind === 'signed-out' || (reason.kind === 'refused' && reason.error.status === 401);
}

/** A session that ended is everyday; any other refusal is worth a colour. */
function isRefusal(reason: Reason): boolean {
  return reason.kind === 'refused' && !isOver(reason);
}
