/** Attacks from a frame: a page of another origin that the demo really loads, and that really opens the socket. */

import { element } from '../dom.js';
import { socketUrl } from '../gate.js';
import { type Arena, type Attack, type Outcome, refusedUnless } from './attack.js';
import { describe } from './knock.js';

/** A frame that says nothing for so long has not loaded. */
const patienceMs = 30_000;

interface FrameMessage {
  readonly nonce: string;
  readonly kind: 'ready' | 'outcome';
  readonly opened?: boolean;
  readonly code?: number;
  readonly ms?: number;
  readonly origin?: string;
}

/** An attack from the hostile page at `origin`, in a sandboxed frame or in a plain one. */
export function fromFrame(fields: Omit<Attack, 'run'>, origin: string, frame: 'plain' | 'sandboxed'): Attack {
  return { ...fields, run: (arena) => run(arena, origin, frame) };
}

async function run({ trace, stage }: Arena, origin: string, kind: 'plain' | 'sandboxed'): Promise<Outcome> {
  const nonce = crypto.randomUUID();
  const hash = new URLSearchParams({ nonce, page: location.origin });
  const frame = element('iframe', { class: 'hostile-frame', title: `A hostile page, ${kind === 'plain' ? origin : 'sandboxed'}` });
  // Without allow-same-origin the page has an opaque origin, which is written "null".
  if (kind === 'sandboxed') frame.setAttribute('sandbox', 'allow-scripts');
  frame.src = `${origin}/#${hash.toString()}`;

  const speaks = kind === 'plain' ? origin : 'null';
  const said = (wanted: FrameMessage['kind']): Promise<FrameMessage | null> => hear(frame, speaks, nonce, wanted);
  const ready = said('ready');
  const outcome = said('outcome');
  stage.replaceChildren(frame);
  if ((await ready) === null) return unclear(`The hostile page at ${origin} did not load.`);
  // An opaque origin cannot be named as a target. What is sent is no secret, and the answer is tied to the nonce.
  frame.contentWindow?.postMessage({ nonce, url: socketUrl, trace }, kind === 'plain' ? origin : '*');
  const told = await outcome;
  if (told === null) return unclear('The hostile page did not report back.');

  const opened = told.opened === true;
  const ms = told.ms ?? 0;
  return {
    verdict: refusedUnless(opened),
    saw: [
      `page origin: ${told.origin ?? '?'}`,
      `new WebSocket("${socketUrl}")`,
      ...describe({ kind: opened ? 'opened' : 'failed', code: told.code ?? 0, ms }),
    ],
    awaits: 'refusal',
  };
}

/** The next message of that kind, from this very frame, of this very origin, with this very nonce. */
function hear(frame: HTMLIFrameElement, origin: string, nonce: string, kind: FrameMessage['kind']): Promise<FrameMessage | null> {
  return new Promise((resolve) => {
    const finish = (message: FrameMessage | null): void => {
      clearTimeout(timer);
      removeEventListener('message', listen);
      resolve(message);
    };
    const listen = (event: MessageEvent<Partial<FrameMessage> | null>): void => {
      if (event.source !== frame.contentWindow || event.origin !== origin) return;
      if (event.data?.nonce === nonce && event.data.kind === kind) finish(event.data as FrameMessage);
    };
    const timer = setTimeout(() => finish(null), patienceMs);
    addEventListener('message', listen);
  });
}

function unclear(why: string): Outcome {
  return { verdict: { kind: 'unclear' }, saw: [why], awaits: 'refusal' };
}
