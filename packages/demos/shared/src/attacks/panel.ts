/** The panel "Try to break in": one card for each attack, and what came of it. */

import { newTrace } from '@wardwire/client';

import { element } from '../dom.js';
import { audit, type Hostile } from '../gate.js';
import { allAttacks } from './all.js';
import { type Attack, type Outcome, verdictText } from './attack.js';
import { ledger } from './ledger.js';

/** The panel, as the page drives it. */
export interface Panel {
  signedIn(account: string): void;
  signedOut(): void;
}

interface Card {
  readonly root: HTMLElement;
  readonly button: HTMLButtonElement;
  /** `null` where who was attacked has signed out meanwhile. */
  run(): Promise<Outcome['verdict'] | null>;
  reset(): void;
}

/** Builds the panel into its place. */
export function attacksPanel(root: HTMLElement, hostile: Hostile, provider: boolean): Panel {
  const cards = allAttacks(hostile, provider).map(attackCard);
  const runAll = element('button', { class: 'primary', type: 'button', 'data-testid': 'run-all', text: 'Run all' });
  const summary = element('p', { class: 'summary', role: 'status', 'data-testid': 'summary' });
  const hint = 'Sign in first: most of these abuse your own session.';

  runAll.addEventListener('click', () => void runEvery(cards, runAll, summary));
  root.replaceChildren(
    element(
      'header',
      { class: 'attacks-head' },
      element('div', {}, element('h2', { id: 'attacks-title', text: 'Try to break in' }), summary),
      runAll,
    ),
    element('ol', { class: 'attack-list', role: 'list' }, ...cards.map(({ root: card }) => card)),
  );

  const enable = (enabled: boolean): void => {
    for (const button of [runAll, ...cards.map((card) => card.button)]) button.disabled = !enabled;
    for (const card of cards) card.reset();
  };
  return {
    signedIn(account) {
      enable(true);
      summary.textContent = `${cards.length} attacks on the session of ${account}.`;
    },
    signedOut() {
      enable(false);
      summary.textContent = hint;
    },
  };
}

async function runEvery(cards: readonly Card[], runAll: HTMLButtonElement, summary: HTMLElement): Promise<void> {
  const focused = document.activeElement === runAll;
  runAll.disabled = true;
  let held = 0;
  for (const [index, card] of cards.entries()) {
    summary.textContent = `Attack ${index + 1} of ${cards.length} ...`;
    const verdict = await card.run();
    if (verdict === null) return;
    if (verdict.kind !== 'broken' && verdict.kind !== 'unclear') held += 1;
  }
  summary.textContent = held === cards.length ? `${held} of ${cards.length} attacks came to nothing.` : `Only ${held} of ${cards.length} attacks were turned away.`;
  runAll.disabled = false;
  if (focused) refocus(runAll);
}

function attackCard(attack: Attack): Card {
  const chip = element('span', { class: 'chip', role: 'status', 'data-part': 'verdict' });
  const button = element('button', { type: 'button', 'data-part': 'run', 'aria-describedby': `${attack.id}-tries`, text: 'Try it' });
  let stage = newStage();
  const saw = element('ul', { class: 'lines', role: 'list', 'data-part': 'saw' });
  const log = element('div', { class: 'log', 'data-part': 'audit' });
  const result = element(
    'div',
    { class: 'result' },
    column('What JavaScript saw', saw),
    column('What the audit log says', log),
  );
  const root = element(
    'li',
    { class: 'attack', 'data-testid': `attack-${attack.id}`, 'data-state': 'ready' },
    element(
      'div',
      { class: 'attack-head' },
      element('h3', { text: attack.title }),
      element('p', { id: `${attack.id}-tries`, text: attack.tries }),
      chip,
      button,
    ),
    stage,
    result,
  );

  /** What still goes on writes into a stage that is not shown any more. */
  const empty = (): void => {
    const before = stage;
    before.replaceWith((stage = newStage()));
    for (const part of [saw, log]) part.replaceChildren();
  };
  const run = async (): Promise<Outcome['verdict'] | null> => {
    const trace = newTrace();
    const focused = document.activeElement === button;
    root.dataset['state'] = 'running';
    root.dataset['trace'] = trace;
    button.disabled = true;
    chip.textContent = 'Trying';
    empty();
    const outcome = await attack.run({ trace, stage }).catch(failed);
    const events = await audit(trace, outcome.awaits).catch(() => []);
    if (root.dataset['trace'] !== trace) return null;
    saw.replaceChildren(...outcome.saw.map((text) => element('li', { text })));
    log.replaceChildren(...ledger(events, outcome.awaits));
    chip.textContent = verdictText(outcome.verdict);
    root.dataset['verdict'] = outcome.verdict.kind;
    root.dataset['state'] = 'done';
    button.disabled = false;
    if (focused) refocus(button);
    button.textContent = 'Again';
    return outcome.verdict;
  };
  const reset = (): void => {
    root.dataset['state'] = 'ready';
    for (const name of ['trace', 'verdict']) delete root.dataset[name];
    empty();
    chip.textContent = '';
    button.textContent = 'Try it';
  };
  button.addEventListener('click', () => void run());
  return { root, button, run, reset };
}

/** A button that is disabled loses the focus; who has not gone on meanwhile gets it back. */
function refocus(button: HTMLElement): void {
  if (document.activeElement === document.body) button.focus({ preventScroll: true });
}

function newStage(): HTMLElement {
  return element('div', { class: 'attack-stage', 'data-part': 'stage' });
}

function column(title: string, content: HTMLElement): HTMLElement {
  return element('section', { class: 'pane' }, element('h4', { text: title }), content);
}

/** The attack could not be tried; why is all that can be told. */
function failed(error: unknown): Outcome {
  const why = error instanceof Error ? error.message : String(error);
  return { verdict: { kind: 'unclear' }, saw: [why], awaits: 'refusal' };
}
