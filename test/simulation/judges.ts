// Holds the checkers of one run: those of each component and those of the till, and the first sentence that one of
// them says. With a tale it also writes down what happened, for the run that is repeated to be understood.

import type { step } from '../../agent/watchdog/machine.ts';
import type { stepRecovery } from '../../agent/watchdog/recovery.ts';
import { type CheckerName, checkers } from './checkers.ts';
import { type PlanCheckerName, planCheckers } from './checkers-plan.ts';
import type { Scenario } from './scenario.ts';
import type { Checker, PlanChecker, Seen, SeenPlan, TillView } from './seen.ts';

export type Machines = {
  readonly step: typeof step;
  readonly stepRecovery: typeof stepRecovery;
};
export type Broken = {
  readonly checker: CheckerName | PlanCheckerName;
  readonly component: string;
  readonly sentence: string;
};
type Named<C> = { readonly name: Broken['checker']; readonly checker: C };

const LINES_MAX = 30;
const DULL: ReadonlySet<string> = new Set([
  'tick',
  'sample',
  'beat',
  'usage',
  'pressure',
  'progress',
]);

export class Judges {
  broken: Broken | undefined;
  /** The last of what happened, when it is written down at all. */
  readonly tale: string[] | undefined;
  /** How often each state, effect and report came up; only counted when a tale is told. */
  readonly counts = new Map<string, number>();
  readonly #components = new Map<string, readonly Named<Checker>[]>();
  readonly #till: readonly Named<PlanChecker>[];

  constructor({ policies }: Scenario, till: TillView, tells: boolean) {
    this.tale = tells ? [] : undefined;
    for (const policy of policies) {
      const named = Object.entries(checkers).map(([name, make]) => ({
        name: name as CheckerName,
        checker: make(policy),
      }));
      this.#components.set(policy.component, named);
    }
    this.#till = Object.entries(planCheckers).map(([name, make]) => ({
      name: name as PlanCheckerName,
      checker: make(till),
    }));
  }

  see(component: string, seen: Seen): void {
    this.#note(component, seen, seen.before.state, seen.after.state);
    for (const { name, checker } of this.#components.get(component) ?? []) {
      const sentence = checker.see(seen);
      if (sentence !== undefined) this.broken ??= { checker: name, component, sentence };
    }
  }

  seePlan(seen: SeenPlan): void {
    this.#note('the plan', seen, seen.before.phase, seen.after.phase);
    for (const { name, checker } of this.#till) {
      const sentence = checker.see(seen);
      if (sentence !== undefined) {
        this.broken ??= { checker: name, component: 'the plan', sentence };
      }
    }
  }

  /** Up to the step that broke a rule. */
  #note(who: string, seen: Seen | SeenPlan, from: string, to: string): void {
    if (this.tale === undefined || this.broken !== undefined) return;
    const { event, now, effects } = seen;
    this.#count(to);
    for (const effect of effects) {
      this.#count(effect.kind === 'report' ? effect.event.kind : effect.kind);
    }
    // What is said again and again and changes nothing would be all there is to read.
    if (DULL.has(event.kind) && effects.length === 0) return;
    const lines = effects.map((effect) => `\n        => ${JSON.stringify(effect).slice(0, 300)}`);
    const told = JSON.stringify(event).slice(0, 300);
    this.tale.push(`${now} ${who}: ${told} ${from} -> ${to}${lines.join('')}`);
    if (this.tale.length > LINES_MAX) this.tale.shift();
  }

  say(line: string): void {
    this.tale?.push(line);
    this.#count(line);
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  #all(): Named<Checker | PlanChecker>[] {
    return [...[...this.#components.values()].flat(), ...this.#till];
  }

  newAgent(booted: boolean): void {
    this.say(booted ? 'the machine booted' : 'a new agent');
    for (const { checker } of this.#all()) {
      checker.newAgent?.();
      if (booted) checker.rebooted?.();
    }
  }

  /** Everything was stopped: only now can a forgotten command be told from a slow one. */
  end(): void {
    for (const { name, checker } of this.#all()) {
      const sentence = checker.end?.();
      if (sentence !== undefined) this.broken ??= { checker: name, component: '', sentence };
    }
  }
}
