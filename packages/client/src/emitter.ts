/** A small typed emitter. */

/** Ends what the call that returned it began. Calling it twice is harmless. */
export type Unsubscribe = () => void;

/** Ends what it was given to: a listener, an iterator, a wait. */
export interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

/** Calls a listener of the application: its exception is reported where uncaught ones go, and stops nobody else. */
export function callSafely(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Runs `action` when `signal` is aborted, at once if it is; gives what calls that off. */
export function whenAborted(signal: AbortSignal | undefined, action: () => void): Unsubscribe {
  if (signal?.aborted === true) action();
  else signal?.addEventListener('abort', action, { once: true });
  return () => signal?.removeEventListener('abort', action);
}

/** Listeners by event name. */
export class Emitter<Events> {
  readonly #listeners = new Set<{ readonly name: keyof Events; readonly listener: (event: never) => void }>();

  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): Unsubscribe {
    const entry = { name, listener };
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const entry of [...this.#listeners]) {
      if (entry.name === name) callSafely(() => (entry.listener as (event: Events[Name]) => void)(event));
    }
  }

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }
}
