/** The lobby: what others say on the left, one's own words on the right, all of it as text. */

import { type Publication, remedyFor, WardwireError, type Wire } from '/client/index.js';

import { clockTime, element } from './dom.js';

/** The channel that the demo talks in. */
export const lobby = 'chat/lobby';

/** Older messages than these leave the page. */
const shown = 200;

interface Message {
  readonly text: string;
  /** When it was sent, in milliseconds since the epoch: the sender's claim. */
  readonly at: number;
  /** Lets a sender recognise its own words when they come back. */
  readonly key: string | null;
}

/** Shows the room for `account` and follows the lobby. */
export function showRoom(room: HTMLElement, client: Wire, account: string): void {
  const list = element('div', { class: 'messages', role: 'log', 'aria-live': 'polite', 'aria-label': 'Messages', 'data-testid': 'messages', tabindex: '0' });
  const note = element('p', { class: 'notice', role: 'status', 'data-testid': 'notice' });
  note.hidden = true;
  const channel = client.channel(lobby);
  const unsent = new Map<string, HTMLElement>();

  const show = (bubble: HTMLElement): void => {
    list.append(bubble);
    while (list.childElementCount > shown) list.firstElementChild?.remove();
    list.scrollTop = list.scrollHeight;
  };

  const receive = (publication: Publication): void => {
    const message = readMessage(publication.data);
    const own = publication.from === account;
    const sent = own && message.key !== null ? unsent.get(message.key) : undefined;
    if (sent !== undefined && message.key !== null) {
      unsent.delete(message.key);
      return settle(sent, 'Delivered');
    }
    show(bubbleOf(publication.from ?? 'anonymous', message, own, own ? 'Delivered' : ''));
  };

  const send = (text: string): void => {
    const message: Message = { text, at: Date.now(), key: crypto.randomUUID() };
    const bubble = bubbleOf(account, message, true, 'Sending');
    if (message.key !== null) unsent.set(message.key, bubble);
    show(bubble);
    channel
      .publish(message)
      .then(() => settle(bubble, 'Delivered'), (error: unknown) => settle(bubble, `Not delivered: ${explain(error)}`));
  };

  room.replaceChildren(
    element(
      'header',
      { class: 'room-head' },
      element('h2', { id: 'room-title', text: 'Lobby' }),
      element('code', { class: 'channel', text: lobby }),
    ),
    note,
    list,
    composer(account, send),
  );

  channel.on('publication', receive);
  channel.subscribe().then(
    () => room.setAttribute('data-joined', 'yes'),
    (error: unknown) => {
      if (!note.isConnected || codeOf(error) !== 'forbidden') return;
      note.hidden = false;
      note.textContent = `Forbidden: ${account} is signed in, and still may not read ${lobby}. Being known is not being allowed; every right is named per channel.`;
    },
  );
}

function composer(account: string, send: (text: string) => void): HTMLElement {
  const input = element('input', {
    type: 'text',
    name: 'text',
    maxlength: '2000',
    autocomplete: 'off',
    placeholder: `Say something as ${account}`,
    'aria-label': 'Your message',
    'data-testid': 'message',
  });
  const form = element('form', { class: 'composer' }, input, element('button', { class: 'primary', type: 'submit', 'data-testid': 'send', text: 'Send' }));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (text === '') return;
    input.value = '';
    send(text);
  });
  return form;
}

function bubbleOf(from: string, message: Message, own: boolean, status: string): HTMLElement {
  return element(
    'div',
    { class: own ? 'bubble own' : 'bubble', 'data-from': from },
    element('span', { class: 'from', text: own ? 'You' : from }),
    element('p', { class: 'text', 'data-part': 'text', text: message.text }),
    element(
      'span',
      { class: 'meta' },
      element('time', { datetime: new Date(message.at).toISOString(), text: clockTime(message.at) }),
      element('span', { 'data-part': 'status', text: status }),
    ),
  );
}

function settle(bubble: HTMLElement, status: string): void {
  const place = bubble.querySelector('[data-part=status]');
  if (place !== null) place.textContent = status;
  bubble.classList.toggle('failed', status.startsWith('Not'));
}

/** Reads what somebody published. Whatever it is, it ends as text. */
function readMessage(data: unknown): Message {
  const fields = typeof data === 'object' && data !== null ? (data as { text?: unknown; at?: unknown; key?: unknown }) : {};
  const at = typeof fields.at === 'number' && Math.abs(Date.now() - fields.at) < 86_400_000 ? fields.at : Date.now();
  const key = typeof fields.key === 'string' ? fields.key : null;
  return { text: typeof fields.text === 'string' ? fields.text : JSON.stringify(data), at, key };
}

/** What was wrong, where, and what helps. */
function explain(error: unknown): string {
  if (!(error instanceof WardwireError)) return 'unknown';
  const { pointer, keyword } = error.data ?? {};
  const place = pointer === undefined ? '' : ` at "${pointer}"${keyword === undefined ? '' : ` (${keyword})`}`;
  return `${error.code}${place}. ${remedyFor(error)}`;
}

function codeOf(error: unknown): string {
  return error instanceof WardwireError ? error.code : 'unknown';
}
