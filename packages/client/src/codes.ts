/** What to do after each close code and word of the server: RFC 6455 §7.4.1 and IANA's registry of close codes. */

/** When to come back after a connection that ended. */
export type Advice = 'at-once' | 'later' | 'after-sign-in' | 'never';

const advice: ReadonlyMap<string, Advice> = new Map<string, Advice>([
  ['1000', 'never'],
  ['1001', 'later'],
  ['1002', 'never'],
  ['1003', 'never'],
  ['1005', 'later'],
  ['1006', 'later'],
  ['1007', 'never'],
  ['1008', 'later'],
  ['1008 errors', 'never'],
  ['1009', 'later'],
  ['1011', 'later'],
  ['1012', 'later'],
  ['1013', 'later'],
  ['1013 slow', 'at-once'],
  ['3000', 'after-sign-in'],
  ['3003', 'never'],
  ['3008', 'at-once'],
]);

/** What to do after a close with this code and the first word of its reason. */
export function adviceFor(code: number, word: string): Advice {
  return advice.get(`${code} ${word}`) ?? advice.get(String(code)) ?? 'later';
}
