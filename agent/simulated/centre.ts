// What the centre asks of a simulated till beyond restarts: a version of the fleet configuration, and to be left alone for
// a while. Pure, on the turn of a step. A document is kept or rolled back at once, for there is nothing that would
// become ready; which till rolls which text back is drawn from both, so that the same text is rolled back again
// there and is kept where it was kept. What is held tells and does not act, by the agent's own state machine.

import { COMPONENTS } from './character.ts';
import { diceFrom, seedFor } from './dice.ts';
import { changePart, type Document, type Held, type Turn } from './model.ts';
import { tell } from './part.ts';
import { regionOf } from './stores.ts';

export type CentreEvent =
  | { readonly kind: 'apply'; readonly command: string; readonly document: Document }
  | { readonly kind: 'hold'; readonly command: string; readonly held: Held }
  | {
      readonly kind: 'release';
      readonly command: string;
      readonly by: string;
      readonly maintenance: string | undefined;
    };

/** Of tills to which a version comes. */
export const ROLLED_BACK_SHARE = 0.02;
const ROLLED_BACK = 'sale was not ready under it for 30 s: back to the last good version';

/** As a till tells what it runs under (agent/introduction.ts). */
export function configurationOf({ configuration }: Turn['till']) {
  return configuration === undefined
    ? { state: 'own' as const }
    : { state: 'kept' as const, ...configuration };
}

export function inventory(turn: Turn): void {
  const { who } = turn.till;
  const components = COMPONENTS.map((name) => ({ name, version: who.versions[name] }));
  const fields = {
    ...{ agent: who.agentVersion, os: 'simulated', hostname: who.id, components },
    timeZone: regionOf(who.store).timeZone,
    configuration: configurationOf(turn.till),
  };
  turn.effects.push({ kind: 'report', event: { kind: 'inventory', component: '', fields } });
}

function apply(turn: Turn, { command, document }: Extract<CentreEvent, { kind: 'apply' }>): void {
  const { till } = turn;
  const about = (what: 'trial' | 'kept' | 'rolled_back', reason: string): void => {
    const fields = { what, ...document, reason };
    turn.effects.push({ kind: 'report', event: { kind: 'configuration', component: '', fields } });
  };
  const done = (ok: boolean, reason: string): void => {
    const detail = { ...document };
    turn.effects.push({ kind: 'command_done', command, ok, reason, detail });
  };
  if (till.configuration?.sha256 === document.sha256) {
    turn.till = { ...till, configuration: document };
    inventory(turn);
    done(true, 'it runs already');
    return;
  }
  about('trial', 'the centre asked for it');
  const dice = diceFrom(seedFor(till.who.seed, `document ${document.sha256}`));
  if (dice.next() < ROLLED_BACK_SHARE) {
    turn.till = { ...till, trials: { ...till.trials, rolled_back: till.trials.rolled_back + 1 } };
    about('rolled_back', ROLLED_BACK);
    done(false, ROLLED_BACK);
    return;
  }
  const trials = { ...till.trials, kept: till.trials.kept + 1 };
  turn.till = { ...till, configuration: document, trials };
  about('kept', 'all were ready under it');
  inventory(turn);
  done(true, 'it is kept');
}

function report(turn: Turn, active: boolean, told: Held): void {
  const { reason, by, untilWallMs, maintenance } = told;
  const fields = {
    ...{ active, reason, by, untilMs: untilWallMs },
    ...(maintenance === undefined ? {} : { maintenance }),
  };
  turn.effects.push({ kind: 'report', event: { kind: 'hold', component: '', fields } });
}

/** Of two, the one that lasts longer is told, as agent/hold.ts does. */
const longest = (holds: readonly Held[]): Held | undefined =>
  holds.toSorted((a, b) => b.untilMs - a.untilMs)[0];

function keep(turn: Turn, holds: readonly Held[], last: Held): void {
  const was = turn.till.holds.length > 0;
  turn.till = { ...turn.till, holds };
  const still = longest(holds);
  report(turn, still !== undefined, still ?? last);
  if (was === holds.length > 0) return;
  const event = { kind: 'hold', active: holds.length > 0 } as const;
  for (const name of COMPONENTS) {
    changePart(turn, name, (part, now, dice) => tell(part, event, now, dice));
  }
}

/** A hold of its own kind is replaced; an own one and that of a maintenance stand beside each other. */
const isOfKind =
  (maintenance: string | undefined) =>
  (one: Held): boolean =>
    (one.maintenance === undefined) === (maintenance === undefined);

function hold(turn: Turn, { command, held }: Extract<CentreEvent, { kind: 'hold' }>): void {
  const isOther = (one: Held): boolean => !isOfKind(held.maintenance)(one);
  keep(turn, [...turn.till.holds.filter(isOther), held], held);
  const detail = { untilMs: held.untilWallMs };
  turn.effects.push({
    kind: 'command_done',
    command,
    ok: true,
    reason: 'the till is held',
    detail,
  });
}

function release(turn: Turn, event: Extract<CentreEvent, { kind: 'release' }>): void {
  const { command, by, maintenance } = event;
  const gone = turn.till.holds.find((one) => one.maintenance === maintenance);
  const reason = gone === undefined ? 'the till was not held' : 'the till is no longer held';
  if (gone !== undefined) {
    const left = turn.till.holds.filter((one) => one !== gone);
    keep(turn, left, { ...gone, by, reason: 'it was released' });
  }
  turn.effects.push({ kind: 'command_done', command, ok: true, reason });
}

/** Ends what has lasted long enough. */
export function look(turn: Turn): void {
  const { holds } = turn.till;
  for (const one of holds.filter(({ untilMs }) => untilMs <= turn.now)) {
    const left = turn.till.holds.filter((other) => other !== one);
    keep(turn, left, { ...one, by: 'itself', reason: 'its time is over' });
  }
}

export function obey(turn: Turn, event: CentreEvent): void {
  if (event.kind === 'apply') apply(turn, event);
  else if (event.kind === 'hold') hold(turn, event);
  else release(turn, event);
}
