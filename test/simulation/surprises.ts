// Anything at any time, also what makes no sense just then: people who ask at the wrong moment, components that
// say nonsense, answers that come late or twice. By name, so that a failing run can be repeated without one
// kind of them to find out which ones it takes.

import type { ComponentEvent } from '../../agent/watchdog/model.ts';
import type { Dice } from './dice.ts';

type Make = (roll: Dice, id: string, ms: number, number: number) => ComponentEvent;

const restart =
  (force: boolean): Make =>
  (roll, _id, _ms, number) => {
    const command = roll.chance(0.9) ? `c${number}` : undefined;
    return { kind: 'restart', reason: 'asked', command, force };
  };
const probe =
  (ok: boolean): Make =>
  (_roll, id) => ({ kind: 'probe', probe: id, ok, reason: 'probe' });

export const SURPRISES: Readonly<Record<string, Make>> = {
  restart: restart(false),
  forced: restart(true),
  upgrade: () => ({
    kind: 'restart',
    reason: 'a new version',
    command: undefined,
    force: false,
    cause: 'upgrade',
  }),
  'probe failed': probe(false),
  'probe failed again': probe(false),
  'probe good': probe(true),
  stop: () => ({ kind: 'stop', reason: 'stop' }),
  start: () => ({ kind: 'start', reason: 'start' }),
  trouble: () => ({ kind: 'trouble', reason: 'sick' }),
  'remote trouble': () => ({ kind: 'trouble', reason: 'the bank is away', remote: true }),
  busy: (_roll, id, ceilingMs) => ({ kind: 'busy', id, reason: 'sale', ceilingMs }),
  idle: (_roll, id) => ({ kind: 'idle', id }),
  begin: (_roll, id, deadlineMs) => ({ kind: 'begin', id, name: 'work', deadlineMs }),
  touch: (roll, id) => ({ kind: 'touch', id: roll.pick([id, 'tender-0', 'tender-1']) }),
  end: (_roll, id) => ({ kind: 'end', id }),
  extend: (_roll, _id, ms) => ({ kind: 'extend', ms }),
  ready: () => ({ kind: 'ready' }),
  delayed: () => ({ kind: 'delayed' }),
  beat: (_roll, _id, loopDelayMsMax) => ({ kind: 'beat', loopDelayMsMax }),
  'late evidence': () => ({ kind: 'evidence', summary: 'late' }),
  'evidence of something': (roll) => ({
    kind: 'evidence',
    summary: 'late',
    phase: roll.pick(['suspect', 'confirmed']),
    topFrame: roll.pick([undefined, 'stuck']),
  }),
  healed: (roll) => ({ kind: 'healed', ok: roll.chance(0.5), reason: 'late' }),
  debugged: () => ({ kind: 'debugged' }),
  usage: (roll, _id, ms) => ({
    kind: 'usage',
    residentBytes: ms,
    descriptors: ms,
    cpuSeconds: roll.below(9),
  }),
  progress: (_roll, _id, ms) => ({
    kind: 'progress',
    waiting: ms,
    completed: ms,
    remoteDown: false,
  }),
  pressure: (_roll, _id, ms) => ({ kind: 'pressure', cpuSome: ms }),
  paused: (_roll, _id, gapMs) => ({ kind: 'paused', gapMs }),
  tick: () => ({ kind: 'tick' }),
};

const names = Object.keys(SURPRISES) as [string, ...string[]];
const NUMBERS = [0, 10, 1_000, 5_000, 60_000, Number.NaN, Number.POSITIVE_INFINITY, -5] as const;

/** @returns undefined when its kind is muted; as many draws are made in any case. */
export function surprise(
  roll: Dice,
  number: number,
  muted: ReadonlySet<string>,
): ComponentEvent | undefined {
  const name = roll.pick(names);
  const event = SURPRISES[name]?.(roll, `${roll.below(6)}`, roll.pick(NUMBERS), number);
  return muted.has(name) ? undefined : event;
}
