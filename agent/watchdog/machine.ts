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
// One deadline per state: starting (start timeout), suspect (next look, or end of the wait for evidence),
// stopping (end of grace, then each 5 s), backoff and quarantined (next start); ready only has one while
// there is something to forgive or a planned restart waits.

import { COMPONENT_STATES } from '../../protocol/events.ts';
import * as health from './health.ts';
import type { ComponentEffect, ComponentEvent, ComponentState, Policy } from './model.ts';
import * as orders from './orders.ts';
import { type Draft, isUp, type Model, type Turn } from './state.ts';

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
const { born, bornLate, stillborn, died, ended, connected, delayed, saidReady, beat } = health;
const { trouble, busy, begin, touch, end, probe, firstProbe, sample, firstSample, evidence } =
  health;
const { start, resume, adopt, extend, idle, paused } = orders;
const { tickStarting, tickUp, tickStopping, tickBackoff, tickQuarantined } = orders;
const { stopRunning, stopWhileStopping, stopWaiting } = orders;
const { restartRunning, restartStopping, restartWaiting } = orders;

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
  busy:         [_____,     busy,       busy,    busy,      _____,     _____,     _____],
  idle:         [_____,     idle,       idle,    idle,      _____,     _____,     _____],
  begin:        [_____,     begin,      begin,   begin,     _____,     _____,     _____],
  touch:        [_____,     touch,      touch,   touch,     _____,     _____,     _____],
  end:          [_____,     end,        end,     end,       _____,     _____,     _____],
  probe:        [_____,     firstProbe, probe,   probe,     _____,     _____,     _____],
  sample:       [_____,     firstSample, sample, sample,    _____,     _____,     _____],
  exited:       [_____,     died,       died,    died,      ended,     _____,     _____],
  evidence:     [_____,     evidence,   _____,   evidence,  _____,     _____,     _____],
  stop:         [_____,     stopRunning, stopRunning, stopRunning, stopWhileStopping, stopWaiting,
                 stopWaiting],
  restart:      [restartWaiting, restartRunning, restartRunning, restartRunning, restartStopping,
                 restartWaiting, restartWaiting],
  usage:        [_____,     _____,      _____,   _____,     _____,     _____,     _____],
  progress:     [_____,     _____,      _____,   _____,     _____,     _____,     _____],
  pressure:     [_____,     _____,      _____,   _____,     _____,     _____,     _____],
  debugged:     [_____,     _____,      _____,   _____,     _____,     _____,     _____],
  hold:         [_____,     _____,      _____,   _____,     _____,     _____,     _____],
  healed:       [_____,     _____,      _____,   _____,     _____,     _____,     _____],
  launch:       [_____,     _____,      _____,   _____,     _____,     _____,     _____],
  refused:      [_____,     _____,      _____,   _____,     _____,     _____,     _____],
  paused:       [_____,     paused,     paused,  paused,    paused,    paused,    paused],
  tick:         [_____,     tickStarting, tickUp, tickUp,   tickStopping, tickBackoff,
                 tickQuarantined],
} satisfies { readonly [K in Kind]: Line<K> };

const column = Object.fromEntries(COMPONENT_STATES.map((state, index) => [state, index])) as Record<
  ComponentState,
  number
>;

export type Step = { readonly model: Model; readonly effects: readonly ComponentEffect[] };

export function step(policy: Policy, model: Model, event: ComponentEvent, now: number): Step {
  const draft: Draft = { ...model };
  const effects: ComponentEffect[] = [];
  // The table's type ties each line to its event; a look-up by a union loses that tie.
  const handler = table[event.kind][column[model.state]] as Handler<Kind> | undefined;
  handler?.({ policy, now, draft, effects }, event);
  if (draft.state === 'ready') draft.deadline = readyDeadline(policy, draft, now);
  if (mustPersist(model, draft)) effects.push({ kind: 'persist' });
  return { model: draft, effects };
}

/** A calm ready component needs none: samples and ticks sweep it. */
function readyDeadline(policy: Policy, draft: Draft, now: number): number | undefined {
  const times: number[] = [];
  const unforgiven = draft.incident !== undefined || draft.failures > 0;
  if ((unforgiven || draft.quarantine !== undefined) && draft.readyAt !== undefined) {
    times.push(draft.readyAt + policy.stableMs);
  }
  if (draft.planned !== undefined) {
    times.push(Math.min(draft.planned.waitUntil, Math.max(now, ...draft.busy.values())));
  }
  return times.length === 0 ? undefined : Math.min(...times);
}

/** What an agent that starts after this one has to know. */
function mustPersist(before: Model, after: Model): boolean {
  return (
    isUp(before) !== isUp(after) ||
    before.wanted !== after.wanted ||
    before.restarts !== after.restarts
  );
}
