/** Publications that wait for whoever iterates over a channel: bounded in number and size, and never with a hidden gap. */

import { UsageError, type WardwireError } from './error.js';

/** UTF-16 units of JSON that may wait, whatever their number. */
const maxChars = 16 * 1024 * 1024;

interface Waiter<T> {
  readonly resolve: (result: IteratorResult<T>) => void;
  readonly reject: (error: WardwireError) => void;
}

export interface Backlog<T> {
  add(item: T): void;
  /** Nothing more comes; what waits is still read, and then comes the error, once as from a generator, if there is one. */
  end(error: WardwireError | null): void;
  /** For whoever reads. */
  readonly iterator: AsyncIterableIterator<T>;
}

/** Holds up to `max`. `released` is called once, when nothing more is taken. */
export function backlogOf<T extends { readonly data: unknown }>(max: number, released: () => void): Backlog<T> {
  const items: { readonly chars: number; readonly handTo: (waiter: Waiter<T>) => void }[] = [];
  const waiters: Waiter<T>[] = [];
  let waiting = 0;
  let ended = false;

  const hand = (): void => {
    while (waiters.length > 0 && (ended || items.length > 0)) {
      const waiter = waiters.shift() as Waiter<T>;
      const item = items.shift();
      waiting -= item?.chars ?? 0;
      if (item === undefined) waiter.resolve({ done: true, value: undefined });
      else item.handTo(waiter);
    }
  };
  const put = (chars: number, handTo: (waiter: Waiter<T>) => void): void => {
    items.push({ chars, handTo });
    waiting += chars;
    hand();
  };
  const end = (error: WardwireError | null): void => {
    if (ended) return;
    // At sign-out, and when another user is signed in, nothing of the user before is handed out any more.
    if (error?.code === 'signed-out' || error?.code === 'another-user') items.length = 0;
    if (error !== null) put(0, ({ reject }) => reject(error));
    ended = true;
    released();
    hand();
  };
  const iterator: AsyncIterableIterator<T> = {
    next: () =>
      new Promise((resolve, reject) => {
        waiters.push({ resolve, reject });
        hand();
      }),
    return() {
      items.length = 0;
      end(null);
      return iterator.next();
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return {
    add(item) {
      if (ended) return;
      const chars = item.data instanceof Uint8Array ? item.data.length : JSON.stringify(item.data).length;
      if (waiters.length === 0 && (items.length >= max || waiting + chars > maxChars)) return end(new UsageError('backlog-full'));
      put(chars, ({ resolve }) => resolve({ done: false, value: item }));
    },
    end,
    iterator,
  };
}
