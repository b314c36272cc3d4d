// The demo with its provider leaves nothing behind, however it ends.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { freeRun, patienceMs, startDemo } from './server.mjs';

const skip = process.env.WARDWIRE_BIN === undefined && 'WARDWIRE_BIN names no server to start';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL']) {
  test(`${signal} ends the demo, its server and its provider`, { skip }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'wardwire-ending-'));
    const temporary = join(folder, 'tmp');
    mkdirSync(temporary);
    const env = { ...process.env, TMPDIR: temporary };
    const demo = await startDemo({ provider: true, data: join(folder, 'data'), env, detached: true });
    // Whatever of it is left after a failure.
    t.after(() => endGroup(demo.process.pid));
    const closed = once(demo.process, 'close', { signal: AbortSignal.timeout(patienceMs) });
    demo.process.kill(signal);
    // The server has the same standard error: that is closed when nobody is left.
    await closed;
    // And what they listened on is free.
    await freeRun(3, demo.port);
    assert.deepEqual(readdirSync(temporary), []);
    rmSync(folder, { recursive: true });
  });
}

function endGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
