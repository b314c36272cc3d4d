/** The audit log's side of an attempt: its lines, and the question at which it was stopped. */

import { element } from '../dom.js';
import type { AuditEvent } from '../gate.js';

/** The gate's questions in the order in which it asks them. */
const stages = ['head', 'host', 'origin', 'identity', 'permission', 'limits'] as const;

/** What is worth showing of a line; all of it stands in the full line below. */
const fields = ['reason', 'detail', 'origin', 'subject', 'path', 'status', 'code', 'time'] as const;

/** Shows the events of one attempt. */
export function ledger(events: readonly AuditEvent[], awaited: string): readonly Node[] {
  if (events.length === 0) return [element('p', { class: 'missing', text: 'No line within ten seconds.' })];
  const named = events.findLast(({ event }) => event === awaited);
  const stage = typeof named?.['stage'] === 'string' ? named['stage'] : null;
  const track = named?.event === 'refusal' && stage !== null ? stageTrack(stage) : null;
  return [...(track === null ? [] : [track]), ...events.map((event) => entry(event, event === named))];
}

function stageTrack(stopped: string): HTMLElement {
  const at = stages.findIndex((stage) => stage === stopped);
  const items = stages.map((stage, index) => {
    const state = index < at ? 'passed' : index === at ? 'stopped' : 'unasked';
    return element('li', { 'data-state': state, ...(state === 'stopped' ? { 'aria-current': 'step' } : {}), text: stage });
  });
  return element('ol', { class: 'track', 'aria-label': `Stopped at: ${stopped}` }, ...items);
}

/** One line: the awaited one with what matters spread out, the others in a word. */
function entry(event: AuditEvent, spread: boolean): HTMLElement {
  const head = [event['reason'], event['code'], event['subject']].filter((value) => typeof value === 'string' || typeof value === 'number');
  const whole = element('pre', { text: JSON.stringify(event, null, 1), tabindex: '0' });
  return element(
    'article',
    { class: 'entry', 'data-event': event.event },
    element(
      'p',
      { class: 'entry-head' },
      element('span', { text: `#${String(event['seq'] ?? '?')}` }),
      element('strong', { text: event.event }),
      spread ? null : element('span', { text: head.join(' ') }),
    ),
    spread ? element('dl', {}, ...rows(event)) : null,
    element('details', {}, element('summary', { text: 'The whole line' }), whole),
  );
}

function rows(event: AuditEvent): HTMLElement[] {
  return fields.flatMap((name) => {
    const value = event[name];
    if (value === undefined || value === null || value === '') return [];
    return [element('dt', { text: name }), element('dd', { 'data-field': name, text: name === 'time' ? timeOf(value) : String(value) })];
  });
}

/** The time of day out of an RFC 3339 instant. */
function timeOf(value: unknown): string {
  return /T([0-9:.]+)/.exec(String(value))?.[1] ?? String(value);
}
