// The state machine of one component: `step(policy, model, event, now)` gives the next model and the effects
// to perform. It is one table of states and events, as in s6-supervise, so that what an event means in each
// state can be read across a line and the compiler proves that no cell is missing. No clock, no randomness
// but the model's own seed, no I/O: act.ts performs the effects, in their order.
//
//            start            spawned, ready              half of a deadline
//  stopped ----------> starting ----------------> ready <--------------------> suspect
//     ^  ^  adopted  ---^  ^ |  (adopted, ready) --^ |   evidence cleared        | confirmed,
//     |  |                 | | start timeout         | exited                    | evidence 2
//     |  |                 | v                       v                           v
//     |  | exited          |  <--- at once --- (failure) <------ exited ---- stopping
//     |  +-- stopping      |                      |                           kill, and again
//     |        ^           +---- backoff <--------+                           each 5 s until it
//     | stop   |           |                      | budget spent              is gone
//     +--------+           +-- quarantined <------+
//       stop, planned restart     slow retry for ever; left when stable or by an operator's restart
//
// What is more than a restart of this component alone is asked of the plan (`escalate`); meanwhile it stays in
// backoff, until `launch` or `refused`. In observe, or while the till is held, `confirmed` is told and the
// component stays suspect. A tender in flight holds the kill back, still in suspect.
//
// One deadline per state: starting (start timeout), suspect (next look, end of the wait for evidence or for a
// tender), stopping (end of grace, of the time for a dump, then each 5 s), backoff (next start, end of a cool-down
// or of the wait for the plan), quarantined (next start); ready only has one while there is something to
// forgive, an outcome to learn, a planned restart waits or age will come.

import { COMPONENT_STATES } from '../../protocol/events.ts';
import * as climbing from './climb.ts';
import { isCalm } from './hang.ts';
import * as health from './health.ts';
import type { ComponentEffect, ComponentEvent, ComponentState, Policy } from './model.ts';
import * as orders from './orders.ts';
import { trialsUntil } from './outcome.ts';
import * as passage from './passage.ts';
import * as planning from './planned.ts';
import { type Draft, isUp, type Model, type Turn } from './state.ts';
import { tenderUntil } from './tender.ts';

export {
  healthAgeMs,
  initialModel,
  isBusy,
  isUp,
  type Model,
  type Remembered,
  type Restart,
  type RungUse,
} from './state.ts';

type Kind = ComponentEvent['kind'];
type Handler<K extends Kind> = (turn: Turn, event: Extract<ComponentEvent, { kind: K }>) => void;
/** One handler for each state, in the order of COMPONENT_STATES. */
type Line<K extends Kind> = readonly [
  stopped: Handler<K>,
  starting: Handler<K>,
  ready: Handler<K>,
  suspect: Handler<K>,
  stopping: Handler<K>,
  backoff: Handler<K>,
  quarantined: Handler<K>,
];

/** Means nothing here, or came too late: seen, and rightly without effect. */
const _____ = (): void => {};
const { born, bornLate, stillborn, died, ended, tickStopping } = passage;
const { connected, delayed, saidReady, beat, trouble, busy, begin, touch, end } = health;
const { probe, firstProbe, sample, firstSample, evidence, lateEvidence } = health;
const { progress, pressure, debugged, healed } = health;
const { start, resume, adopt, extend, hold, refill, paused, tickStarting, tickUp } = orders;
const { stopRunning, stopWhileStopping, stopWaiting } = orders;
const { idle, idleWhileStopping, usage } = planning;
const { restartRunning, restartStopping, restartWaiting } = planning;
const { tickBackoff, tickQuarantined, planLaunches, planRefuses } = climbing;

// biome-ignore format: a table is read by its columns
const table = {
  //             stopped    starting    ready    suspect    stopping   backoff    quarantined
  start:        [start,     _____,      _____,   _____,     resume,    _____,     _____],
  spawned:      [_____,     born,       _____,   _____,     bornLate,  _____,     _____],
  spawn_failed: [_____,     stillborn,  _____,   _____,     stillborn, _____,     _____],
  adopted:      [adopt,     _____,      _____,   _____,     _____,     _____,     _____],
  connected:    [_____,     connected,  connected, connected, _____,   _____,     _____],
  delayed:      [_____,     _____,      delayed, delayed,   _____,     _____,     _____],
  ready:        [_____,     saidReady,  _____,   _____,     _____,     _____,     _____],
  beat:         [_____,     _____,      beat,    beat,      _____,     _____,     _____],
  extend:       [_____,     extend,     _____,   _____,     extend,    _____,     _____],
  trouble:      [_____,     trouble,    trouble, trouble,   _____,     _____,     _____],
  busy:         [_____,     busy,       busy,    busy,      busy,      _____,     _____],
  idle:         [_____,     idle,       idle,    idle,      idleWhileStopping, _____, _____],
  begin:        [_____,     begin,      begin,   begin,     begin,     _____,     _____],
  touch:        [_____,     touch,      touch,   touch,     touch,     _____,     _____],
  end:          [_____,     end,        end,     end,       end,       _____,     _____],
  probe:        [_____,     firstProbe, probe,   probe,     _____,     _____,     _____],
  sample:       [_____,     firstSample, sample, sample,    _____,     _____,     _____],
  exited:       [_____,     died,       died,    died,      ended,     _____,     _____],
  evidence:     [_____,     evidence,   lateEvidence, evidence,  _____,     _____,     _____],
  stop:         [_____,     stopRunning, stopRunning, stopRunning, stopWhileStopping, stopWaiting,
                 stopWaiting],
  restart:      [restartWaiting, restartRunning, restartRunning, restartRunning, restartStopping,
                 restartWaiting, restartWaiting],
  usage:        [_____,     _____,      usage,   usage,     _____,     _____,     _____],
  progress:     [_____,     _____,      progress, progress, _____,     _____,     _____],
  pressure:     [_____,     _____,      pressure, pressure, _____,     _____,     _____],
  debugged:     [_____,     debugged,   debugged, debugged, _____,     _____,     _____],
  hold:         [hold,      hold,       hold,    hold,      hold,      hold,      hold],
  refill:       [refill,    refill,      refill,  refill,    refill,     refill,    refill],
  healed:       [_____,     _____,      healed,  healed,    _____,     _____,     _____],
  launch:       [_____,     _____,      _____,   _____,     _____,     planLaunches, _____],
  refused:      [_____,     _____,      _____,   _____,     _____,     planRefuses, _____],
  paused:       [_____,     paused,     paused,  paused,    paused,    paused,    paused],
  tick:         [_____,     tickStarting, tickUp, tickUp,   tickStopping, tickBackoff,
                 tickQuarantined],
} satisfies { readonly [K in Kind]: Line<K> };

const column = Object.fromEntries(COMPONENT_STATES.map((state, index) => [state, index])) as Record<
  ComponentState,
  number
>;

export type Step = { readonly model: Model; readonly effects: readonly ComponentEffect[] };

/** Most of what is told changes nothing. */
const NOTHING: readonly ComponentEffect[] = Object.freeze([]);

export function step(policy: Policy, model: Model, event: ComponentEvent, now: number): Step {
  // The table's type ties each line to its event; a look-up by a union loses that tie.
  const handler = table[event.kind][column[model.state]] as Handler<Kind> | undefined;
  if (handler === undefined || handler === _____) return { model, effects: NOTHING };
  if (event.kind === 'tick' && isIdle(policy, model, now)) return { model, effects: NOTHING };
  const draft: Draft = { ...model };
  const effects: ComponentEffect[] = [];
  const turn: Turn = { policy, now, draft, effects };
  handler(turn, event);
  if (draft.state === 'ready') draft.deadline = readyDeadline(turn);
  if (mustPersist(model, draft)) effects.push({ kind: 'persist' });
  return { model: draft, effects };
}

/** A tick that finds nothing to do: how nearly every component is nearly always. */
function isIdle(policy: Policy, model: Model, now: number): boolean {
  if (model.deadline !== undefined && now >= model.deadline) return false;
  if (model.state !== 'ready') return !isUp(model) && model.planned?.phase !== 'waiting';
  return isCalm(policy, model.watch, now);
}

/** A calm ready component needs none: samples and ticks sweep it. Asked at each step: it makes nothing new. */
function readyDeadline(turn: Turn): number | undefined {
  const { draft, policy, now } = turn;
  const { incident, failures, quarantine, readyAt, planned, oldAt, busy } = draft;
  let first = trialsUntil(turn) ?? Number.POSITIVE_INFINITY;
  const isUnforgiven = incident !== undefined || failures > 0 || quarantine !== undefined;
  if (isUnforgiven && readyAt !== undefined) first = Math.min(first, readyAt + policy.stableMs);
  if (planned !== undefined) {
    let idleAt = Math.max(now, tenderUntil(draft.watch));
    for (const until of busy.values()) if (until > idleAt) idleAt = until;
    first = Math.min(first, planned.waitUntil, idleAt);
  } else if (oldAt !== undefined) first = Math.min(first, oldAt);
  return first === Number.POSITIVE_INFINITY ? undefined : first;
}

/** What an agent that starts after this one has to know. */
function mustPersist(before: Model, after: Model): boolean {
  return (
    isUp(before) !== isUp(after) ||
    before.wanted !== after.wanted ||
    before.watch.turns !== after.watch.turns ||
    before.restarts !== after.restarts
  );
}
