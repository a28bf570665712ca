// A component for stories: a policy, a main thread whose behaviour is switched by a word, and hands that do
// what the machine asks. Time is moved by hand in sweeps of 250 ms, as the agent does it; nothing waits.

import type { Stepped } from '../../agent/telemetry/spans-track.ts';
import { initialModel, type Model, step } from '../../agent/watchdog/machine.ts';
import type {
  ComponentEffect,
  ComponentEvent,
  Policy,
  ThreadSample,
} from '../../agent/watchdog/model.ts';
import { DEFAULTS } from '../../configuration/defaults.ts';

export const SWEEP_MS = 250;

export const policy: Policy = {
  component: 'sale',
  version: '1.0.0',
  restart: 'permanent',
  instrumented: true,
  beatMs: 500,
  blockedMs: 2_000,
  spinningMs: 5_000,
  hasProbes: false,
  probeFailures: 3,
  startTimeoutMs: 20_000,
  startTimeoutMsMax: 60_000,
  stopGraceMs: 3_000,
  backoffMsMin: 250,
  backoffMsMax: 30_000,
  stableMs: 60_000,
  restartsMax: 5,
  restartsWindowMs: 300_000,
  quarantineRetryMs: 60_000,
  mode: 'act',
  strategy: 'one_for_one',
  exit: DEFAULTS.exit,
  abortMs: 0,
  graceMsMax: 60_000,
  age: undefined,
  limits: DEFAULTS.limits,
  budgetCauses: {},
  tenderMsMax: 180_000,
  canHeal: false,
  heal: DEFAULTS.ladder.heal,
  rungs: [],
  progressMs: 120_000,
};

/** What the main thread does; it decides samples and whether its own beats go out. */
export type Thread =
  | 'healthy'
  | 'stopped'
  | 'blocked'
  | 'spinning'
  | 'starved'
  | 'crowded'
  | 'traced'
  | 'disk'
  | 'stuck-in-fsync'
  | 'contended'
  | 'busy-and-starved'
  | 'half-a-core'
  | 'one-switch';

type Doing = { state: string; cpu: number; switches: number; runDelay: number; beats: boolean };
const doing: Record<Thread, Doing> = {
  healthy: { state: 'S', cpu: 0.02, switches: 4, runDelay: 0, beats: true },
  stopped: { state: 'T', cpu: 0, switches: 0, runDelay: 0, beats: false },
  blocked: { state: 'S', cpu: 0, switches: 0, runDelay: 0, beats: false },
  spinning: { state: 'R', cpu: 1, switches: 0, runDelay: 0, beats: false },
  starved: { state: 'R', cpu: 0.02, switches: 0, runDelay: 0.98, beats: false },
  crowded: { state: 'R', cpu: 0.25, switches: 0, runDelay: 0.75, beats: false },
  traced: { state: 't', cpu: 0, switches: 0, runDelay: 0, beats: false },
  disk: { state: 'D', cpu: 0, switches: 0, runDelay: 0, beats: false },
  contended: { state: 'S', cpu: 0.3, switches: 5, runDelay: 0.5, beats: false },
  'busy-and-starved': { state: 'R', cpu: 0.5, switches: 3, runDelay: 0.4, beats: true },
  'half-a-core': { state: 'R', cpu: 0.6, switches: 0, runDelay: 0, beats: false },
  'one-switch': { state: 'S', cpu: 0, switches: 1, runDelay: 0, beats: false },
  'stuck-in-fsync': { state: 'D', cpu: 0.4, switches: 4_000, runDelay: 0, beats: false },
};

export type Hands = {
  /** Somebody beats although the main thread does not: a worker, a helper process. */
  lying: boolean;
  dies: boolean;
  stops: boolean;
  becomesReady: boolean;
  collects: boolean;
  samples: boolean;
  /** `never`: the story itself answers the spawn. */
  spawns: 'well' | 'fails' | 'never';
};

export type Story = ReturnType<typeof tell>;

export function tell(changes: Partial<Policy> = {}) {
  const rule = { ...policy, ...changes };
  let model: Model = initialModel(rule, { seed: 7 });
  let now = 1_000;
  let lives = 0;
  let counters = { cpuMs: 300, voluntarySwitches: 50, runDelayMs: 5 };
  const hands: Hands = {
    lying: false,
    dies: true,
    stops: true,
    becomesReady: true,
    collects: true,
    samples: true,
    spawns: 'well',
  };
  const effects: { at: number; effect: ComponentEffect }[] = [];
  const steps: Stepped[] = [];
  let thread: Thread = 'healthy';

  function perform(effect: ComponentEffect): void {
    if (effect.kind === 'spawn' && hands.spawns === 'fails') {
      send({ kind: 'spawn_failed', reason: 'no such file' });
    } else if (effect.kind === 'spawn' && hands.spawns === 'well') {
      lives += 1;
      thread = 'healthy';
      counters = { cpuMs: 300, voluntarySwitches: 50, runDelayMs: 5 };
      send({ kind: 'spawned', instance: `life-${lives}`, pid: 100 + lives });
      if (hands.becomesReady && rule.instrumented) send({ kind: 'ready' });
    } else if (effect.kind === 'collect_evidence' && hands.collects) {
      send({ kind: 'evidence', summary: { stack: effect.phase } });
    } else if (effect.kind === 'kill' && hands.dies) {
      send({ kind: 'exited', code: undefined, signal: 'SIGKILL' });
    } else if (effect.kind === 'terminate' && hands.stops) {
      send({ kind: 'exited', code: 0, signal: undefined });
    }
  }

  function send(event: ComponentEvent): readonly ComponentEffect[] {
    const before = model;
    const result = step(rule, model, event, now);
    model = result.model;
    const { component } = rule;
    steps.push({ component, event, effects: result.effects, before, model, now });
    for (const effect of result.effects) effects.push({ at: now, effect });
    for (const effect of result.effects) perform(effect);
    return result.effects;
  }

  function sampleNow(ms: number): ThreadSample {
    const { state, cpu, switches, runDelay } = doing[thread];
    counters = {
      cpuMs: counters.cpuMs + cpu * ms,
      voluntarySwitches: counters.voluntarySwitches + switches,
      runDelayMs: counters.runDelayMs + runDelay * ms,
    };
    return { state, ...counters };
  }

  /** Lets `ms` pass in sweeps; the thread does `as` meanwhile. Stops early when `until` is true. */
  function pass(ms: number, as: Thread = thread, until: () => boolean = () => false): void {
    thread = as;
    for (const end = now + ms; now < end && !until(); ) {
      const gap = Math.min(SWEEP_MS, end - now);
      const beats = Math.floor((now + gap) / rule.beatMs) > Math.floor(now / rule.beatMs);
      now += gap;
      if (model.process === 'alive') {
        if (beats && rule.instrumented && (hands.lying || doing[thread].beats)) {
          send({ kind: 'beat', loopDelayMsMax: 1 });
        }
        // The counters go on whether anybody reads them or not.
        const sample = sampleNow(gap);
        if (hands.samples) send({ kind: 'sample', sample });
      }
      send({ kind: 'tick' });
    }
  }

  const of = <K extends ComponentEffect['kind']>(kind: K) =>
    effects.flatMap(({ at, effect }) =>
      effect.kind === kind ? [{ at, ...(effect as Extract<ComponentEffect, { kind: K }>) }] : [],
    );
  const reports = (kind: string): ({ at: number } & Record<string, unknown>)[] =>
    of('report').flatMap(({ at, event }) =>
      event.kind === kind ? [{ at, ...(event.fields as Record<string, unknown>) }] : [],
    );

  return {
    hands,
    /** Every step of the machine so far, as the supervisor tells of it. */
    steps,
    send,
    pass,
    of,
    reports,
    effects: () => effects.map(({ effect }) => effect),
    model: () => model,
    now: () => now,
    state: () => model.state,
    lives: () => lives,
    /** The agent does not run; the component does. */
    sleep(ms: number, as: Thread = thread): void {
      thread = as;
      sampleNow(ms);
      now += ms;
      send({ kind: 'paused', gapMs: ms });
    },
    kills: () => of('kill').map(({ at, reason }) => ({ at, reason })),
    /** Started and ready, and so for a while. */
    run(ms = 10_000): void {
      send({ kind: 'start', reason: 'first start' });
      pass(ms, 'healthy');
      effects.splice(0);
    },
  };
}
