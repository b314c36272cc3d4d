/** Publications that wait for whoever iterates over a channel: bounded in number and size, and never with a hidden gap. */

import { UsageError, type WardwireError } from './error.js';

/** UTF-16 units of JSON that may wait, whatever their number. */
const maxChars = 16 * 1024 * 1024;

interface Waiter<T> {
  readonly resolve: (result: IteratorResult<T>) => void;
  readonly reject: (error: WardwireError) => void;
}

export class Backlog<T extends { readonly data: unknown }> implements AsyncIterableIterator<T> {
  readonly #max: number;
  readonly #released: () => void;
  readonly #items: { readonly item: T; readonly chars: number }[] = [];
  readonly #waiters: Waiter<T>[] = [];
  #chars = 0;
  #end: { readonly error: WardwireError | null } | null = null;

  /** `released` is called once, when nothing more is taken. */
  constructor(max: number, released: () => void) {
    this.#max = max;
    this.#released = released;
  }

  add(item: T): void {
    if (this.#end !== null) return;
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) return waiter.resolve({ done: false, value: item });
    const chars = item.data instanceof Uint8Array ? item.data.length : JSON.stringify(item.data).length;
    if (this.#items.length >= this.#max || this.#chars + chars > maxChars) {
      return this.end(new UsageError('backlog-full'));
    }
    this.#items.push({ item, chars });
    this.#chars += chars;
  }

  /** Nothing more comes; what waits is still read, and then comes the error, if there is one. */
  end(error: WardwireError | null): void {
    if (this.#end !== null) return;
    // At sign-out, and when another user is signed in, nothing of the user before is handed out any more.
    if (error?.code === 'signed-out' || error?.code === 'another-user') this.#items.length = 0;
    this.#end = { error };
    this.#released();
    for (const waiter of this.#waiters.splice(0)) this.#finish(waiter);
  }

  next(): Promise<IteratorResult<T>> {
    const first = this.#items.shift();
    if (first !== undefined) {
      this.#chars -= first.chars;
      return Promise.resolve({ done: false, value: first.item });
    }
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      if (this.#end !== null) this.#finish(waiter);
      else this.#waiters.push(waiter);
    });
  }

  return(): Promise<IteratorResult<T>> {
    this.#items.length = 0;
    this.end(null);
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The error is thrown once, as a generator would. */
  #finish({ resolve, reject }: Waiter<T>): void {
    const error = this.#end?.error ?? null;
    this.#end = { error: null };
    if (error === null) resolve({ done: true, value: undefined });
    else reject(error);
  }
}
