// One component of a simulated terminal: the agent's own state machine (watchdog/machine.ts), and in the
// place of a process what a process would do: start in a while, end when told, end by itself, or hang.
// Pure. Health costs nothing: between faults no beat is made up, because the machine judges only when it
// is told something; while a part is ill it gets the samples that a real hang would show, four a second,
// so that suspicion, evidence, kill and every reason given are the real ones.

import { DEFAULTS } from '../../configuration/defaults.ts';
import type { NewEvent } from '../../protocol/events.ts';
import { CAUSES, type Cause } from '../../protocol/events.ts';
import { unreachable } from '../../protocol/result.ts';
import { initialModel, isUp, type Model, step } from '../watchdog/machine.ts';
import type { ComponentEffect, ComponentEvent, Policy, ThreadSample } from '../watchdog/model.ts';
import { between, type Dice, uuidFrom } from './dice.ts';

export type Ailment =
  | { readonly kind: 'blocked' | 'spinning' | 'stalled'; readonly sinceMs: number }
  /** Each start fails until then: a bad configuration that somebody corrects. */
  | { readonly kind: 'failing'; readonly untilMs: number };

type Todo = { readonly atMs: number; readonly event: ComponentEvent };

export type Part = {
  readonly name: string;
  readonly policy: Policy;
  readonly model: Model;
  readonly restarts: Readonly<Record<Cause, number>>;
  /** What the process will do, soonest first; a handful at most. */
  readonly todo: readonly Todo[];
  readonly ailment: Ailment | undefined;
  /** When the ill one is looked at next. */
  readonly lookMs: number;
  readonly tickedMs: number;
  readonly bornMs: number;
};

export type PartEffect =
  | { readonly kind: 'report'; readonly event: NewEvent }
  | {
      readonly kind: 'command_done';
      readonly command: string;
      readonly ok: boolean;
      readonly reason: string;
      readonly detail?: Readonly<Record<string, unknown>>;
    };
type Stepped = { readonly part: Part; readonly effects: readonly PartEffect[] };

/** The agent's sweep (agent/supervisor.ts). */
const LOOK_MS = 250;
const PID_MAX = 4_194_304;
/** A print job is given so long. */
const WORK_MS = 5_000;
/** Two state machines that answered each other for ever would be a bug, not a long day. */
const TURNS_MAX = 10_000;

export function newPart(name: string, version: string, seed: number): Part {
  const { hang, start, stop, backoff, budget } = DEFAULTS;
  const policy: Policy = {
    component: name,
    version,
    restart: DEFAULTS.restart,
    instrumented: true,
    beatMs: DEFAULTS.beatMs,
    ...hang,
    hasProbes: false,
    probeFailures: DEFAULTS.probe.failures,
    startTimeoutMs: start.timeoutMs,
    startTimeoutMsMax: start.timeoutMsMax,
    stopGraceMs: stop.graceMs,
    backoffMsMin: backoff.minMs,
    backoffMsMax: backoff.maxMs,
    stableMs: backoff.stableMs,
    restartsMax: budget.restarts,
    restartsWindowMs: budget.windowMs,
    quarantineRetryMs: budget.retryMs,
    mode: DEFAULTS.mode,
    strategy: DEFAULTS.strategy,
    exit: DEFAULTS.exit,
    abortMs: stop.abortMs,
    graceMsMax: stop.graceMsMax,
    age: undefined,
    limits: DEFAULTS.limits,
    budgetCauses: {},
    tenderMsMax: DEFAULTS.tenderMsMax,
    canHeal: false,
    heal: DEFAULTS.ladder.heal,
    // Nothing stands behind the other rungs in a simulated terminal.
    rungs: [],
    progressMs: DEFAULTS.progress.stalledMs,
  };
  const none = Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<Cause, number>;
  return {
    name,
    policy,
    model: initialModel(policy, { seed }),
    restarts: none,
    todo: [],
    ailment: undefined,
    lookMs: Infinity,
    tickedMs: -Infinity,
    bornMs: 0,
  };
}

const plan = (part: Part, atMs: number, event: ComponentEvent): Part => ({
  ...part,
  todo: [...part.todo, { atMs, event }].sort((a, b) => a.atMs - b.atMs),
});

/** What the process would have said no longer comes once it is to end. */
const ending = (part: Part, atMs: number, event: ComponentEvent): Part =>
  plan({ ...part, todo: part.todo.filter((one) => one.event.kind === 'spawned') }, atMs, event);

const isStuck = ({ ailment }: Part): boolean =>
  ailment?.kind === 'blocked' || ailment?.kind === 'spinning';

const healed = (part: Part): Part => ({ ...part, ailment: undefined, lookMs: Infinity });

function launched(part: Part, now: number, dice: Dice): Part {
  const fails = part.ailment?.kind === 'failing' && now < part.ailment.untilMs;
  const born = { ...(fails ? part : healed(part)), bornMs: now };
  const instance = uuidFrom(dice);
  const pid = 300 + Math.floor(dice.next() * (PID_MAX - 300));
  const spawned = plan(born, now + 15, { kind: 'spawned', instance, pid });
  if (fails) {
    const exit = { kind: 'exited', code: 1, signal: undefined } as const;
    return plan(spawned, now + Math.round(between(dice, 200, 900)), exit);
  }
  return plan(spawned, now + Math.round(between(dice, 300, 2_500)), { kind: 'ready' });
}

/** What the world does about one effect; what concerns somebody outside is put into `out`. */
function react(
  part: Part,
  effect: ComponentEffect,
  now: number,
  dice: Dice,
  out: PartEffect[],
): Part {
  switch (effect.kind) {
    case 'spawn':
      return launched(part, now, dice);
    case 'terminate': {
      // A stuck process does not hear the signal: the machine kills it when its grace is over.
      if (isStuck(part)) return part;
      const exit = { kind: 'exited', code: 0, signal: undefined } as const;
      return ending(part, now + Math.round(between(dice, 100, 600)), exit);
    }
    case 'kill':
      return ending(healed(part), now + Math.round(between(dice, 15, 60)), {
        kind: 'exited',
        code: undefined,
        signal: 'SIGKILL',
      });
    case 'collect_evidence': {
      const summary = { simulated: true, ailment: part.ailment?.kind ?? 'none' };
      const event = { kind: 'evidence', summary, phase: effect.phase } as const;
      return plan(part, now + Math.round(between(dice, 60, 250)), event);
    }
    case 'count_restart': {
      const count = part.restarts[effect.cause] + 1;
      return { ...part, restarts: { ...part.restarts, [effect.cause]: count } };
    }
    case 'report':
    case 'command_done':
      out.push(effect);
      return part;
    // Of the ladder a simulated terminal has only the first rung and the last.
    case 'heal':
    case 'abort':
    case 'escalate':
    case 'count_recovery':
    case 'count_outcome':
    case 'count_suppressed':
    case 'remember':
    case 'persist':
      return part;
    default:
      return unreachable(effect);
  }
}

/** Tells the part's machine one thing. */
export function tell(part: Part, event: ComponentEvent, now: number, dice: Dice): Stepped {
  const { model, effects } = step(part.policy, part.model, event, now);
  const out: PartEffect[] = [];
  let next: Part = { ...part, model };
  for (const effect of effects) next = react(next, effect, now, dice, out);
  return { part: next, effects: out };
}

/** When something happens to it by itself; Infinity: never. */
export function dueMs({ todo, model, lookMs, tickedMs }: Part): number {
  const deadline = Math.max(model.deadline ?? Infinity, tickedMs + 1);
  return Math.min(todo[0]?.atMs ?? Infinity, deadline, lookMs);
}

/** What a look at the main thread shows of such an illness. */
function threadOf(ailment: Ailment, now: number): ThreadSample {
  const still = { state: 'S', cpuMs: 5_000, voluntarySwitches: 1_000, runDelayMs: 10 };
  if (ailment.kind === 'failing' || ailment.kind === 'blocked') return still;
  const sinceMs = now - ailment.sinceMs;
  if (ailment.kind === 'spinning') return { ...still, state: 'R', cpuMs: 5_000 + sinceMs };
  return { ...still, cpuMs: 5_000 + sinceMs / 50, voluntarySwitches: 1_000 + sinceMs / 10 };
}

function eventsDue(part: Part, at: number): { part: Part; events: ComponentEvent[] } {
  const [first, ...todo] = part.todo;
  if (first !== undefined && first.atMs <= at) {
    const gone = first.event.kind === 'exited';
    return { part: { ...part, todo: gone ? [] : todo }, events: [first.event] };
  }
  const { ailment, lookMs } = part;
  if (ailment !== undefined && lookMs <= at) {
    const sample = { kind: 'sample', sample: threadOf(ailment, at) } as const;
    const beats = ailment.kind === 'stalled' ? [{ kind: 'beat', loopDelayMsMax: 4 } as const] : [];
    const looked = { ...part, lookMs: lookMs + LOOK_MS, tickedMs: at };
    return { part: looked, events: [...beats, sample, { kind: 'tick' }] };
  }
  // Silence between faults is no illness: it says that it is well before it is asked.
  const well = !isStuck(part) && isUp(part.model);
  const beats = well ? [{ kind: 'beat', loopDelayMsMax: 4 } as const] : [];
  return { part: { ...part, tickedMs: at }, events: [...beats, { kind: 'tick' }] };
}

/** Everything that happens to it by itself until `now`, each at its own time. */
export function advance(part: Part, now: number, dice: Dice): Stepped {
  const effects: PartEffect[] = [];
  let current = part;
  for (let turns = 0; dueMs(current) <= now; turns += 1) {
    if (turns >= TURNS_MAX) throw new Error(`${part.name} does not come to rest`);
    const at = dueMs(current);
    const due = eventsDue(current, at);
    current = due.part;
    for (const event of due.events) {
      const stepped = tell(current, event, at, dice);
      current = stepped.part;
      effects.push(...stepped.effects);
    }
  }
  return { part: current, effects };
}

/** The process ends by itself. Nothing when there is none. */
export function dies(
  part: Part,
  exit: { readonly code?: number; readonly signal?: string },
  now: number,
  dice: Dice,
): Stepped {
  if (part.model.process !== 'alive') return { part, effects: [] };
  const event = { kind: 'exited', code: exit.code, signal: exit.signal } as const;
  return tell({ ...part, todo: [] }, event, now, dice);
}

/** Samples of its health are spared until now: a thread that was never seen awake is not judged by its sleep. */
function seenAwake(part: Part, now: number, dice: Dice): Stepped {
  const sample = { state: 'S', cpuMs: 4_000, voluntarySwitches: 900, runDelayMs: 10 };
  const before = tell(part, { kind: 'sample', sample }, now, dice);
  const woken = { ...sample, voluntarySwitches: 990 };
  const after = tell(before.part, { kind: 'sample', sample: woken }, now, dice);
  return { part: after.part, effects: [...before.effects, ...after.effects] };
}

/** Its main thread is stuck from now on, or its work is; only one that is ready falls ill. */
export function fallsIll(
  part: Part,
  kind: 'blocked' | 'spinning' | 'stalled',
  now: number,
  dice: Dice,
): Stepped {
  if (part.model.state !== 'ready') return { part, effects: [] };
  const ill: Part = { ...part, ailment: { kind, sinceMs: now }, lookMs: now + LOOK_MS };
  const awake = seenAwake(ill, now, dice);
  const beaten = tell(awake.part, { kind: 'beat', loopDelayMsMax: 4 }, now, dice);
  const well = { part: beaten.part, effects: [...awake.effects, ...beaten.effects] };
  if (kind !== 'stalled') return well;
  const work = { kind: 'begin', id: 'job', name: 'print', deadlineMs: WORK_MS } as const;
  const begun = tell(well.part, work, now, dice);
  return { part: begun.part, effects: [...well.effects, ...begun.effects] };
}

/** Fails now and at each start until then. */
export function keepsFailing(part: Part, untilMs: number, now: number, dice: Dice): Stepped {
  return dies({ ...part, ailment: { kind: 'failing', untilMs } }, { code: 1 }, now, dice);
}
