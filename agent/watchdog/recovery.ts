// The recovery plan of the whole till: `stepRecovery(setting, model, event, now)` gives the next model and the
// effects, pure and total, one table of phases and events as in machine.ts. One operation at a time; what
// escalates meanwhile waits in a bounded queue. It asks the components' machines to stop and start and never
// touches a process.
//
//   idle --escalated--> waiting (until those it would cut off are idle; refused after 15 min)
//     waiting --dependants, all--> stopping (in reverse) --> starting (in order) --> idle
//     waiting --reset--> resetting (the hook runs) --launch or refuse--> idle
//     waiting --reboot--> noting (token to disk) --> rebooting --still up after 5 min: refuse--> idle
//
// Every phase but idle has a deadline, and what is stuck goes on without that which does not come: a member
// that does not die is passed by, a need that does not become ready is no longer waited for, because those
// that depend on it ran beside its failure before and a till that sells a little beats one that waits.

import {
  PHASES,
  type Phase,
  type RecoveryDraft,
  type RecoveryEffect,
  type RecoveryEvent,
  type RecoveryModel,
  type RecoveryRemembered,
  type RecoverySetting,
  type RecoveryStep,
  type RecoveryTurn,
  SETTLE_MS,
} from './recovery-model.ts';
import * as phases from './recovery-phases.ts';
import * as restart from './recovery-restart.ts';

export type {
  Interrupted,
  RebootToken,
  RecoveryEffect,
  RecoveryEvent,
  RecoveryModel,
  RecoveryRemembered,
  RecoverySetting,
} from './recovery-model.ts';

type Kind = RecoveryEvent['kind'];
type Handler<K extends Kind> = (
  turn: RecoveryTurn,
  event: Extract<RecoveryEvent, { kind: K }>,
) => void;
/** One handler for each phase, in the order of PHASES. */
type Line<K extends Kind> = readonly [
  idle: Handler<K>,
  waiting: Handler<K>,
  stopping: Handler<K>,
  resetting: Handler<K>,
  starting: Handler<K>,
  noting: Handler<K>,
  rebooting: Handler<K>,
];

/** What was learned is all there is to it. */
const _____ = (): void => {};
const { begin, queue, wait, hooked, hookDue, noted, noteDue, rebootDue } = phases;
const { stopNext, startNext } = restart;

// biome-ignore format: a table is read by its columns
const table = {
  //          idle   waiting stopping  resetting starting   noting   rebooting
  escalated: [begin, queue,  queue,    queue,    queue,     queue,   queue],
  state:     [_____, wait,   stopNext, _____,    startNext, _____,   _____],
  busy:      [_____, wait,   stopNext, _____,    _____,     _____,   _____],
  hook:      [_____, _____,  _____,    hooked,   _____,     _____,   _____],
  noted:     [_____, _____,  _____,    _____,    _____,     noted,   _____],
  stable:    [_____, _____,  _____,    _____,    _____,     _____,   _____],
  abandoned: [_____, wait,   stopNext, _____,    startNext, _____,   _____],
  hold:      [_____, wait,   _____,    _____,    _____,     _____,   _____],
  paused:    [_____, _____,  _____,    _____,    _____,     _____,   _____],
  tick:      [_____, wait,   stopNext, hookDue,  startNext, noteDue, rebootDue],
} satisfies { readonly [K in Kind]: Line<K> };

const column = Object.fromEntries(PHASES.map((phase, index) => [phase, index])) as Record<
  Phase,
  number
>;

/** @param remembered what an earlier agent left. */
export function initialRecovery(
  setting: RecoverySetting,
  now: number,
  remembered: RecoveryRemembered = {},
): RecoveryModel {
  const { interrupted, reboots, held } = remembered;
  const operation = interrupted && restart.resumed(setting, interrupted, now);
  return {
    phase: operation === undefined ? 'idle' : 'starting',
    deadline: operation === undefined ? undefined : now,
    operation,
    queue: [],
    states: new Map(),
    busy: new Set(),
    held: held ?? false,
    settledAt: now + SETTLE_MS,
    uptimeMs: undefined,
    totalMs: undefined,
    reboots: reboots ?? [],
  };
}

export function stepRecovery(
  setting: RecoverySetting,
  model: RecoveryModel,
  event: RecoveryEvent,
  now: number,
): RecoveryStep {
  const draft: RecoveryDraft = { ...model };
  const effects: RecoveryEffect[] = [];
  const turn: RecoveryTurn = { setting, now, draft, effects };
  phases.learn(turn, event);
  // The table's type ties each line to its event; a look-up by a union loses that tie.
  const handler = table[event.kind][column[draft.phase]] as Handler<Kind> | undefined;
  handler?.(turn, event);
  // Each turn takes one from the queue for good, so this ends.
  while (draft.phase === 'idle' && draft.queue.length > 0) phases.next(turn);
  return { model: draft, effects };
}
