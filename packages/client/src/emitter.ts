/** A small typed emitter. */

import { demandFit } from './error.js';

/** Ends what the call that returned it began. Calling it twice is harmless. */
export type Unsubscribe = () => void;

/** Ends what it was given to: a listener, an iterator, a wait. */
export interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

/** Runs `action` when `signal` is aborted, at once if it is; gives what calls that off. */
export function whenAborted(signal: AbortSignal | undefined, action: () => unknown): Unsubscribe {
  if (signal?.aborted) action();
  else signal?.addEventListener('abort', action);
  return () => signal?.removeEventListener('abort', action);
}

/** Tells of what an application's function threw where uncaught errors go, and stops nothing. */
export function report(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** Listeners by event name. */
export class Emitter<Events> {
  readonly #listeners = new Set<{ readonly name: keyof Events; readonly listener: (event: never) => void }>();

  /** @throws UsageError for what is no function. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void, signal?: AbortSignal): Unsubscribe {
    demandFit('listener', typeof listener === 'function');
    const entry = { name, listener };
    this.#listeners.add(entry);
    const unwatch = whenAborted(signal, () => this.#listeners.delete(entry));
    return () => {
      unwatch();
      this.#listeners.delete(entry);
    };
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const entry of [...this.#listeners]) {
      if (entry.name !== name) continue;
      try {
        (entry.listener as (event: Events[Name]) => void)(event);
      } catch (error) {
        report(error);
      }
    }
  }

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }
}
