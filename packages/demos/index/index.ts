/** The index: who one is, what that lets one do, and where the demos are. */

import { session, Wire } from '@wardwire/client';

import { cable } from '../shared/src/cable.js';
import { place } from '../shared/src/dom.js';
import { shell } from '../shared/src/shell.js';

const wire = new Wire('/live', { auth: session(), platform: cable });

void shell(wire, (account, signal) => {
  place('who').textContent = account;
  signal.addEventListener('abort', () => place('who').replaceChildren());
});
