/** A game: dots that chase coins at 30 Hz. Where others are comes as small publications and is drawn a moment late, smoothly. */

import { connect, history, type Publication, session, Wire } from '@wardwire/client';

import { cable } from '../shared/src/cable.js';
import { median, milliseconds } from '../shared/src/connection.js';
import { element, place } from '../shared/src/dom.js';
import { placeNames } from '../shared/src/labels.js';
import { tell, why } from '../shared/src/notice.js';
import { shell } from '../shared/src/shell.js';

/** What is said in the channels; `wardwire types` writes it out of their schemas. */
interface Channels {
  'arena/{match}': Move;
  'arena/{match}/coins': Taken;
}

interface Move {
  readonly player: string;
  readonly x: number;
  readonly y: number;
}

interface Taken {
  readonly player: string;
  readonly coin: number;
  /** How often it has been taken before. */
  readonly turn: number;
}

const [width, height] = [1600, 720];
const [radius, coinRadius, coinCount] = [26, 12, 8];
/** Units a second, and how often one says where one is. */
const [speed, sendEveryMs] = [560, 1000 / 30];
/** Others are drawn as they were so long ago, between two of their moves, and not at all when they have said nothing for so long. */
const [delayMs, goneAfterMs] = [80, 3000];
/** More than that are not drawn, nor started. */
const [mostPlayers, mostRobots] = [60, 3];
const [own, ...colours] = ['#2f7a82', '#4a66b0', '#a23b56', '#6b7f2a', '#8a5bb0', '#b0742a'] as const;

const wire = new Wire<Channels>('/live', { auth: session(), platform: cable });

void shell(wire, (account, signedIn) => {
  const refused = new AbortController();
  const signal = AbortSignal.any([signedIn, refused.signal]);
  const coins = new Coins(signal);
  const me = new Pilot(wire, 'p', signal);
  const others = new Others(me, account, signal);
  const robots: Pilot[] = [];
  const steer = steering(place('field'), me, signal);
  let before = performance.now();
  const draw = (now: number): void => {
    if (signal.aborted) return;
    const seconds = Math.min(0.1, (now - before) / 1000);
    before = now;
    steer(seconds);
    for (const robot of robots) robot.chase(coins, seconds);
    for (const pilot of [me, ...robots]) coins.reach(pilot, signal);
    paint(me, others, coins, account, now);
    requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
  const counting = setInterval(() => {
    place('move').textContent = milliseconds(median(me.trips));
    place('seen').textContent = milliseconds(median(others.trips));
    place('flow').textContent = String(others.heard + me.trips.length);
    others.heard = 0;
    for (const { trips } of [me, ...robots]) trips.length = 0;
  }, 1000);
  const [robot, cheat] = [place<HTMLButtonElement>('robot'), place<HTMLButtonElement>('flood')];
  robot.addEventListener('click', () => (robot.disabled = robots.push(new Pilot(connect('/live', { auth: session(), signal }), 'r', signal)) === mostRobots), { signal });
  cheat.addEventListener('click', () => void flood(signal).catch((error: unknown) => signal.aborted || tell(`Not moved: ${why(error)}`)), { signal });
  robot.disabled = cheat.disabled = false;
  place('field').focus({ preventScroll: true });
  // Who may not play does not go on asking.
  wire.channel('arena/one').on('state', (state) => state.kind === 'ended' && (tell(`No game: ${why(state.error)}`), refused.abort()), { signal });
  signal.addEventListener('abort', () => (clearInterval(counting), (robot.disabled = cheat.disabled = true)));
  signedIn.addEventListener('abort', () => {
    for (const id of ['move', 'seen', 'flow']) place(id).textContent = '–';
    place('scores').replaceChildren();
    place<HTMLCanvasElement>('field').width = width;
    tell(null);
  });
});

/** Somebody who moves, over a socket of their own. */
class Pilot {
  readonly player: string;
  readonly wire: Wire<Channels>;
  /** How long the moves of the last second took until the server had them, in milliseconds. */
  readonly trips: number[] = [];
  x = 200 + Math.random() * (width - 400);
  y = 200 + Math.random() * (height - 400);
  /** When the move was sent that comes back to its own socket too. */
  echoedAt = 0;

  constructor(wire: Wire<Channels>, kind: 'p' | 'r', signal: AbortSignal) {
    this.wire = wire;
    this.player = kind + Array.from(crypto.getRandomValues(new Uint8Array(5)), (byte) => (byte % 36).toString(36)).join('');
    let count = 0;
    const sending = setInterval(() => void this.send(count++ % 30 !== 0).catch(() => undefined), sendEveryMs);
    signal.addEventListener('abort', () => clearInterval(sending));
  }

  move(dx: number, dy: number, seconds: number): void {
    const length = Math.hypot(dx, dy) || 1;
    this.x = Math.min(width - radius, Math.max(radius, this.x + (dx / length) * speed * seconds));
    this.y = Math.min(height - radius, Math.max(radius, this.y + (dy / length) * speed * seconds));
  }

  here(): Move {
    return { player: this.player, x: Math.round(this.x), y: Math.round(this.y) };
  }

  /** What robots do: each has its own taste, or all would run after the same coin. */
  chase(coins: Coins, seconds: number): void {
    const [next] = coins.all().map((it) => ({ ...it, far: Math.hypot(it.x - this.x, it.y - this.y) * (1 + 3 * scatter(it.coin, it.turn, this.player.charCodeAt(1))) })).sort((a, b) => a.far - b.far);
    if (next !== undefined) this.move(next.x - this.x, next.y - this.y, seconds * 0.6);
  }

  /** Volatile: a move that is late is worth nothing, so it is not kept, and nobody repeats it. */
  async send(noEcho: boolean): Promise<void> {
    const at = performance.now();
    if (!noEcho) this.echoedAt = at;
    await this.wire.channel('arena/one').publish(this.here(), { volatile: true, noEcho });
    this.trips.push(performance.now() - at);
  }
}

/** Where the others are, and were. */
class Others {
  readonly seen = new Map<string, { readonly from: string; readonly colour: string; readonly path: { readonly at: number; readonly x: number; readonly y: number }[] }>();
  /** How long a move takes until followers have it, in milliseconds. */
  readonly trips: number[] = [];
  heard = 0;
  readonly #me: Pilot;
  readonly #account: string;

  constructor(me: Pilot, account: string, signal: AbortSignal) {
    this.#me = me;
    this.#account = account;
    wire.channel('arena/one').on('publication', (publication) => this.#hear(publication), { signal });
  }

  #hear({ from, data }: Publication<Move>): void {
    if (!isMove(Object(data))) return;
    const { player, x, y } = data;
    const at = performance.now();
    this.heard += 1;
    if (player === this.#me.player && from === this.#account) {
      this.trips.push(at - this.#me.echoedAt);
      if (this.trips.length > 10) this.trips.shift();
      return;
    }
    const key = `${player} ${from ?? ''}`;
    if (this.seen.size >= mostPlayers && !this.seen.has(key)) return;
    const known = this.seen.get(key) ?? { from: from ?? 'anonymous', colour: colours[this.seen.size % colours.length] ?? own, path: [] };
    this.seen.set(key, { ...known, path: [...known.path.slice(-11), { at, x, y }] });
  }

  /** Everybody who has not gone, as they were a moment ago. */
  *now(now: number): Iterable<{ readonly name: string; readonly colour: string; readonly x: number; readonly y: number }> {
    for (const [key, { from, colour, path }] of this.seen) {
      const last = path.at(-1);
      if (last === undefined || now - last.at > goneAfterMs) {
        this.seen.delete(key);
        continue;
      }
      const then = now - delayMs;
      const after = path.find(({ at }) => at > then) ?? last;
      const before = path.findLast(({ at }) => at <= then) ?? after;
      const part = after.at === before.at ? 1 : (then - before.at) / (after.at - before.at);
      yield { name: key.startsWith('r') ? `${from}’s robot` : from, colour, x: before.x + (after.x - before.x) * part, y: before.y + (after.y - before.y) * part };
    }
  }
}

/** The coins. Their channel is the referee: of two who claim the same coin, the first in its order has it. */
class Coins {
  readonly #channel = wire.channel('arena/one/coins');
  /** The last hundred, by position. */
  readonly #taken = new Map<string, Publication<Taken>>();
  readonly #turns: number[] = Array.from({ length: coinCount }, () => 0);
  /** The last turn that each player claimed of each coin. */
  readonly #claimed = new Map<string, number>();

  constructor(signal: AbortSignal) {
    this.#channel.on('publication', (publication) => this.#take([publication]), { signal });
    this.#channel.on('state', (state) => {
      if (state.kind !== 'live' || state.recovered) return;
      history(this.#channel, { limit: 100, signal }).then(({ publications }) => this.#take(publications), () => undefined);
    }, { signal });
  }

  all(): { readonly coin: number; readonly turn: number; readonly x: number; readonly y: number }[] {
    return this.#turns.map((turn, coin) => ({ coin, turn, x: 80 + scatter(coin, turn, 1) * (width - 160), y: 80 + scatter(coin, turn, 2) * (height - 160) }));
  }

  reach({ x, y, player, wire: own }: Pilot, signal: AbortSignal): void {
    for (const { coin, turn, ...at } of this.all()) {
      const claim = `${player} ${coin}`;
      if (Math.hypot(at.x - x, at.y - y) > radius + coinRadius || this.#claimed.get(claim) === turn || own.state.kind !== 'open') continue;
      this.#claimed.set(claim, turn);
      own.channel('arena/one/coins').publish({ player, coin, turn }, { signal }).catch((error: unknown) => signal.aborted || tell(why(error)));
    }
  }

  /** Plays what was taken in the channel's order, whatever order it came in here. */
  #take(publications: readonly Publication<Taken>[]): void {
    for (const publication of publications) if (isTaken(Object(publication.data))) this.#taken.set(publication.position, publication);
    const offset = (position: string): number => Number(position.split(':')[1]);
    const all = [...this.#taken.entries()].sort(([one], [other]) => offset(one) - offset(other));
    for (const [position] of all.splice(0, Math.max(0, all.length - 100))) this.#taken.delete(position);
    const scores = new Map<string, number>();
    this.#turns.fill(0);
    for (const [, { from, data: { coin, turn } }] of all) {
      if (turn < (this.#turns[coin] ?? 0)) continue;
      this.#turns[coin] = turn + 1;
      scores.set(from ?? 'anonymous', (scores.get(from ?? 'anonymous') ?? 0) + 1);
    }
    const best = [...scores].sort(([, one], [, other]) => other - one).slice(0, 5);
    place('scores').replaceChildren(...best.map(([name, count]) => element('li', { 'data-name': name }, element('bdi', { text: name }), element('strong', { text: String(count) }))));
  }
}

/** The arrow keys, WASD, or a finger that is held where to go. What it returns moves on by so many seconds. */
function steering(field: HTMLElement, me: Pilot, signal: AbortSignal): (seconds: number) => void {
  const [up, left, down, right] = [[0, -1], [-1, 0], [0, 1], [1, 0]] as const;
  const ways = new Map<string, readonly [number, number]>(Object.entries({ ArrowUp: up, KeyW: up, ArrowLeft: left, KeyA: left, ArrowDown: down, KeyS: down, ArrowRight: right, KeyD: right }));
  const held = new Set<string>();
  let finger: { x: number; y: number } | null = null;
  field.addEventListener('keydown', (event) => {
    if (!ways.has(event.code) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    held.add(event.code);
  }, { signal });
  field.addEventListener('keyup', (event) => held.delete(event.code), { signal });
  field.addEventListener('blur', () => held.clear(), { signal });
  const point = (event: PointerEvent): void => {
    const box = field.getBoundingClientRect();
    finger = { x: ((event.clientX - box.left) / box.width) * width, y: ((event.clientY - box.top) / box.height) * height };
  };
  field.addEventListener('pointerdown', (event) => (field.setPointerCapture(event.pointerId), point(event)), { signal });
  field.addEventListener('pointermove', (event) => finger !== null && point(event), { signal });
  for (const name of ['pointerup', 'pointercancel']) field.addEventListener(name, () => (finger = null), { signal });
  return (seconds) => {
    const sum = (axis: number): number => [...held].reduce((all, code) => all + (ways.get(code)?.[axis] ?? 0), 0);
    const [dx, dy] = finger === null ? [sum(0), sum(1)] : [finger.x - me.x, finger.y - me.y];
    if (finger === null || Math.hypot(dx, dy) > radius / 2) me.move(dx, dy, seconds);
  };
}

/** What a cheat would do, on a socket of its own, and what comes of it. */
async function flood(signal: AbortSignal): Promise<void> {
  const alone = new AbortController();
  const either = AbortSignal.any([signal, alone.signal]);
  const cheat = new Pilot(connect('/live', { auth: session(), signal: either }), 'p', either);
  const move = (): Promise<unknown> => cheat.wire.call('publish', { channel: 'arena/one', data: cheat.here() });
  const outcomes = await cheat.wire.ping().then(() => Promise.allSettled(Array.from({ length: 500 }, move))).finally(() => alone.abort());
  const refused = outcomes.filter((it) => it.status === 'rejected').map((it) => it.reason as unknown);
  if (signal.aborted) return;
  tell(refused.length === 0 ? 'Of 500 moves at once all were taken: from here they came slowly enough.' : `Of 500 moves at once ${500 - refused.length} were taken, the last of them late. In between: ${why(refused[0])} So the client did: whoever goes on is closed (1008).`);
}

/** The schema holds on the server; a page that computes with what comes looks for itself. */
const isMove = ({ player, x, y }: Partial<Move>): boolean => typeof player === 'string' && Number.isFinite(x) && Number.isFinite(y);
const isTaken = ({ coin = -1, turn }: Partial<Taken>): boolean => Number.isInteger(coin) && coin >= 0 && coin < coinCount && Number.isSafeInteger(turn);

/** A place that everybody computes alike, from 0 to 1. */
function scatter(coin: number, turn: number, salt: number): number {
  let mixed = (coin * 31 + salt) * 65537 + turn;
  for (const factor of [0x7feb352d, 0x846ca68b]) mixed = Math.imul(mixed ^ (mixed >>> 16), factor);
  return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
}

function paint(me: Pilot, others: Others, coins: Coins, account: string, now: number): void {
  const context = place<HTMLCanvasElement>('field').getContext('2d');
  if (context === null) return;
  const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name);
  const disc = (x: number, y: number, r: number, fill: string): void => {
    context.fillStyle = fill;
    context.beginPath();
    context.arc(x, y, r, 0, 2 * Math.PI);
    context.fill();
  };
  context.clearRect(0, 0, width, height);
  for (const { x, y } of coins.all()) disc(x, y, coinRadius, colour('--coin'));
  // On a small screen the field shrinks, and what is written in it must not.
  const size = Math.max(24, (12 * width) / context.canvas.clientWidth);
  context.font = `600 ${size}px ${colour('--sans')}`;
  context.textAlign = 'center';
  const all = [{ x: me.x, y: me.y, colour: own, name: `${account} (you)` }, ...others.now(now)];
  for (const { x, y, colour: fill } of all.toReversed()) disc(x, y, radius, fill);
  [context.fillStyle, context.strokeStyle, context.lineWidth, context.lineJoin] = [colour('--ink'), colour('--sunken'), size / 4, 'round'];
  const named = all.map(({ x, y, name: text }) => ({ x, y, text, half: Math.min(6 * size, context.measureText(text).width / 2) }));
  for (const { text, x, y, half } of placeNames(named, { width, height, radius, size })) {
    for (const write of ['strokeText', 'fillText'] as const) context[write](text, x, y, 2 * half);
  }
}
