import assert from 'node:assert/strict';
import { test } from 'node:test';

import { rpcError } from '../src/error.js';
import { readFrame } from '../src/frames.js';

const failed = (data: unknown) => {
  const frame = readFrame(JSON.stringify({ jsonrpc: '2.0', id: 1, error: { code: -32008, message: 'No.', data } }));
  assert.ok(frame?.kind === 'error');
  return rpcError(frame, 'trace');
};

test('an error says where, by which rule and until when, as far as the server does', () => {
  const error = failed({ word: 'invalid', pointer: '/text', keyword: 'maxLength', retryAfter: 0.2501 });
  assert.deepEqual([error.code, error.data?.pointer, error.data?.keyword, error.retryAfterMs], ['invalid', '/text', 'maxLength', 251]);
  assert.equal(failed({ word: 'invalid', pointer: '' }).data?.pointer, '', 'all of it');
});

test('what an error says in another way than was promised is as if it said nothing', () => {
  for (const data of [undefined, null, 7, [], { word: 'Not a <word>' }, { word: 'invalid', pointer: 7, keyword: {}, retryAfter: '1' }, { word: 'invalid', retryAfter: -1 }]) {
    const error = failed(data);
    assert.deepEqual([error.data?.pointer, error.data?.keyword, error.retryAfterMs], [undefined, undefined, null]);
  }
});
