/** What the server says in `spec/vectors` is what this client understands of it. That a server says it is asked where there is one. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { readPublished, readSubscribed } from '../src/answers.js';
import type { Channel } from '../src/channel.js';
import { adviceFor, RPC } from '../src/codes.js';
import { type Publication, readExpiry, readFrame } from '../src/frames.js';
import { history } from '../src/history.js';
import { session, Wire } from '../src/index.js';
import { presence } from '../src/presence.js';
import { ownSocket } from './gate.js';

interface Message {
  readonly id?: number | string | null;
  readonly method?: string;
  readonly params?: any;
  readonly result?: any;
  readonly error?: any;
}

interface Step {
  readonly send?: Message | readonly Message[];
  readonly receive?: Message | readonly Message[];
  readonly receiveAll?: readonly Message[];
}

const folder = new URL('../../../../../spec/vectors/', import.meta.url);
const samples: Readonly<Record<string, unknown>> = { $position: '5f3a:7', $wait: 0.5, $time: 4_102_444_800 };

/** A file, with something of the kind of each placeholder in its place. */
const read = (file: string) =>
  JSON.parse(readFileSync(new URL(file, folder), 'utf8'), (_, value: unknown) =>
    typeof value === 'string' && value.startsWith('$') ? samples[value.split(':')[0] as string] : value,
  );

const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
const steps: readonly Step[] = files.flatMap((file) => (read(file).vectors ?? []).flatMap((vector: { steps: Step[] }) => vector.steps));
const messages = ({ receive, receiveAll = [] }: Step): readonly Message[] => [...(receive === undefined ? [] : [receive].flat()), ...receiveAll];

test('no name that a server takes is refused before it is asked', () => {
  const client = new Wire('wss://localhost/live', { auth: session(), platform: ownSocket });
  for (const name of read('names.json').good as string[]) assert.equal(client.channel(name).name, name);
});

test('each message of a server is understood', () => {
  const received = [...steps.flatMap(messages), ...(read('decode.json').messages as Message[])];
  for (const message of received) {
    // This client numbers its calls, and sends none that a server could not read.
    if (typeof message.id === 'string' || message.id === null) continue;
    const frame = readFrame(JSON.stringify(message));
    const text = JSON.stringify(message);
    if (frame.kind === 'error') {
      assert.deepEqual({ id: frame.id, error: { code: frame.code, message: frame.message, data: frame.data } }, { id: message.id, error: message.error });
      assert.ok((Object.values(RPC) as number[]).includes(frame.code), text);
    } else if (frame.kind === 'result') {
      assert.deepEqual([frame.id, frame.result], [message.id, message.result]);
    } else {
      assert.equal(frame.kind === 'unknown', message.method === 'weather', text);
      if (frame.kind === 'publication') same(frame.event, message.params.channel, message.params);
      if (frame.kind === 'joined' || frame.kind === 'left') assert.deepEqual([frame.event.count, frame.event.members.length], [message.params.count, message.params.members.length]);
    }
  }
  assert.ok(received.length > 100);
});

test('each answer is what its method promises', async () => {
  const seen = new Set<string>();
  for (const step of steps) {
    const sent = new Map([step.send ?? []].flat().map((call) => [call.id, call]));
    for (const { id, result } of messages(step)) {
      const { method = '', params } = sent.get(id) ?? {};
      if (result === undefined) continue;
      seen.add(method);
      const channel = { name: params?.channel, ask: async (_method: string, _params: object, read: (result: unknown) => unknown) => read(result) } as unknown as Channel;
      const readers: Readonly<Record<string, () => unknown>> = {
        subscribe: () => readSubscribed(result, params.channel),
        publish: () => readPublished(result),
        history: () => history(channel),
        presence: () => presence(channel),
        refresh: () => readExpiry(result),
        unsubscribe: () => result,
        ping: () => result,
      };
      const answer: any = await readers[method]?.();
      const text = JSON.stringify(result);
      assert.ok(answer !== null && answer !== undefined, text);
      for (const name of ['position', 'recovered', 'more', 'complete', 'count', 'anonymous']) {
        if (name in result) assert.equal(answer[name], result[name], text);
      }
      assert.equal(answer.duplicate ?? false, result.duplicate ?? false);
      assert.equal(answer.publications?.length, result.publications?.length);
      result.publications?.forEach((it: unknown, at: number) => same(answer.publications[at], params.channel, it));
      assert.deepEqual(answer.members?.map((it: { from: string }) => it.from), result.members?.map((it: { from: string }) => it.from));
    }
  }
  assert.deepEqual([...seen].sort(), ['history', 'ping', 'presence', 'publish', 'refresh', 'subscribe', 'unsubscribe']);
});

test('each close is followed by what it asks for', () => {
  for (const { code, reason, advice } of read('decode.json').closes) {
    assert.equal(adviceFor(code, reason.split(' ')[0]), advice, `${code} ${reason}`);
  }
});

/** Whether a publication was read as it was sent. */
function same(publication: Publication, channel: string, sent: any): void {
  const data = sent.base64 === undefined ? sent.data : new Uint8Array(Buffer.from(sent.base64, 'base64'));
  assert.deepEqual(publication, { channel, data, position: sent.position, from: sent.from, id: sent.id ?? null });
}
