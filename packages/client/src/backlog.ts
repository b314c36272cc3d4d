/** Publications that wait for whoever iterates over a channel: bounded in number and size, and none of them left out. */

import { UsageError, type WardwireError } from './error.js';
import type { Publication } from './frames.js';
import { longestFrame } from './limits.js';

export class Backlog<T extends Publication> implements AsyncIterableIterator<T> {
  readonly #max: number;
  readonly #released: () => void;
  /** With an error as the last, where there is one. */
  readonly #items: { readonly value?: T; readonly chars?: number; readonly error?: WardwireError }[] = [];
  readonly #waiters: ((result: IteratorResult<T> | Promise<never>) => void)[] = [];
  #chars = 0;
  #ended = false;

  /** `released` is called once, when nothing more is taken. */
  constructor(max: number, released: () => void) {
    this.#max = max;
    this.#released = released;
  }

  add(value: T): void {
    if (this.#ended) return;
    const chars = sizeOf(value);
    if (this.#waiters.length === 0 && (this.#items.length >= this.#max || this.#chars + chars > longestFrame)) {
      return this.end(new UsageError('backlog-full'));
    }
    this.#items.push({ value, chars });
    this.#chars += chars;
    this.#hand();
  }

  /** Nothing more comes; what waits is still read, and then comes the error, if there is one. */
  end(error?: WardwireError): void {
    if (this.#ended) return;
    this.#ended = true;
    // At sign-out, and when another user is signed in, nothing of the user before is handed out any more.
    if (['signed-out', 'another-user'].includes(error?.code as string)) this.#items.length = 0;
    // Comes after what waits, once as from a generator.
    if (error && !['unsubscribed', 'closed'].includes(error.code)) this.#items.push({ error });
    this.#released();
    this.#hand();
  }

  next(): Promise<IteratorResult<T>> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      this.#hand();
    });
  }

  return(): Promise<IteratorResult<T>> {
    this.#items.length = 0;
    this.end();
    return this.next();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Gives what waits to whoever waits for it. */
  #hand(): void {
    while (this.#ended || this.#items.length > 0) {
      const resolve = this.#waiters.shift();
      if (!resolve) return;
      const { value, chars = 0, error } = this.#items.shift() ?? {};
      this.#chars -= chars;
      resolve(error ? Promise.reject(error) : { done: value === undefined, value } as IteratorResult<T>);
    }
  }
}

function sizeOf({ data, from, id }: Publication): number {
  try {
    return (data instanceof Uint8Array ? data : JSON.stringify(data)).length + `${from}${id}`.length;
  } catch {
    // Nested more deeply than the platform can follow: as good as too large.
    return longestFrame;
  }
}
