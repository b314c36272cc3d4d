/** A small typed emitter. */

import { demandFit } from './error.js';
import { isFlag } from './frames.js';

/** Ends what the call that returned it began. Calling it twice is harmless. */
export type Unsubscribe = () => void;

/** Ends what it was given to: a listener, an iterator, a wait. */
export interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

/** Runs `action` when `signal` is aborted, at once if it is; gives what calls that off. @throws UsageError for what is no signal. */
export function whenAborted(signal: AbortSignal | undefined, action: () => unknown): Unsubscribe {
  demandFit('signal', !signal || isFlag(signal.aborted));
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

/** Listeners, each of an event. */
export class Emitter<Events> {
  /** By what takes them back. */
  readonly #listeners = new Map<Unsubscribe, readonly [name: keyof Events, listener: (event: never) => void]>();

  /**
   * Listens until what is returned is called, as the signal does where it is not told what else to do. Then `ended` is called.
   *
   * @throws UsageError for what is no function, or no signal.
   */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void, signal?: AbortSignal, ended?: () => void, aborted?: () => void): Unsubscribe {
    demandFit('listener', typeof listener === 'function');
    let unwatch: Unsubscribe | undefined;
    const stop = (): void => {
      unwatch?.();
      this.#listeners.delete(stop);
      ended?.();
    };
    unwatch = whenAborted(signal, aborted ?? stop);
    if (!signal?.aborted) this.#listeners.set(stop, [name, listener]);
    return stop;
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const [stop, [named, listener]] of [...this.#listeners]) {
      try {
        // Whoever is told first may have taken others back.
        if (named === name && this.#listeners.has(stop)) (listener as (event: Events[Name]) => void)(event);
      } catch (error) {
        report(error);
      }
    }
  }

  /** Takes all listeners back: none of them hears any more, not even what the first is told now. */
  clear(): void {
    for (const stop of this.#listeners.keys()) stop();
  }

  get isEmpty(): boolean {
    return !this.#listeners.size;
  }
}
