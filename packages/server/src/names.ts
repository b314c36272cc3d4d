/**
 * Channels by type: which data belongs to a name, out of what `wardwire types` writes.
 *
 * A placeholder is one segment, and the most specific pattern wins, as in the server.
 */

/** Without types of its own an application may name any channel, and reads `unknown`. */
export type AnyChannels = { readonly [name: string]: unknown };

type FitsSegment<Name extends string, Pattern extends string> = Pattern extends `{${string}}` ? true : Name extends Pattern ? true : false;

/** Whether a name, or a narrower pattern, fits a pattern, segment by segment. */
type Fits<Name extends string, Pattern extends string> = Pattern extends `${infer First}/${infer Rest}`
  ? Name extends `${infer Segment}/${infer Others}`
    ? FitsSegment<Segment, First> extends true
      ? Fits<Others, Rest>
      : false
    : false
  : Name extends `${string}/${string}`
    ? false
    : FitsSegment<Name, Pattern>;

type Matching<Channels, Name extends string> = {
  [Pattern in keyof Channels & string]: Fits<Name, Pattern> extends true ? Pattern : never;
}[keyof Channels & string];

/** Of several patterns those that no other is narrower than. */
type Narrowest<Pattern extends string, All extends string = Pattern> = Pattern extends string
  ? true extends { [Other in All]: Other extends Pattern ? false : Fits<Other, Pattern> }[All]
    ? never
    : Pattern
  : never;

/** The pattern that a name belongs to; `never` for a name of no channel. */
export type PatternOf<Channels, Name extends string> = string extends keyof Channels
  ? Name
  : Name extends keyof Channels
    ? Name
    : Narrowest<Matching<Channels, Name>>;

/** What is published in a channel. */
export type DataOf<Channels, Name extends string> = string extends keyof Channels
  ? Channels[keyof Channels]
  : PatternOf<Channels, Name> extends infer Pattern extends keyof Channels
    ? Channels[Pattern]
    : never;

/** The name itself, or `never` where the types know no such channel. */
export type NameOf<Channels, Name extends string> = [PatternOf<Channels, Name>] extends [never] ? never : Name;
