/** Every attack of the panel, in the order in which it shows them. */

import type { Hostile } from '../gate.js';
import type { Attack } from './attack.js';
import { fromFrame } from './frame.js';
import { large, script } from './messages.js';
import { algNone, expired, noCredential, ticketTwice } from './tickets.js';

export function allAttacks(hostile: Hostile, provider: boolean): readonly Attack[] {
  return [
    fromFrame(
      {
        id: 'hostile-site',
        title: 'A hostile site',
        tries: 'A page of another site opens a socket, in the hope that your browser brings your cookie.',
      },
      hostile.elsewhere,
      'plain',
    ),
    fromFrame(
      {
        id: 'hostile-same-site',
        title: 'A hostile neighbour',
        tries: 'The harder case: another origin of the same site, to which the browser really does give your cookie.',
      },
      hostile.sameSite,
      'plain',
    ),
    fromFrame(
      {
        id: 'sandboxed-frame',
        title: 'A sandboxed frame',
        tries: 'The same page without an origin of its own, hoping that "null" is let through.',
      },
      hostile.sameSite,
      'sandboxed',
    ),
    noCredential,
    // Only our own issuer signs what ran out.
    ...(provider ? [] : [expired]),
    algNone,
    ticketTwice,
    script,
    large,
  ];
}
