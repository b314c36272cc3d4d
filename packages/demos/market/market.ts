/** A market: fifty prices twenty times a second, a chart, and orders that the channel's schema judges. */

import { history, type Publication, session, WardwireError, Wire } from '@wardwire/client';
import uPlot from 'uplot';

import { cable } from '../shared/src/cable.js';
import { element, place } from '../shared/src/dom.js';
import { tell, why } from '../shared/src/notice.js';
import { shell } from '../shared/src/shell.js';

/** What is said in the channels; `wardwire types` writes it out of their schemas. */
interface Channels {
  'market/prices': Price;
  'market/orders/{user}': Order;
}

interface Price {
  readonly symbol: string;
  readonly price: number;
  /** Since the opening, in percent. */
  readonly change: number;
}

interface Order {
  readonly side: 'buy' | 'sell';
  readonly symbol: string;
  readonly quantity: number;
  readonly limit: number;
}

/** Prices of an instrument that are remembered, the seconds of them that the chart shows, and how often it draws. */
const remembered = 300;
const shownSeconds = 15;
const drawEveryMs = 50;
/** Who hears nothing for longer has a gap in the line. */
const gapSeconds = 1;

/** More instruments than that are not listed. */
const mostInstruments = 100;

/** What the schema's rules are in words, for whoever filled in the form. A map, as whoever names a rule could name `constructor`. */
const rules: ReadonlyMap<string, string> = new Map([
  ['type', 'A number.'],
  ['quantity type', 'A whole number.'],
  ['minimum', 'At least 1.'],
  ['maximum', 'Less than that.'],
  ['exclusiveMinimum', 'More than nothing.'],
  ['pattern', 'Four capital letters.'],
  ['enum', 'Either buy or sell.'],
]);

const wire = new Wire<Channels>('/live', { auth: session(), platform: cable });

void shell(wire, (account, signal) => {
  const board = new Board(signal);
  const prices = wire.channel('market/prices');
  prices.on('publication', ({ data }) => isPrice(Object(data)) && board.hear(data), { signal });
  prices.on('state', (state) => tell(state.kind === 'ended' ? `No prices: ${why(state.error)}` : null), { signal });
  try {
    orders(account, board, signal);
  } catch (error) {
    // Who is named so that no channel can be has none to order by.
    const answer = place('answer');
    answer.textContent = `No orders: ${why(error)}`;
    place('order').addEventListener('submit', (event) => event.preventDefault(), { signal });
    signal.addEventListener('abort', () => (answer.textContent = ''));
  }
});

/** The table and the chart. What comes is noted at once, and shown as often as the screen is drawn. */
class Board {
  readonly #rows = new Map<string, Row>();
  /** Those that changed since the screen was drawn. */
  readonly #changed = new Set<Row>();
  readonly #chart: uPlot;
  #chosen: Row | null = null;
  #heard = 0;
  #drawn = 0;

  constructor(signal: AbortSignal) {
    const root = place('chart');
    this.#chart = new uPlot(chartOptions(root.clientWidth, root.clientHeight), [[], []], root);
    const resized = new ResizeObserver(() => this.#chart.setSize({ width: root.clientWidth, height: root.clientHeight }));
    resized.observe(root);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', () => this.#chart.redraw(false, true), { signal });
    const counting = setInterval(() => this.#count(), 1000);
    const draw = (now: number): void => {
      if (signal.aborted) return;
      this.#draw(now);
      requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
    signal.addEventListener('abort', () => {
      clearInterval(counting);
      resized.disconnect();
      this.#chart.destroy();
      place('rows').replaceChildren();
      for (const id of ['chosen', 'price', 'change', 'rate']) place(id).textContent = '';
      place('change').dataset['tone'] = '';
    });
  }

  hear({ symbol, price, change }: Price): void {
    this.#heard += 1;
    let row = this.#rows.get(symbol);
    if (row === undefined) {
      if (this.#rows.size >= mostInstruments) return;
      row = new Row(symbol, () => this.choose(symbol));
      this.#rows.set(symbol, row);
      place('rows').append(row.root);
    }
    row.hear(price, change);
    this.#changed.add(row);
    if (this.#chosen === null) this.choose(symbol);
  }

  choose(symbol: string): void {
    const row = this.#rows.get(symbol);
    if (row === undefined) return;
    this.#chosen?.choose(false);
    this.#chosen = row;
    row.choose(true);
    place('chosen').textContent = symbol;
    place<HTMLInputElement>('symbol').value = symbol;
    place<HTMLInputElement>('limit').value = row.price.toFixed(2);
  }

  #draw(now: number): void {
    for (const row of this.#changed) row.show();
    this.#changed.clear();
    if (this.#chosen === null || now - this.#drawn < drawEveryMs) return;
    this.#drawn = now;
    this.#chart.setData([this.#chosen.times, this.#chosen.prices]);
    place('price').textContent = this.#chosen.price.toFixed(2);
    place('change').textContent = percent(this.#chosen.change);
    place('change').dataset['tone'] = this.#chosen.change < 0 ? 'bad' : 'good';
  }

  #count(): void {
    place('rate').textContent = `${this.#heard.toLocaleString('en')} updates a second`;
    this.#heard = 0;
  }
}

/** One instrument: a line of the table, and what it cost lately. */
class Row {
  readonly root: HTMLElement;
  readonly times: number[] = [];
  readonly prices: (number | null)[] = [];
  readonly #price = element('td', { class: 'price' });
  readonly #change = element('td', { class: 'change' });
  readonly #button: HTMLElement;
  #shown = NaN;
  price = NaN;
  change = 0;

  constructor(symbol: string, choose: () => void) {
    this.#button = element('button', { type: 'button', class: 'instrument', 'aria-pressed': 'false', text: symbol, on: { click: choose } });
    this.root = element('tr', { 'data-symbol': symbol }, element('th', { scope: 'row' }, this.#button), this.#price, this.#change);
  }

  hear(price: number, change: number): void {
    this.price = price;
    this.change = change;
    const now = Date.now() / 1000;
    if (now - (this.times.at(-1) ?? now) > gapSeconds) this.#note(now, null);
    this.#note(now, price);
  }

  #note(time: number, price: number | null): void {
    this.times.push(time);
    this.prices.push(price);
    if (this.times.length <= remembered) return;
    this.times.shift();
    this.prices.shift();
  }

  show(): void {
    if (this.price === this.#shown) return;
    this.#price.dataset['moved'] = this.price < this.#shown ? 'down' : 'up';
    this.#shown = this.price;
    this.#price.textContent = this.price.toFixed(2);
    this.#change.textContent = percent(this.change);
    this.#change.dataset['tone'] = this.change < 0 ? 'bad' : 'good';
  }

  choose(chosen: boolean): void {
    this.#button.setAttribute('aria-pressed', String(chosen));
  }
}

/** The form: nothing is judged here. The server's answer names the place, and the form marks it. */
function orders(account: string, board: Board, signal: AbortSignal): void {
  const channel = wire.channel(`market/orders/${account}`);
  const form = place<HTMLFormElement>('order');
  const list = place('orders');
  const shown = new Set<string>();

  const show = ({ position, data }: Publication<Order>): void => {
    if (shown.has(position) || !isOrder(Object(data))) return;
    shown.add(position);
    const words = `${data.side} ${data.quantity} ${data.symbol} at ${data.limit.toFixed(2)}`;
    list.prepend(element('li', { 'data-side': data.side }, words, element('span', { text: `no. ${position.split(':')[1] ?? ''}` })));
    while (list.childElementCount > 8) list.lastElementChild?.remove();
  };

  const publish = async (): Promise<void> => {
    mark(form, null, '');
    const fields = new FormData(form);
    const number = (name: string): unknown => {
      const text = String(fields.get(name) ?? '').trim();
      return text === '' || Number.isNaN(Number(text)) ? text : Number(text);
    };
    // Whatever was typed is sent as it is: a browser that checks is a courtesy, a server that checks is a rule.
    const order = { side: fields.get('side'), symbol: fields.get('symbol'), quantity: number('quantity'), limit: number('limit') } as Order;
    say(wire.state.kind === 'open' ? 'Sent.' : 'To be sent once there is a connection.', '');
    const sent = performance.now();
    try {
      await channel.publish(order, { signal });
      say(`Taken after ${(performance.now() - sent).toFixed(1)} ms.`, 'good');
    } catch (error) {
      if (signal.aborted) return;
      const { pointer = '', keyword = '' } = error instanceof WardwireError ? (error.data ?? {}) : {};
      const name = pointer.slice(1);
      mark(form, name, rules.get(`${name} ${keyword}`) ?? rules.get(keyword) ?? keyword);
      say(`Refused: ${why(error)}`, 'bad');
    }
  };

  const say = (text: string, tone: string): void => {
    place('answer').textContent = text;
    place('answer').dataset['tone'] = tone;
  };

  const submit = (event: Event): void => {
    event.preventDefault();
    void publish();
  };
  form.addEventListener('submit', submit, { signal });
  place('bad-order').addEventListener('click', () => {
    place<HTMLInputElement>('quantity').value = '1000000';
    void publish();
  }, { signal });
  place('symbol').addEventListener('change', () => board.choose(place<HTMLInputElement>('symbol').value), { signal });
  channel.on('publication', show, { signal });
  channel.on('state', (state) => {
    if (state.kind !== 'live' || state.recovered) return;
    history(channel, { limit: 8, signal }).then(({ publications }) => publications.forEach(show), () => undefined);
  }, { signal });
  signal.addEventListener('abort', () => {
    list.replaceChildren();
    form.reset();
    mark(form, null, '');
    say('', '');
    tell(null);
  });
}

/** Who may publish and what, the server says. A page that computes with what comes, and draws it, looks for itself. */
const isSane = (value: unknown): boolean => typeof value === 'number' && Math.abs(value) < 1e5;
const isPrice = ({ symbol, price, change }: Partial<Price>): boolean => typeof symbol === 'string' && isSane(price) && isSane(change);
const isOrder = ({ side = 'buy', symbol, quantity, limit }: Partial<Order>): boolean =>
  ['buy', 'sell'].includes(side) && typeof symbol === 'string' && isSane(quantity) && isSane(limit);

/** Marks the field of this name, and no other. */
function mark(form: HTMLFormElement, name: string | null, text: string): void {
  for (const field of form.querySelectorAll<HTMLInputElement>('input, select')) {
    const wrong = field.name === name;
    if (wrong) field.setAttribute('aria-invalid', 'true');
    else field.removeAttribute('aria-invalid');
    place(`${field.name}-error`).textContent = wrong ? text : '';
    if (wrong) field.focus();
  }
}

function percent(change: number): string {
  return `${change < 0 ? '−' : '+'}${Math.abs(change).toFixed(2)} %`;
}

/** Colours are asked for at each drawing, as they change with the scheme. */
function chartOptions(width: number, height: number): uPlot.Options {
  const colour = (name: string) => () => getComputedStyle(document.documentElement).getPropertyValue(name);
  const axis = { stroke: colour('--muted'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
  return {
    width,
    height,
    legend: { show: false },
    cursor: { show: false },
    padding: [10, 12, 0, 0],
    // Up to now, whatever of it came.
    scales: { x: { time: false, range: () => [Date.now() / 1000 - shownSeconds, Date.now() / 1000] } },
    axes: [{ ...axis, splits: (_, __, from) => [0, 5, 10, 15].map((s) => from + s), values: () => ['−15 s', '−10 s', '−5 s', 'now'], size: 34 }, { ...axis, size: 58 }],
    series: [{}, { stroke: colour('--accent'), width: 1.75, points: { show: false } }],
  };
}
