import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';

import { Backend, type BackendOptions, CallError, ConnectionError, RefusedError, UsageError, WardwireError } from '../src/index.js';

const token = 'fedcba9876543210fedcba9876543210';

/** A server that answers as a test wants it, on this machine. */
async function answering(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What comes of a publication to a server that answers this. */
async function comes(t: TestContext, listener: RequestListener, options: Partial<BackendOptions> = {}): Promise<WardwireError> {
  const backend = new Backend(await answering(t, listener), { token, ...options });
  const error: unknown = await backend.publish('news', 1).then(() => null, (reason: unknown) => reason);
  assert.ok(error instanceof WardwireError, String(error));
  unsaid(error);
  return error;
}

/** Nothing that is written down of it has the token. */
function unsaid(value: unknown): void {
  const all = inspect(value, { depth: 10, showHidden: true, getters: true }) + JSON.stringify(value) + String((value as Error).stack);
  assert.ok(!all.includes(token), all);
}

const says = (status: number, body: string, headers = {}): RequestListener => (_, response) => void response.writeHead(status, headers).end(body);
const error = (data: object, message = 'no'): string => JSON.stringify({ jsonrpc: '2.0', id: 0, error: { code: -32001, message, data } });

test('only https is spoken, or http to this very machine, and the address is nothing but an origin', () => {
  for (const url of ['https://live.example.com', 'https://live.example.com/', 'http://localhost:1', 'http://127.0.0.2', 'http://[::1]:8']) {
    assert.ok(new Backend(url, { token }));
  }
  for (const url of [
    ...['http://live.example.com', 'http://localhost.example.com', 'http://127.0.0.1.example.com', 'http://10.0.0.1', 'http://[::2]', 'http://0.0.0.0'],
    ...['ws://localhost', 'file:///etc', 'live.example.com', '', '/', 'https://a.test/.wardwire/backend', 'https://a.test/?a', 'https://a.test/#a'],
    ...['https://user@a.test', `https://:${token}@a.test`],
  ]) {
    assert.throws(() => new Backend(url, { token }), (reason) => (unsaid(reason), reason instanceof UsageError), url);
  }
});

test('a token that no server could have is refused where it is given, and never shown', () => {
  const url = 'https://a.test';
  for (const wrong of ['', 'short', `${token} x`, `${token}\nx`, `${token}ü`, 'x'.repeat(4097), undefined, null, 7]) {
    const make = (): Backend => new Backend(url, { token: wrong as string });
    assert.throws(make, (reason) => (unsaid(reason), reason instanceof UsageError && !reason.message.includes('short.')));
  }
  for (const timeoutMs of [0, -1, 1.5, Number.NaN, Infinity, 600_001]) assert.throws(() => new Backend(url, { token, timeoutMs }), UsageError);
  unsaid(new Backend(url, { token: ` ${token}\n` }));
});

test('the token is in one header, and no redirect is followed', async (t) => {
  const seen: (string | undefined)[] = [];
  const elsewhere = await answering(t, ({ headers }, response) => void (seen.push(headers.authorization), response.end()));
  for (const status of [301, 302, 303, 307, 308]) {
    const refused = await comes(t, ({ headers, url }, response) => {
      assert.equal(headers.authorization, `Bearer ${token}`);
      assert.equal(url, '/.wardwire/backend');
      response.writeHead(status, { location: elsewhere }).end();
    });
    assert.equal(refused.code, 'redirected');
  }
  assert.deepEqual(seen, []);
});

test('a server that never answers, never ends, or answers too much is given up', async (t) => {
  const timeoutMs = 50;
  assert.equal((await comes(t, () => undefined, { timeoutMs })).code, 'timeout');
  assert.equal((await comes(t, (_, response) => void response.writeHead(200).write('{'), { timeoutMs })).code, 'timeout');
  // Whatever somebody's own `fetch` makes of its signal.
  assert.equal((await comes(t, () => undefined, { timeoutMs, fetch: () => new Promise(() => undefined) })).code, 'timeout');
  let closed: unknown;
  const endless: RequestListener = (_, response) => {
    closed = once(response, 'close');
    const more = (): unknown => response.destroyed || (response.write('x'.repeat(65_536)) ? setImmediate(more) : response.once('drain', more));
    more();
  };
  assert.equal((await comes(t, endless)).code, 'answer-too-large');
  await closed;
});

test('whoever waits can give up, with a reason of their own', async (t) => {
  const controller = new AbortController();
  const backend = new Backend(await answering(t, () => controller.abort('enough')), { token });
  await assert.rejects(backend.publish('news', 1, { signal: controller.signal }), (reason) => reason === 'enough');
  await assert.rejects(backend.batch((calls) => [calls.presence('news')], { signal: AbortSignal.abort('no') }), (reason) => reason === 'no');
});

test('who gives up leaves nothing waiting, whatever somebody’s own `fetch` makes of its signal', async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  const controller = new AbortController();
  const fetch = (): Promise<never> => (controller.abort('enough'), new Promise(() => undefined));
  await assert.rejects(new Backend('https://a.test', { token, fetch }).publish('news', 1, { signal: controller.signal }), (reason) => reason === 'enough');
  assert.deepEqual([timers(), getEventListeners(controller.signal, 'abort').length], [before, 0]);
});

test('what is no answer is told as that', async (t) => {
  const result = (value: unknown, more = {}): string => JSON.stringify({ jsonrpc: '2.0', id: 0, result: value, ...more });
  for (const body of [
    ...['', '{', 'null', '7', '[]', '{}', result({}), result({ position: 'here' }), result({ position: 'a:1' }, { id: 1 }), result({ position: 'a:1' }, { jsonrpc: '1.0' })],
    ...[JSON.stringify({ jsonrpc: '2.0', id: 0, error: { code: 'x' } }), '{"__proto__":{"jsonrpc":"2.0","id":0,"result":{"position":"a:1"}}}'],
  ]) {
    const failed = await comes(t, says(200, body));
    assert.ok(failed instanceof ConnectionError);
    assert.equal(failed.code, 'malformed-answer', body);
  }
  const half = await comes(t, (_, response) => response.writeHead(200, { 'content-length': '100' }).write('{', () => response.destroy()));
  assert.equal(half.code, 'unreachable');
});

test('what others put into prototypes is no part of an answer', async (t) => {
  const backend = new Backend(await answering(t, says(200, '{"jsonrpc":"2.0","id":0,"result":{"position":"a:1"}}')), { token });
  const everywhere = Object.prototype as { duplicate?: boolean };
  everywhere.duplicate = true;
  const published = await backend.publish('news', 1).finally(() => delete everywhere.duplicate);
  assert.deepEqual(published, { position: 'a:1', duplicate: false });
});

test('a batch whose answer is not one of its calls says so of that call', async (t) => {
  const answers = [{ jsonrpc: '2.0', id: 1, result: { count: 1 } }, null, { jsonrpc: '2.0', id: 7, result: { count: 1 } }];
  const backend = new Backend(await answering(t, says(200, JSON.stringify(answers))), { token });
  const [missing, there] = await backend.batch((calls) => [calls.presence('a'), calls.presence('b')]);
  assert.equal(missing.status === 'rejected' && missing.reason.code, 'malformed-answer');
  assert.equal(there.status === 'fulfilled' && there.value.count, 1);
  const whole = new Backend(await answering(t, says(200, error({ word: 'request' }))), { token });
  await assert.rejects(whole.batch((calls) => [calls.presence('a')]), { code: 'request', rpc: -32001 });
  for (const length of [0, 33]) await assert.rejects(backend.batch((calls) => Array.from({ length }, () => calls.presence('a'))), UsageError);
});

test('refusals tell their code, how long to wait and what helps; a proxy’s are told by their status', async (t) => {
  const problem = JSON.stringify({ title: 'Service Unavailable', status: 503, code: 'unavailable' });
  const busy = await comes(t, says(503, problem, { 'retry-after': '7' }));
  assert.ok(busy instanceof RefusedError);
  assert.deepEqual([busy.code, busy.status, busy.retryAfterMs, busy.remedy], ['unavailable', 503, 7000, 'Wait for `retryAfterMs`.']);
  assert.equal((await comes(t, says(502, '<html>'))).code, 'http-502');
  assert.equal((await comes(t, says(204, ''))).code, 'http-204');
  const rate = await comes(t, says(200, error({ word: 'rate', retryAfter: 0.25 })));
  assert.ok(rate instanceof CallError);
  assert.deepEqual([rate.code, rate.retryAfterMs], ['rate', 250]);
  assert.equal((await comes(t, says(200, error({ word: 'timeout' })))).code, 'rpc-32001', 'a word of this side’s');
});

test('a server, or a `fetch`, that says the token back is not quoted', async (t) => {
  for (const body of [error({ word: token, pointer: token, keyword: token }, token), error({ word: `a${token}`, pointer: `/${token}` }, `a ${token}`)]) {
    await comes(t, says(200, body));
  }
  await comes(t, says(400, JSON.stringify({ code: `a${token}`, title: `a ${token} b` })));
  const throwing = Object.assign(new Error(`Bearer ${token}`, { cause: new Error(token) }), { request: { headers: { authorization: token } } });
  const failed = await comes(t, () => undefined, { fetch: () => Promise.reject(throwing) });
  assert.equal(failed.code, 'unreachable');
});

test('where nobody listens the reason is told', async () => {
  const closed = createServer();
  closed.listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await once(closed, 'close');
  await assert.rejects(new Backend(`http://127.0.0.1:${port}`, { token }).publish('news', 1), { code: 'unreachable', message: /ECONNREFUSED/ });
});

test('what cannot be meant is refused before anything is sent', async (t) => {
  const backend = new Backend(await answering(t, () => assert.fail('something was sent')), { token });
  const cycle: Record<string, unknown> = {};
  cycle['own'] = cycle;
  for (const data of [undefined, () => 1, Symbol('s'), 1n, cycle]) await assert.rejects(backend.publish('news', data), { code: 'not-json' });
  for (const id of ['', 'x'.repeat(65), 'a b', 'ü', 7, null] as string[]) await assert.rejects(backend.publish('news', 1, { id }), UsageError);
  await assert.rejects(backend.publish('a//b', 1), UsageError);
  await assert.rejects(backend.presence(7 as unknown as string), UsageError);
  await assert.rejects(backend.history('news', { after: 'a:1', before: 'a:2' }), UsageError);
  await assert.rejects(backend.history('news', { after: 'yesterday' }), UsageError);
  for (const limit of [0, 101, 1.5, Number.NaN]) await assert.rejects(backend.history('news', { limit }), UsageError);
});

test('an option that is misspelt, and a batch that is none, is refused and not passed over', async (t) => {
  const url = await answering(t, () => assert.fail('something was sent'));
  const backend = new Backend(url, { token });
  const any = (value: unknown): never => value as never;
  for (const options of [undefined, null, { token, timeout: 5 }, { Token: token }]) {
    assert.throws(() => new Backend(url, any(options)), (reason) => (unsaid(reason), reason instanceof UsageError), JSON.stringify(options));
  }
  for (const call of [backend.publish('a', 1, any({ Id: 'x' })), backend.history('a', any({ max: 1 })), backend.presence('a', any({ countonly: true }))]) {
    await assert.rejects(call, UsageError);
  }
  for (const countOnly of ['yes', 1, null]) await assert.rejects(backend.presence('a', any({ countOnly })), UsageError);
  for (const options of [null, 7, 'id']) {
    for (const call of [backend.publish('a', 1, any(options)), backend.history('a', any(options)), backend.presence('a', any(options)), backend.revoke({ issuer: 'i', subject: 'a' }, any(options)), backend.batch((calls) => [calls.presence('a')], any(options))]) {
      await assert.rejects(call, UsageError, String(options));
    }
  }
  for (const options of [7, 'now', {}, new AbortController()].map((signal) => any({ signal }))) {
    for (const call of [backend.publish('a', 1, options), backend.history('a', options), backend.presence('a', options), backend.revoke({ issuer: 'i', subject: 'a' }, options), backend.batch((calls) => [calls.presence('a')], options)]) {
      await assert.rejects(call, (reason) => reason instanceof UsageError && reason.title.includes('`signal`'));
    }
  }
  await assert.rejects(backend.revoke({ issuer: 'i', subject: 'a' }, any({ Signal: AbortSignal.abort() })), UsageError);
  for (const make of [undefined, [], 'calls']) await assert.rejects(backend.batch(any(make)), UsageError);
  for (const fetch of ['fetch', null, {}]) assert.throws(() => new Backend(url, { token, fetch: any(fetch) }), (reason) => reason instanceof UsageError && reason.title.includes('`fetch`'));
  for (const made of [undefined, 'calls', [1], [undefined], [Promise.resolve()]]) await assert.rejects(backend.batch(() => any(made)), UsageError);
  await assert.rejects(backend.publish('a', new Uint8Array(2 ** 29)), { code: 'message-too-large' });
});

test('a revocation never takes back more than it says', async (t) => {
  const backend = new Backend(await answering(t, () => assert.fail('something was sent')), { token });
  const issuer = 'https://id.test';
  for (const what of [
    ...[undefined, null, 7, 'alice', [], {}, { issuer }, { issuer, subject: undefined }, { issuer, subject: '' }, { issuer, subject: null }, { issuer, token: undefined }, { issuer, session: 7 }],
    ...[{ issuer, everything: false }, { issuer, everything: 1 }, { issuer: '', everything: true }, { issuer, subject: 'a', token: 'b' }],
    ...[{ issuer, subject: 'a', everything: true }, { issuer, user: 'a' }, { issuer, token: 'a', issuedBefore: new Date() }],
    ...[{ issuer, subject: 'a', issuedBefore: 1 }, { issuer, subject: 'a', issuedBefore: undefined }, { issuer, subject: 'a', issuedBefore: new Date(Number.NaN) }],
  ]) {
    await assert.rejects(backend.revoke(what as never), UsageError, JSON.stringify(what));
  }
});
