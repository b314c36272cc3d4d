import type { TestContext } from 'node:test';

/** What is reported as uncaught while the test runs, which else would end the process. */
export function uncaught(context: TestContext): unknown[] {
  const seen: unknown[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => seen.push(error));
  context.after(() => {
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
  });
  return seen;
}
