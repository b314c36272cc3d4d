/** A chat: rooms by claim, who is here, who types, what was said before, and HTML that the server has made safe. */

import { type Channel, history, type Member, presence, type Publication, session, WardwireError, Wire } from '@wardwire/client';

import { cable } from '../shared/src/cable.js';
import { clockTime, element, place } from '../shared/src/dom.js';
import { showHtml } from '../shared/src/html.js';
import { tell, why } from '../shared/src/notice.js';
import { badge, shell } from '../shared/src/shell.js';

/** What is said in a room. What the schema holds is in message.json. */
interface Message {
  readonly text: string;
  /** When it was sent, in milliseconds since the epoch: the sender's claim. */
  readonly at?: number;
}

interface Room {
  readonly name: string;
  readonly about: string;
  /** Both ends have agreed on HTML here: the server sanitises it, and the page sanitises it again. */
  readonly html: boolean;
}

const rooms: readonly Room[] = [
  { name: 'lobby', about: 'For everybody. HTML is welcome: the server takes out what could do harm.', html: true },
  { name: 'staff', about: 'For those whose token says so, in its claim rooms.', html: true },
  { name: 'raw', about: 'The server cleans nothing here. The page shows it as text, and nothing happens.', html: false },
];

/** Messages of one page of history, and the most that stay in the page. */
const page = 25;
const mostShown = 500;
/** Who types says so this often, and is believed for a little longer. */
const typingEveryMs = 2000;
const typingLastsMs = 3500;

const tries: Readonly<Record<string, string>> = {
  'try-html': 'This is <b>bold</b>, this is <em>meant</em>, and <a href="https://www.rfc-editor.org/rfc/rfc6455">this</a> is a link.',
  'try-script': 'Nice picture! <img src=x onerror="window.brokenIn = true"><script>window.brokenIn = true</script>',
  'try-long': 'far too long '.repeat(50),
};

const wire = new Wire('/live', { auth: session(), platform: cable });

void shell(wire, (account, signal) => {
  let leave = new AbortController();
  const open = (room: Room): void => {
    leave.abort();
    leave = new AbortController();
    for (const item of place('rooms').querySelectorAll('button')) {
      if (item.dataset['room'] === room.name) item.setAttribute('aria-current', 'true');
      else item.removeAttribute('aria-current');
    }
    enterRoom(room, account, AbortSignal.any([signal, leave.signal]));
  };
  const items = rooms.map((room) => {
    const item = element('button', { type: 'button', 'data-room': room.name, 'data-testid': `room-${room.name}`, on: { click: () => open(room) } }, room.name);
    return element('li', {}, item);
  });
  place('rooms').replaceChildren(...items);
  signal.addEventListener('abort', () => place('rooms').replaceChildren());
  open(rooms[0] as Room);
});

/** Follows a room until the signal: what is in the page then goes. */
function enterRoom(room: Room, account: string, signal: AbortSignal): void {
  const channel = wire.channel(`chat/${room.name}`) as Channel<Message>;
  const list = place('list');
  const older = place<HTMLButtonElement>('older');
  /** Each message by its position, so that none is shown twice. */
  const shown = new Map<string, HTMLElement>();
  /** What was sent and has not come back, by its id. */
  const unsent = new Map<string, HTMLElement>();
  const clear = (): void => {
    list.replaceChildren();
    place('people').replaceChildren();
    for (const id of ['room-title', 'room-about', 'channel', 'count', 'typing']) place(id).textContent = '';
    delete place('room').dataset['state'];
    delete older.dataset['before'];
    older.hidden = true;
    tell(null);
  };

  const receive = (publication: Publication<Message>): void => {
    if (shown.has(publication.position)) return;
    const follows = isAtEnd();
    const own = publication.from === account;
    const sent = own && publication.id !== null ? unsent.get(publication.id) : undefined;
    const line = sent ?? list.appendChild(lineOf(publication.from, account));
    if (sent !== undefined) unsent.delete(publication.id ?? '');
    fill(line, publication.data, room.html);
    settle(line, own ? 'Delivered' : '');
    shown.set(publication.position, line);
    if (shown.size > mostShown) forgetOldest();
    if (follows) toEnd();
  };

  const forgetOldest = (): void => {
    list.firstElementChild?.remove();
    for (const [position, line] of shown) if (!line.isConnected) shown.delete(position);
  };

  /** Puts a page of history above what is shown. */
  const prepend = async (before?: string): Promise<void> => {
    const { publications, more } = await history(channel, { limit: page, signal, ...(before !== undefined && { before }) });
    const first = list.firstElementChild;
    const height = list.scrollHeight;
    for (const publication of publications) {
      if (shown.has(publication.position)) continue;
      const line = lineOf(publication.from, account);
      fill(line, publication.data, room.html);
      shown.set(publication.position, line);
      list.insertBefore(line, first);
    }
    older.dataset['before'] = publications[0]?.position ?? before ?? '';
    older.hidden = !more;
    if (before === undefined) toEnd();
    else place('messages').scrollTop += list.scrollHeight - height;
  };
  const load = (before?: string): void => void prepend(before).catch((error: unknown) => signal.aborted || tell(`The history is not to be had: ${why(error)}`));

  /** Gives whether it is to be forgotten: what was refused is still the sender's. */
  const send = async (text: string): Promise<boolean> => {
    const message: Message = { text, at: Date.now() };
    const id = crypto.randomUUID();
    const line = list.appendChild(lineOf(account, account));
    fill(line, message, false);
    settle(line, 'Sending');
    unsent.set(id, line);
    toEnd();
    try {
      await channel.publish(message, { id, signal });
      return true;
    } catch (error) {
      unsent.delete(id);
      if (signal.aborted) return true;
      const follows = isAtEnd();
      settle(line, `Refused: ${why(error)}`, true);
      if (follows) toEnd();
      return false;
    }
  };

  clear();
  signal.addEventListener('abort', clear);
  place('room-title').textContent = room.name;
  place('room-about').textContent = room.about;
  place('channel').textContent = channel.name;
  older.onclick = () => load(older.dataset['before']);

  channel.on('publication', receive, { signal });
  channel.on(
    'state',
    (state) => {
      place('room').dataset['state'] = state.kind;
      if (state.kind === 'ended') {
        const forbidden = `Forbidden: ${account} is signed in, and still may not read ${channel.name}. Being known is not being allowed; every right is named per channel.`;
        tell(state.error.code === 'forbidden' ? forbidden : `This room has ended: ${why(state.error)}`);
      }
      if (state.kind !== 'live') return;
      tell(null);
      // What was missed while away has come already, unless more was missed than the server keeps.
      if (!state.recovered) load();
      else tell('Back again: what was said meanwhile has been caught up with.');
    },
    { signal },
  );
  showPeople(channel, signal);
  const typed = showTyping(room, account, signal);
  compose(account, send, typed, signal);
}

/** Who is here, where the server tells of it. */
function showPeople(channel: Channel<Message>, signal: AbortSignal): void {
  const here = new Map<string, Member>();
  const show = (count: number): void => {
    place('count').textContent = String(count);
    place('people').replaceChildren(...[...here.values()].slice(0, 100).map(({ from }) => element('li', { 'data-member': from }, badge(from), from)));
  };
  // What comes and goes while it is asked is newer than the answer.
  let meanwhile: (() => void)[] | null = null;
  const turn = (all: number, apply: () => void): void => {
    meanwhile?.push(() => turn(all, apply));
    apply();
    show(all);
  };
  const count = async (): Promise<void> => {
    meanwhile = [];
    const { members, count: all } = await presence(channel, { signal });
    const newer = meanwhile.splice(0);
    meanwhile = null;
    here.clear();
    turn(all, () => members.forEach((member) => here.set(member.from, member)));
    for (const again of newer) again();
  };
  const look = (): void =>
    void count().catch((error: unknown) => {
      if (signal.aborted) return;
      const untold = error instanceof WardwireError && (error.code === 'method' || error.code === 'forbidden');
      place('people').replaceChildren(element('li', { class: 'untold', text: untold ? 'This room does not tell.' : why(error) }));
    });
  channel.on('state', ({ kind }) => (kind === 'live' ? look() : undefined), { signal });
  channel.on('joined', ({ count: all, members }) => turn(all, () => members.forEach((it) => here.set(it.from, it))), { signal });
  channel.on('left', ({ count: all, members }) => turn(all, () => members.forEach((it) => here.delete(it.from))), { signal });
}

type Typed = (still: 'still' | 'no longer') => void;

/** Who types. What it returns says that one types oneself: others hear of it at once, and nothing is kept. */
function showTyping(room: Room, account: string, signal: AbortSignal): Typed {
  const channel = wire.channel(`chat/${room.name}/typing`);
  const typing = new Map<string, ReturnType<typeof setTimeout>>();
  const show = (): void => {
    const [first, ...more] = typing.keys();
    if (first === undefined) return place('typing').replaceChildren();
    place('typing').replaceChildren(element('bdi', { text: first }), more.length === 0 ? ' is typing' : ` and ${more.length} more are typing`);
  };
  const forget = (from: string): void => {
    clearTimeout(typing.get(from));
    typing.delete(from);
    show();
  };
  channel.on(
    'publication',
    ({ from }) => {
      if (from === null || from === account) return;
      clearTimeout(typing.get(from));
      typing.set(from, setTimeout(() => forget(from), typingLastsMs));
      show();
    },
    { signal },
  );
  wire.channel(`chat/${room.name}`).on('publication', ({ from }) => from !== null && forget(from), { signal });
  signal.addEventListener('abort', () => typing.forEach((timer) => clearTimeout(timer)));
  let said = -Infinity;
  return (still) => {
    if (still === 'no longer') said = -Infinity;
    if (still === 'no longer' || performance.now() - said < typingEveryMs) return;
    said = performance.now();
    channel.publish({}, { noEcho: true, signal }).catch(() => undefined);
  };
}

function compose(account: string, send: (text: string) => Promise<boolean>, typed: Typed, signal: AbortSignal): void {
  const form = place<HTMLFormElement>('composer');
  const input = place<HTMLInputElement>('message');
  input.placeholder = `Say something as ${account}`;
  signal.addEventListener('abort', () => (form.reset(), input.removeAttribute('placeholder')));
  input.addEventListener('input', () => typed('still'), { signal });
  const submit = (event: Event): void => {
    event.preventDefault();
    const text = input.value.trim();
    if (text === '') return;
    input.value = '';
    typed('no longer');
    void send(text).then((done) => done || input.value !== '' || (input.value = text));
  };
  form.addEventListener('submit', submit, { signal });
  for (const [id, text] of Object.entries(tries)) place(id).addEventListener('click', () => void send(text), { signal });
}

function lineOf(from: string | null, account: string): HTMLElement {
  const own = from === account;
  const meta = element('span', { class: 'meta' }, element('time', { 'data-part': 'time' }), element('span', { 'data-part': 'status' }));
  return element(
    'li',
    { class: own ? 'bubble own' : 'bubble', 'data-from': from ?? 'anonymous' },
    element('span', { class: 'from', text: own ? 'You' : (from ?? 'anonymous') }),
    element('div', { class: 'text', 'data-part': 'text' }),
    meta,
  );
}

/** Whatever somebody published, it ends as text; as HTML only where both ends have agreed on it. */
function fill(line: HTMLElement, data: unknown, html: boolean): void {
  const { text, at } = (typeof data === 'object' && data !== null ? data : {}) as { text?: unknown; at?: unknown };
  const words = line.querySelector<HTMLElement>('[data-part=text]');
  if (words === null) return;
  if (html && typeof text === 'string') showHtml(words, text);
  else words.textContent = typeof text === 'string' ? text : JSON.stringify(data);
  const time = typeof at === 'number' && Math.abs(Date.now() - at) < 86_400_000 ? at : Date.now();
  line.querySelector('[data-part=time]')?.replaceChildren(clockTime(time));
}

function settle(line: HTMLElement, status: string, failed = false): void {
  line.querySelector('[data-part=status]')?.replaceChildren(status);
  line.classList.toggle('failed', failed);
}

/** Who reads further up stays there. */
function isAtEnd(): boolean {
  const { scrollHeight, scrollTop, clientHeight } = place('messages');
  return scrollHeight - scrollTop - clientHeight < 60;
}

function toEnd(): void {
  place('messages').scrollTop = place('messages').scrollHeight;
}
