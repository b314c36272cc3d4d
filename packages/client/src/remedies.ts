/** What helps with what the server refuses, for people. Apart from the core, so that who shows none carries none. */

import type { WardwireError } from './error.js';

const remedies: Readonly<Record<string, string>> = {
  unauthenticated: 'Sign in, then call start().',
  expired: 'Sign in, then call start().',
  'insufficient-authentication': 'Sign in in the stronger way that is asked for, then call start().',
  forbidden: 'Ask whoever runs the server for the right; asking again does not help.',
  'origin-not-allowed': 'Add this origin to the server’s configuration.',
  'credential-conflict': 'Prove in one way who it is: a session or a token, not both.',
  'not-found': 'Check the path of the address against the routes of the server’s configuration.',
  'too-many-connections': 'Close connections of this user that are not needed, or wait.',
  'too-many-requests': 'Wait for `retryAfterMs`.',
  unavailable: 'Wait for `retryAfterMs`.',
  rate: 'Wait for `retryAfterMs`.',
  limit: 'Unsubscribe from what is not needed.',
  params: 'Check the parameters against the protocol that this server speaks.',
  content: 'Send JSON that all readers read alike: no member twice, no `__proto__`, no integer beyond 2^53, not too deep.',
  channel: 'Use a name of non-empty segments, at most 255 bytes, in one form of Unicode: `normalize()` it.',
  invalid: 'Change the place that `data.pointer` names, as `data.keyword` asks.',
  'too-large': 'Send less.',
  token: 'Bring a fresh token of the same user.',
};

/** What helps, in one sentence. For a code of this side that is what its title says. */
export function remedyFor(error: WardwireError): string {
  if (Object.hasOwn(remedies, error.code)) return remedies[error.code] as string;
  return error.status === null && error.rpc === null ? error.title : 'Quote the trace to whoever runs the server.';
}
