// Many runs, one after the other, each by its own seed, until so many steps were taken or one breaks a rule. A
// failure is repeated with its tale and made smaller: without each kind of surprise in turn, so that what
// is printed at the end is what it takes.

import { SURPRISES } from './surprises.ts';
import { type Broken, MACHINES, type Machines, type Outcome, simulate } from './world.ts';

/** Of one run: long enough for hours of uptime, short enough for many different tills. */
export const RUN_STEPS = 12_000;

export type Failure = { readonly seed: number; readonly broken: Broken; readonly text: string };
export type Runs = { readonly steps: number; readonly runs: number; readonly failure?: Failure };

/** From `seed` upwards. */
export function runMany(seed: number, stepsMin: number, machines: Machines = MACHINES): Runs {
  let steps = 0;
  let runs = 0;
  for (; steps < stepsMin; runs += 1) {
    const outcome = simulate({ seed: seed + runs, steps: RUN_STEPS, machines });
    steps += outcome.steps;
    if (outcome.broken !== undefined) {
      const failure = explain(seed + runs, outcome.broken, machines);
      return { steps, runs: runs + 1, failure };
    }
  }
  return { steps, runs };
}

/** The same rule, with as few kinds of surprises as it takes, and no more steps. */
function smallest(seed: number, broken: Broken, machines: Machines): [Outcome, Set<string>] {
  const muted = new Set<string>();
  const run = (): Outcome => simulate({ seed, steps: 2 * RUN_STEPS, machines, tells: true, muted });
  let best = run();
  for (const name of Object.keys(SURPRISES)) {
    muted.add(name);
    const outcome = run();
    if (outcome.broken?.checker === broken.checker && outcome.steps <= best.steps) best = outcome;
    else muted.delete(name);
  }
  return [best, muted];
}

export function explain(seed: number, broken: Broken, machines: Machines = MACHINES): Failure {
  const [{ tale, steps, broken: found }, muted] = smallest(seed, broken, machines);
  const { checker, component, sentence } = found ?? broken;
  const kinds = Object.keys(SURPRISES).filter((name) => !muted.has(name));
  const text = [
    `TILLWATCH_SEED=${seed} breaks ${checker} after ${steps} steps: ${component}: ${sentence}`,
    `surprises that it takes: ${kinds.length === 0 ? 'none' : kinds.join(', ')}`,
    ...tale,
  ].join('\n');
  return { seed, broken, text };
}

/** TILLWATCH_SEED repeats one run; TILLWATCH_STEPS makes it longer or shorter. */
export function fromEnvironment(steps: number): {
  readonly seed: number;
  readonly steps: number;
  readonly isRepeated: boolean;
} {
  const seed = process.env['TILLWATCH_SEED'];
  const wanted = Number(process.env['TILLWATCH_STEPS'] ?? steps);
  if (seed !== undefined) return { seed: Number(seed), steps: 1, isRepeated: true };
  return { seed: Math.floor(Math.random() * 2 ** 31), steps: wanted, isRepeated: false };
}
