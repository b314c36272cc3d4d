/** Who is in a channel, as a hook. */

import { type Change, type Channel, type Member, type NameOf, presence, type WardwireError } from '@wardwire/client';

import { type Reader, type Tell, useFollowed, useNamed } from './follow.js';
import type { Registered } from './register.js';

/** What {@link usePresence} knows of who is in a channel. */
export interface PresenceView {
  /** Users in the channel; `null` before it is known. */
  readonly count: number | null;
  /** Those who are named, at most 1000. With many users these are not all: compare `count`. */
  readonly members: readonly Member[];
  /** Why nobody may be told. */
  readonly error: WardwireError | null;
}

/** Of a channel that thousands join while the page is open. */
const maxMembers = 1000;

type Turn = (view: PresenceView) => PresenceView;

const nobody: PresenceView = { count: null, members: [], error: null };

const reader: Reader<unknown, PresenceView> = {
  nothing: nobody,
  entered: (view, state) => (state.kind === 'ended' ? { ...nobody, error: state.error } : view),
  listen,
};

/** Who is in a channel, kept as they come and go; with `null` in place of a name nobody is. Follows the channel. */
export function usePresence<const Name extends string>(name: (Name & NameOf<Registered, Name>) | null): PresenceView {
  return useFollowed<unknown, PresenceView>(useNamed(name), reader);
}

function listen(channel: Channel, signal: AbortSignal, tell: Tell<PresenceView>): void {
  let known = false;
  let again = false;
  /** What came and went since the question that is under way. */
  let meanwhile: Turn[] | null = null;
  // One question at a time: a busy channel gives reason to ask every second.
  const ask = (): void => {
    again = meanwhile !== null;
    if (meanwhile) return;
    meanwhile = [];
    const answered = (view: PresenceView): void => {
      const turns = meanwhile ?? [];
      meanwhile = null;
      // Of a connection that was lost; the next one asks again.
      if (signal.aborted || channel.state.kind !== 'live') return;
      known = view.error === null;
      // The answer may be older than these.
      const now = known ? turns.reduce((before, turn) => turn(before), view) : view;
      tell(() => now);
      if (again && known) ask();
    };
    presence(channel, { signal }).then(
      ({ count, members }) => answered({ count, members, error: null }),
      (error: WardwireError) => answered({ ...nobody, error }),
    );
  };
  const change = (apply: (members: readonly Member[], change: Change) => readonly Member[]) => (change: Change) => {
    // Too many at once to be named.
    if (change.truncated) return ask();
    const turn: Turn = (view) => ({ ...view, count: change.count, members: apply(view.members, change).slice(-maxMembers) });
    meanwhile?.push(turn);
    if (known) tell(turn);
    // After a failure it is a reason to ask again.
    else if (!meanwhile) ask();
  };
  channel.on('joined', change((members, { members: came }) => [...without(members, came), ...came]), { signal });
  channel.on('left', change((members, { members: went }) => without(members, went)), { signal });
  channel.on('state', ({ kind }) => kind === 'live' && ask(), { signal });
  if (channel.state.kind === 'live') ask();
}

function without(members: readonly Member[], gone: readonly Member[]): readonly Member[] {
  const names = new Set(gone.map(({ from }) => from));
  return members.filter(({ from }) => !names.has(from));
}
