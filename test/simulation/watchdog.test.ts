// The state machine against a world in which everything goes wrong, with checkers that share no code with
// it; and each checker against a machine with a bug planted for it. TILLWATCH_SEED repeats one run,
// TILLWATCH_STEPS makes it longer.

import { describe, expect, it } from 'vitest';
import { step } from '../../agent/watchdog/machine.ts';
import type { ComponentEffect, Policy } from '../../agent/watchdog/model.ts';
import { policy } from '../unit/watchdog-story.ts';
import type { CheckerName } from './checkers.ts';
import { type Outcome, type StepFunction, simulate } from './world.ts';

/** Short times, so that backoff, budget and stability all come up within one run. */
const quick = {
  ...policy,
  startTimeoutMs: 3_000,
  startTimeoutMsMax: 9_000,
  stopGraceMs: 1_000,
  backoffMsMin: 100,
  backoffMsMax: 2_000,
  stableMs: 6_000,
  restartsMax: 4,
  restartsWindowMs: 30_000,
  quarantineRetryMs: 3_000,
} satisfies Policy;

const policies: Readonly<Record<string, Policy>> = {
  'shipped defaults': policy,
  instrumented: quick,
  'instrumented with probes': { ...quick, hasProbes: true, probeFailures: 2 },
  'black box with probes': { ...quick, instrumented: false, hasProbes: true, probeFailures: 1 },
  'black box without probes': { ...quick, instrumented: false },
  transient: { ...quick, restart: 'transient' },
  temporary: { ...quick, restart: 'temporary', stopGraceMs: 0 },
  'no budget at all': { ...quick, restartsMax: 0, blockedMs: 1_000 },
};

const steps = Number(process.env['TILLWATCH_STEPS'] ?? 300_000);
const RUNS = 8;
const fixed = process.env['TILLWATCH_SEED'];
const firstSeed = fixed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(fixed);

function run(by: StepFunction, rule: Policy, seed: number, count: number): Outcome {
  return simulate(by, rule, seed, count);
}

describe('whatever happens, in any order', () => {
  for (const [name, rule] of Object.entries(policies)) {
    it(`${name}: no checker finds anything`, () => {
      const count = Math.ceil(steps / Object.keys(policies).length / RUNS);
      for (let turn = 0; turn < (fixed === undefined ? RUNS : 1); turn += 1) {
        const seed = firstSeed + turn;
        const { broken } = run(step, rule, seed, count);
        const sentence = broken && `TILLWATCH_SEED=${seed}: ${broken.checker}: ${broken.sentence}`;
        expect(sentence).toBeUndefined();
      }
    });
  }

  it('the world is rich: every state, effect and report comes up', () => {
    const { seen } = run(step, { ...quick, hasProbes: true }, 12_345, 20_000);
    const wanted = [
      'stopped',
      'starting',
      'ready',
      'suspect',
      'stopping',
      'backoff',
      'quarantined',
      'spawn',
      'terminate',
      'kill',
      'collect_evidence',
      'count_restart',
      'command_done',
      'persist',
      'component_state',
      'incident_opened',
      'incident_recovered',
      'incident_quarantined',
    ];
    for (const what of wanted) expect([what, (seen.get(what) ?? 0) > 10]).toEqual([what, true]);
  });

  it('the same seed is the same run', () => {
    const once = run(step, quick, 99, 5_000);
    expect(run(step, quick, 99, 5_000)).toEqual(once);
  });

  it('a step changes nothing that was given to it', () => {
    const frozen: StepFunction = (rule, model, event, now) =>
      step(rule, Object.freeze(model), event, now);
    expect(run(frozen, quick, 7, 5_000).broken).toBeUndefined();
  });
});

const without =
  (drop: (effect: ComponentEffect) => boolean): StepFunction =>
  (rule, model, event, now) => {
    const result = step(rule, model, event, now);
    return { ...result, effects: result.effects.filter((effect) => !drop(effect)) };
  };
const isReport = (effect: ComponentEffect, kind: string): boolean =>
  effect.kind === 'report' && effect.event.kind === kind;

/** One bug for each checker; each must be found, and by that checker. */
const planted: Record<CheckerName, readonly StepFunction[]> = {
  neverTwoCopies: [
    (rule, model, event, now) => {
      const result = step(rule, model, event, now);
      if (event.kind !== 'restart' || model.state !== 'ready') return result;
      return { ...result, effects: [...result.effects, { kind: 'spawn', reason: 'impatient' }] };
    },
    // Believes that a kill is a death.
    (rule, model, event, now) => {
      const result = step(rule, model, event, now);
      if (!result.effects.some(({ kind }) => kind === 'kill')) return result;
      const dead = { kind: 'exited', code: undefined, signal: 'SIGKILL' } as const;
      const next = step(rule, result.model, dead, now);
      return { model: next.model, effects: [...result.effects, ...next.effects] };
    },
  ],
  neverOverBudget: [
    (rule, model, event, now) =>
      step({ ...rule, restartsMax: rule.restartsMax + 1 }, model, event, now),
    (rule, model, event, now) => step({ ...rule, quarantineRetryMs: 100 }, model, event, now),
  ],
  noKillInGrace: [
    (rule, model, event, now) =>
      event.kind === 'paused' ? { model, effects: [] } : step(rule, model, event, now),
    // Moves the deadlines, but gives no grace.
    (rule, model, event, now) => {
      const result = step(rule, model, event, now);
      if (event.kind !== 'paused') return result;
      const watch = { ...model.watch, beatAt: model.watch.beatAt + (event.gapMs || 0) };
      return { ...result, model: { ...result.model, watch } };
    },
  ],
  alwaysADeadline: [
    (rule, model, event, now) => {
      const result = step(rule, model, event, now);
      const lost = result.model.state === 'backoff';
      return lost ? { ...result, model: { ...result.model, deadline: undefined } } : result;
    },
    (rule, model, event, now) =>
      event.kind === 'tick' && model.state === 'stopping'
        ? { model, effects: [] }
        : step(rule, model, event, now),
  ],
  oneAnswerPerCommand: [
    without((effect) => effect.kind === 'command_done' && !effect.ok),
    (rule, model, event, now) => {
      const result = step(rule, model, event, now);
      const again = result.effects.filter(({ kind }) => kind === 'command_done');
      return { ...result, effects: [...result.effects, ...again] };
    },
  ],
  noKillWithoutStory: [
    without((effect) => isReport(effect, 'incident_opened')),
    without((effect) => effect.kind === 'collect_evidence'),
  ],
  incidentsAreStories: [without((effect) => isReport(effect, 'incident_recovered'))],
  statesAreTold: [without((effect) => isReport(effect, 'component_state'))],
};

describe('a planted bug', () => {
  for (const [name, bugs] of Object.entries(planted)) {
    it(`is found by ${name}`, () => {
      for (const bug of bugs) {
        const found = new Set<string>();
        for (let seed = 1; seed <= 20 && !found.has(name); seed += 1) {
          const { broken } = run(bug, { ...quick, hasProbes: true }, seed, 3_000);
          if (broken !== undefined) found.add(broken.checker);
        }
        expect([...found]).toContain(name);
      }
    });
  }
});
