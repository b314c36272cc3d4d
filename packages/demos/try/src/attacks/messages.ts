/** Attacks with what is sent over a socket that was rightly opened. */

import { type Publication, session, WardwireError, Wire } from '/client/index.js';

import { lobby } from '../chat.js';
import { route, ticket } from '../gate.js';
import { type Arena, type Attack, type Outcome } from './attack.js';
import { describe, farewell, knock } from './knock.js';

export const script: Attack = {
  id: 'script-message',
  title: 'A script in a message',
  tries: 'Publishes HTML that would run in every browser that shows it as HTML.',
  run: publishScript,
};

export const large: Attack = {
  id: 'large-message',
  title: 'A message of 10 MB',
  tries: 'Opens an honest socket and sends 160 times what the server takes.',
  run: sendTooMuch,
};

const payload = '<img src="x" onerror="window.brokenIn = true"><script>window.brokenIn = true</script>';
const tooMuch = 10 * 1024 * 1024;
/** RFC 6455 §7.4.1 */
const tooBig = 1009;

async function publishScript({ trace }: Arena): Promise<Outcome> {
  const client = new Wire(route, { auth: session(), newTrace: () => trace });
  const room = client.channel(lobby);
  const marked = `${payload} ${trace.slice(0, 6)}`;
  try {
    const arrived = new Promise<Publication>((resolve) => {
      room.on('publication', (publication) => textOf(publication) === marked && resolve(publication));
    });
    client.start();
    await room.subscribe();
    await room.publish({ text: marked, at: Date.now() });
    const publication = await arrived;
    const bubble = await shownBubble(marked);
    const made = bubble?.querySelectorAll('img, script').length ?? 0;
    const ran = 'brokenIn' in window;
    const inert = bubble !== null && made === 0 && !ran;
    return {
      verdict: inert ? { kind: 'inert' } : bubble === null ? { kind: 'unclear' } : { kind: 'broken' },
      saw: [
        `published: ${payload}`,
        `delivered to everyone as text, from "${publication.from ?? ''}", unchanged`,
        bubble === null ? 'the lobby did not show it' : `elements made of it in this page: ${made}`,
        `window.brokenIn: ${ran ? 'true' : 'never set'}`,
      ],
      awaits: 'admission',
    };
  } catch (error) {
    if (!(error instanceof WardwireError)) throw error;
    const verdict = error.code === 'forbidden' ? ({ kind: 'refused' } as const) : ({ kind: 'unclear' } as const);
    return { verdict, saw: [`${lobby}: ${error.title} (${error.code})`], awaits: 'admission' };
  } finally {
    client.close();
  }
}

async function sendTooMuch({ trace }: Arena): Promise<Outcome> {
  const knocked = await knock(trace, await ticket(trace));
  if (knocked.kind === 'failed') return { verdict: { kind: 'unclear' }, saw: describe(knocked), awaits: 'close' };
  const ended = farewell(knocked.socket, 10_000);
  knocked.socket.send('x'.repeat(tooMuch));
  const bye = await ended;
  if (bye === null) knocked.socket.close();
  return {
    // Any other code says that the connection was lost, not that the message was refused.
    verdict: bye === null ? { kind: 'broken' } : bye.code === tooBig ? { kind: 'closed', code: tooBig } : { kind: 'unclear' },
    saw: [
      ...describe(knocked),
      `send(): ${tooMuch.toLocaleString('en')} bytes in one message`,
      bye === null ? 'the socket is still open' : `close event: code ${bye.code}${bye.reason === '' ? '' : `, reason "${bye.reason}"`}`,
    ],
    awaits: 'close',
  };
}

function textOf(publication: Publication): unknown {
  const { data } = publication;
  return typeof data === 'object' && data !== null ? (data as { text?: unknown }).text : undefined;
}

/** The bubble in which the lobby shows this text, after a would-be handler in it had time to run. */
async function shownBubble(text: string): Promise<Element | null> {
  const until = performance.now() + 2000;
  for (;;) {
    const found = [...document.querySelectorAll('#room [data-part=text]')].find((item) => item.textContent === text);
    if (found !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      return found.closest('.bubble');
    }
    if (performance.now() > until) return null;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
