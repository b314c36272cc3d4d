/** Attacks with what is sent over a socket that was rightly opened. */

import { session, WardwireError, Wire } from '@wardwire/client';

import { element } from '../dom.js';
import { route, ticket } from '../gate.js';
import { showHtml } from '../html.js';
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

const payload = 'Hi! <img src="x" onerror="window.brokenIn = true"><script>window.brokenIn = true</script>';
const tooMuch = 10 * 1024 * 1024;
/** RFC 6455 §7.4.1 */
const tooBig = 1009;

/** Once where the server makes HTML safe, and once where it cleans nothing; both are shown here as the chat shows them. */
async function publishScript({ trace, stage }: Arena): Promise<Outcome> {
  const client = new Wire(route, { auth: session(), newTrace: () => trace });
  try {
    client.start();
    const sanitised = await delivered(client, 'chat/lobby', trace);
    const untouched = await delivered(client, 'chat/raw', trace);
    const [html, text] = [element('p', { class: 'shown' }), element('p', { class: 'shown' })];
    stage.replaceChildren(html, text);
    showHtml(html, sanitised);
    text.textContent = untouched;
    // A would-be handler in it has time to run.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const made = stage.querySelectorAll('img, script').length;
    const ran = 'brokenIn' in window;
    return {
      verdict: { kind: made === 0 && !ran ? 'inert' : 'broken' },
      saw: [
        `published: ${payload}`,
        `delivered in chat/lobby: ${sanitised}`,
        `delivered in chat/raw: ${untouched === payload ? 'unchanged, shown as text' : untouched}`,
        `elements made of it: ${made}`,
        `window.brokenIn: ${ran ? 'true' : 'never set'}`,
      ],
      awaits: 'admission',
    };
  } catch (error) {
    if (!(error instanceof WardwireError)) throw error;
    const verdict = error.code === 'forbidden' ? ({ kind: 'refused' } as const) : ({ kind: 'unclear' } as const);
    return { verdict, saw: [`chat/lobby: ${error.title} (${error.code})`], awaits: 'admission' };
  } finally {
    client.close();
  }
}

/** Publishes the payload, and gives what comes of it to everybody. */
async function delivered(client: Wire, channel: string, trace: string): Promise<string> {
  const room = client.channel(channel);
  const arrived = new Promise<unknown>((resolve) => room.on('publication', ({ id, data }) => id === trace && resolve(data)));
  await room.subscribe();
  await room.publish({ text: payload }, { id: trace });
  const data = await arrived;
  return typeof data === 'object' && data !== null ? String((data as { text?: unknown }).text) : JSON.stringify(data);
}

async function sendTooMuch({ trace }: Arena): Promise<Outcome> {
  const knocked = await knock(trace, await ticket(trace));
  if (knocked.kind === 'failed') return { verdict: { kind: 'unclear' }, saw: describe(knocked), awaits: 'close' };
  const ended = farewell(knocked.socket, 30_000);
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
