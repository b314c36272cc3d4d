/** What happened and what helps, for people. Apart from the core, so that who shows none carries none. */

import type { LocalCode, WardwireError } from './error.js';

const ofThisSide: Readonly<Record<LocalCode, string>> = {
  unreachable: 'The server cannot be reached, or its answer is hidden from this origin (CORS): check the address, the network, and the origins in the server’s configuration.',
  timeout: 'No answer in time. Try again.',
  'credential-function': 'The function given to `auth` failed, see `cause`; or what it gave is no token: visible characters of ASCII.',
  'malformed-answer': 'The answer breaks the protocol: check that this address is a Wardwire server’s, and that its version fits.',
  disconnected: 'There is no connection, or it ended before the answer came. Ask again once the state is `open`.',
  unconfirmed: 'Sent, but nobody knows whether it is published. Publish again with the same `id`.',
  'not-sent': 'Nothing was sent in time. Publish again once the state is `open`.',
  'queue-full': 'Too much waits already: wait for what was sent, or unsubscribe from what is not needed.',
  'backlog-full': 'Read more slowly than published: do less for each message, or raise `backlog`.',
  'message-too-large': 'Larger than `maxMessageBytes`, or than the route takes (`limits.message`). Send less.',
  'not-json': 'Neither JSON nor a `Uint8Array`. Give plain data, and bytes as a `Uint8Array`; await a promise before.',
  usage: 'There is no option or event of this name, or it is a whole number from 0 to 2147483647.',
  revoked: 'The right to this channel ended. Subscribe again once it is given back.',
  unsubscribed: 'Unsubscribed before the answer came.',
  closed: 'The client was closed. Call start().',
  'signed-out': 'Signed out. Sign in, then call start().',
  'another-user': 'Another user is signed in now. Call start() to go on as them.',
};

const ofNames = 'Use a name of segments between `/`, none of them empty, `.` or `..`, without `* { } ? # % \\`, control characters or spaces around them; at most 255 bytes, in one form of Unicode: `normalize()` it.';

const ofTheServer: Readonly<Record<string, string>> = {
  unauthenticated: 'Sign in, then call start().',
  expired: 'Sign in, then call start().',
  'insufficient-authentication': 'Sign in in the stronger way that is asked for, then call start().',
  forbidden: 'Ask whoever runs the server for the right; asking again does not help.',
  'origin-not-allowed': 'Add this origin to the server’s configuration. A program has none: its route needs `native_clients = true`.',
  'credential-conflict': 'Prove in one way who it is: a session or a token, not both.',
  'not-found': 'Check the path of the address against the routes of the server’s configuration.',
  'too-many-connections': 'Close connections of this user that are not needed, or wait.',
  'too-many-requests': 'Wait for `retryAfterMs`.',
  unavailable: 'Wait for `retryAfterMs`.',
  rate: 'Wait for `retryAfterMs`.',
  limit: 'Unsubscribe from what is not needed.',
  params: 'Check the parameters against the protocol that this server speaks.',
  content: 'Send JSON that all readers read alike: `data.keyword` says what is not, `data.pointer` where. No member twice, no `__proto__`, no integer beyond 2^53, not too deep.',
  channel: ofNames,
  invalid: 'Change the place that `data.pointer` names, as `data.keyword` asks.',
  'too-large': 'Send less.',
  token: 'Bring a fresh token of the same user.',
};

/** What is wrong with what was given, by its name. */
const ofWhatIsGiven: Readonly<Record<string, string>> = {
  url: 'Give an address that is wss: or https: (plain only to this machine), without user, query and fragment. A path alone is enough in a page.',
  auth: 'Give `auth`: session(), or bearer(...) or tickets(...) with a function.',
  route: 'Give the path of a route as text.',
  backoff: 'Give an object with `baseMs`, `capMs` or both.',
  newTrace: 'Give a function that returns 8 to 64 letters, digits, `_` and `-`.',
  platform: 'Give an object with what replaces the browser’s own.',
  fetch: 'Give a function like the browser’s `fetch`.',
  WebSocket: 'Give a constructor like the browser’s `WebSocket`.',
  random: 'Give a function that returns a number from 0 to 1, without 1.',
  clock: 'Give an object with the functions `now` and `after`.',
  surroundings: 'Give a function that takes a listener and returns one that takes it back.',
  'platform.WebSocket': 'There is none here, or it is no constructor. Pass `platform: { WebSocket }`, as of npm’s `ws`.',
  bearer: 'Give a function that returns a fresh token: one that is given as text can not be renewed when it ends.',
  listener: 'Give a function.',
  channel: ofNames,
  grant: 'Give a signed grant as text, and subscribeByGrant a function that fetches one.',
  id: 'Give text.',
  method: 'Give the name of a method as text.',
  params: 'Give an object.',
  signal: 'Give an AbortSignal.',
  countOnly: 'Give true or false.',
  since: 'Give a position, as a publication or an answer has it.',
  before: 'Give a position, as a publication or an answer has it, and not `after` too.',
  after: 'Give a position, as a publication or an answer has it.',
  limit: 'Give 1 to 100.',
};

/** What helps, in a sentence or two. */
export function remedyFor({ code, title, status, rpc }: WardwireError): string {
  const known = status === null && rpc === null ? ofThisSide : ofTheServer;
  if (known === ofThisSide && code === 'usage') {
    const name = /^Not as documented: `(.*)`$/.exec(title)?.[1];
    if (name === undefined) return title;
    return `${title}. ${Object.hasOwn(ofWhatIsGiven, name) ? ofWhatIsGiven[name] : ofThisSide.usage}`;
  }
  return Object.hasOwn(known, code) ? ((known as Readonly<Record<string, string>>)[code] as string) : 'Quote the trace to whoever runs the server.';
}
