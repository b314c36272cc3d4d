/** What an attack is, and how its outcome is judged. */

/** How an attack ended. `broken` is the only bad one. */
export type Verdict =
  | { readonly kind: 'refused' }
  | { readonly kind: 'inert' }
  | { readonly kind: 'closed'; readonly code: number }
  | { readonly kind: 'broken' }
  /** The attack could not be tried, or ended in a way that proves nothing. */
  | { readonly kind: 'unclear' };

/** What came of one try. */
export interface Outcome {
  readonly verdict: Verdict;
  /** What JavaScript saw, line by line. */
  readonly saw: readonly string[];
  /** The kind of audit event that must name this try. */
  readonly awaits: 'refusal' | 'close' | 'admission';
}

/** What an attack may use. */
export interface Arena {
  /** Names this try in the audit log. */
  readonly trace: string;
  /** Where a frame may be shown. */
  readonly stage: HTMLElement;
}

/** One way to try to break in. */
export interface Attack {
  readonly id: string;
  readonly title: string;
  /** What it tries, in one sentence. */
  readonly tries: string;
  readonly run: (arena: Arena) => Promise<Outcome>;
}

/** What stands on the verdict chip. */
export function verdictText(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'refused':
      return 'Refused';
    case 'inert':
      return 'Delivered inert';
    case 'closed':
      return `Closed ${verdict.code}`;
    case 'broken':
      return 'Broken in';
    case 'unclear':
      return 'Unclear';
  }
}

/** A refusal, unless the attacker got what it wanted. */
export function refusedUnless(broken: boolean): Verdict {
  return { kind: broken ? 'broken' : 'refused' };
}
