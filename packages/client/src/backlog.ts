/** Publications that wait for whoever iterates over a channel: bounded in number and size, and never with a hidden gap. */

import { UsageError, type WardwireError } from './error.js';

/** UTF-16 units of JSON that may wait, whatever their number. */
const maxChars = 16 * 1024 * 1024;

interface Waiter<T> {
  readonly resolve: (result: IteratorResult<T>) => void;
  readonly reject: (error: WardwireError) => void;
}

interface Waiting<T> {
  readonly chars: number;
  readonly handTo: (waiter: Waiter<T>) => void;
}

export class Backlog<T extends { readonly data: unknown }> implements AsyncIterableIterator<T> {
  readonly #max: number;
  readonly #released: () => void;
  readonly #items: Waiting<T>[] = [];
  readonly #waiters: Waiter<T>[] = [];
  #chars = 0;
  #ended = false;

  /** `released` is called once, when nothing more is taken. */
  constructor(max: number, released: () => void) {
    this.#max = max;
    this.#released = released;
  }

  add(item: T): void {
    const chars = item.data instanceof Uint8Array ? item.data.length : JSON.stringify(item.data).length;
    if (this.#waiters.length === 0 && (this.#items.length >= this.#max || this.#chars + chars > maxChars)) {
      return this.end(new UsageError('backlog-full'));
    }
    this.#put(chars, ({ resolve }) => resolve({ done: false, value: item }));
  }

  /** Nothing more comes; what waits is still read, and then comes the error, once as from a generator, if there is one. */
  end(error: WardwireError | null): void {
    if (this.#ended) return;
    // At sign-out, and when another user is signed in, nothing of the user before is handed out any more.
    if (error?.code === 'signed-out' || error?.code === 'another-user') this.#items.length = 0;
    if (error !== null) this.#put(0, ({ reject }) => reject(error));
    this.#ended = true;
    this.#released();
    this.#hand();
  }

  next(): Promise<IteratorResult<T>> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#hand();
    });
  }

  return(): Promise<IteratorResult<T>> {
    this.#items.length = 0;
    this.end(null);
    return this.next();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #put(chars: number, handTo: Waiting<T>['handTo']): void {
    if (this.#ended) return;
    this.#items.push({ chars, handTo });
    this.#chars += chars;
    this.#hand();
  }

  /** Gives what waits to whoever waits for it. */
  #hand(): void {
    while (this.#waiters.length > 0 && (this.#ended || this.#items.length > 0)) {
      const waiter = this.#waiters.shift() as Waiter<T>;
      const item = this.#items.shift();
      this.#chars -= item?.chars ?? 0;
      if (item === undefined) waiter.resolve({ done: true, value: undefined });
      else item.handTo(waiter);
    }
  }
}
