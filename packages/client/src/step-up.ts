/** What a route asks for that takes no sign-in but a better or a fresher one. Apart, as not every application has one. */

import type { WardwireError } from './error.js';

/** What to ask the provider for (RFC 9470 §3), as parameters of `/.wardwire/login`. */
export interface StepUp {
  /** What the sign-in must be as good as: words between spaces. */
  readonly acr_values?: string;
  /** How long ago it may have been, in seconds. */
  readonly max_age?: string;
}

/** What the sign-in has to ask for that mends this refusal; `null` where it takes no more than signing in, or none would. */
export function stepUpFor({ challenge }: WardwireError): StepUp | null {
  if (!challenge?.includes('error="insufficient_user_authentication"')) return null;
  const asked = challenge.matchAll(/\b(acr_values|max_age)="?([^",]{1,256})(?=[",]|$)/g);
  return Object.fromEntries([...asked].map((it) => it.slice(1)));
}
