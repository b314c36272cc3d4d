/** A clock of which the test turns the hands. */

import type { Clock } from '../src/index.js';

export interface HandClock extends Clock {
  /** How long each timer was set for, in milliseconds. */
  readonly waits: readonly number[];
  /** Lets every timer run out that was set for so long; without `ms` every one. */
  fire(ms?: number): void;
}

export function handClock(): HandClock {
  let due: { ms: number; action: () => void }[] = [];
  return {
    now: () => 1_000_000,
    get waits() {
      return due.map((item) => item.ms);
    },
    fire(ms) {
      const fired = due.filter((item) => ms === undefined || item.ms === ms);
      due = due.filter((item) => !fired.includes(item));
      for (const item of fired) item.action();
    },
    after(ms, action) {
      const item = { ms, action };
      due.push(item);
      return () => void (due = due.filter((other) => other !== item));
    },
  };
}
