// A world in which everything goes wrong, by seed: a component that hangs, lies, crashes and recovers at
// random, an agent that is paused, operators who ask at the wrong moment, and events that come when they
// mean nothing. Its processes are true (a copy lives from its spawn to its exit), so that checkers can tell
// what the machine believes from what is.

import { initialModel, type Model, type step as realStep } from '../../agent/watchdog/machine.ts';
import type { ComponentEffect, ComponentEvent, Policy } from '../../agent/watchdog/model.ts';
import { type CheckerName, checkers } from './checkers.ts';

export type StepFunction = typeof realStep;
export type Outcome = {
  readonly broken: { readonly checker: CheckerName; readonly sentence: string } | undefined;
  readonly steps: number;
  /** How often each effect, state and report was seen: a simulation that saw nothing proves nothing. */
  readonly seen: ReadonlyMap<string, number>;
};

/** xorshift32; the world's own, not the machine's. */
function dice(seed: number) {
  let bits = seed | 1;
  const next = (): number => {
    bits ^= bits << 13;
    bits ^= bits >>> 17;
    bits ^= bits << 5;
    return (bits >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  const pick = <T>(choices: readonly [T, ...T[]]): T =>
    choices[below(choices.length)] ?? choices[0];
  return { next, below, pick, chance: (share: number): boolean => next() < share };
}
type Dice = ReturnType<typeof dice>;

const THREADS = ['S', 'S', 'S', 'S', 'still', 'R', 'starved', 'T', 'D', 't', 'Z'] as const;

type Copy = { phase: 'spawning' | 'alive'; thread: (typeof THREADS)[number]; lies: boolean };

export function simulate(step: StepFunction, policy: Policy, seed: number, steps: number): Outcome {
  const world = newWorld(step, policy, dice(seed));
  let taken = 0;
  while (taken < steps && world.broken() === undefined) {
    world.move();
    taken += 1;
  }
  world.finish();
  return { broken: world.broken(), steps: taken, seen: world.seen };
}

function newWorld(step: StepFunction, policy: Policy, roll: Dice) {
  const watching = Object.entries(checkers).map(([name, make]) => ({
    name: name as CheckerName,
    checker: make(policy),
  }));
  const seen = new Map<string, number>();
  const queue: ComponentEvent[] = [];
  const counters = { cpuMs: 0, voluntarySwitches: 10, runDelayMs: 0 };
  let model: Model = initialModel(policy, { seed: roll.below(1e9) });
  let broken: Outcome['broken'];
  let now = 1;
  let copy: Copy | undefined;
  let lives = 0;
  let commands = 0;

  const note = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);

  function send(event: ComponentEvent): void {
    const before = model;
    const copies = copy === undefined ? 0 : 1;
    const result = step(policy, before, event, now);
    model = result.model;
    const { effects } = result;
    for (const { name, checker } of watching) {
      const sentence = checker.see({ event, now, before, after: model, effects, copies });
      if (sentence !== undefined) broken ??= { checker: name, sentence };
    }
    note(model.state);
    for (const effect of effects) perform(effect);
  }

  function perform(effect: ComponentEffect): void {
    note(effect.kind === 'report' ? effect.event.kind : effect.kind);
    if (effect.kind === 'spawn') copy = { phase: 'spawning', thread: 'S', lies: false };
    if (effect.kind === 'kill' && roll.chance(0.9)) exit('SIGKILL');
    if (effect.kind === 'terminate' && roll.chance(0.7)) exit(undefined);
    if (effect.kind === 'collect_evidence' && roll.chance(0.8)) {
      queue.push({
        kind: 'evidence',
        summary: effect.phase,
        phase: roll.pick([effect.phase, undefined]),
      });
    }
  }

  function exit(signal: string | undefined): void {
    if (copy?.phase !== 'alive') return;
    copy = undefined;
    queue.push({ kind: 'exited', code: signal === undefined ? roll.below(3) : undefined, signal });
  }

  /** What the process and its starter do by themselves. */
  function live(): void {
    if (copy === undefined) return;
    if (copy.phase === 'spawning') {
      if (roll.chance(0.1)) {
        copy = undefined;
        queue.push({ kind: 'spawn_failed', reason: 'no such file' });
      } else if (roll.chance(0.8)) {
        copy.phase = 'alive';
        lives += 1;
        queue.push({ kind: 'spawned', instance: `life-${lives}`, pid: lives });
      }
      return;
    }
    if (roll.chance(0.05)) copy.thread = roll.pick(THREADS);
    if (roll.chance(0.02)) copy.lies = !copy.lies;
    if (model.state === 'starting' && roll.chance(0.3)) queue.push({ kind: 'ready' });
    const beats = copy.lies || copy.thread === 'S';
    if (beats && roll.chance(0.5)) queue.push({ kind: 'beat', loopDelayMsMax: roll.below(100) });
    if (roll.chance(0.01)) exit(roll.pick([undefined, 'SIGSEGV']));
  }

  function look(ms: number): void {
    if (copy?.phase !== 'alive') return;
    const { thread } = copy;
    if (thread === 'S') counters.voluntarySwitches += 1 + roll.below(4);
    if (thread === 'R') counters.cpuMs += ms;
    if (thread === 'starved') counters.runDelayMs += ms;
    const state = thread === 'still' ? 'S' : thread === 'starved' ? 'R' : thread;
    queue.push({ kind: 'sample', sample: { state, ...counters } });
  }

  function drain(): void {
    // Each event to its end, and what it caused in turn; bounded, or the machine talks to itself.
    for (let turns = 0; queue.length > 0 && turns < 100; turns += 1) {
      const event = queue.shift();
      if (event !== undefined) send(event);
    }
  }

  function move(): void {
    const wasDown = copy === undefined && model.state === 'stopped';
    live();
    if (wasDown && roll.chance(0.3)) rise();
    if (roll.chance(0.1)) queue.push(surprise());
    drain();
    const ms = roll.chance(0.02) ? roll.below(20_000) : roll.chance(0.7) ? 250 : roll.below(60);
    now += ms;
    if (ms > 500 && roll.chance(0.8)) queue.push({ kind: 'paused', gapMs: ms - 250 });
    look(ms);
    queue.push({ kind: 'tick' });
    drain();
  }

  function rise(): void {
    if (roll.chance(0.8)) {
      queue.push({ kind: 'start', reason: 'wanted' });
      return;
    }
    lives += 1;
    copy = { phase: 'alive', thread: 'S', lies: false };
    const wasReady = roll.chance(0.5);
    queue.push({ kind: 'adopted', instance: `life-${lives}`, pid: lives, wasReady });
  }

  /** Anything at any time, also what makes no sense just now. */
  function surprise(): ComponentEvent {
    const id = `${roll.below(6)}`;
    const ms = roll.pick([0, 10, 1_000, 5_000, 60_000, Number.NaN, Number.POSITIVE_INFINITY, -5]);
    const restart = (): ComponentEvent => {
      commands += 1;
      const command = roll.chance(0.9) ? `c${commands}` : undefined;
      return { kind: 'restart', reason: 'asked', command, force: roll.chance(0.3) };
    };
    const failed = (): ComponentEvent => {
      return { kind: 'probe', probe: id, ok: roll.chance(0.4), reason: 'probe' };
    };
    const anything: (() => ComponentEvent)[] = [
      restart,
      failed,
      failed,
      () => ({ kind: 'stop', reason: 'stop' }),
      () => ({ kind: 'start', reason: 'start' }),
      () => ({ kind: 'trouble', reason: 'sick' }),
      () => ({ kind: 'busy', id, reason: 'sale', ceilingMs: ms }),
      () => ({ kind: 'idle', id }),
      () => ({ kind: 'begin', id, name: 'work', deadlineMs: ms }),
      () => ({ kind: 'touch', id }),
      () => ({ kind: 'end', id }),
      () => ({ kind: 'extend', ms }),
      () => ({ kind: 'ready' }),
      () => ({ kind: 'connected' }),
      () => ({ kind: 'delayed' }),
      () => ({ kind: 'beat', loopDelayMsMax: ms }),
      () => ({ kind: 'evidence', summary: 'late' }),
      () => ({ kind: 'paused', gapMs: ms }),
      () => ({ kind: 'tick' }),
    ];
    return (anything[roll.below(anything.length)] ?? restart)();
  }

  /** Everything ends: only now can a forgotten command be told from a slow one. */
  function finish(): void {
    queue.splice(0);
    // A life that came and went unseen would be the world's fault, not the machine's.
    for (let turns = 0; turns < 50 && (model.state !== 'stopped' || turns === 0); turns += 1) {
      if (model.process === 'spawning' && copy?.phase === 'spawning') {
        copy.phase = 'alive';
        send({ kind: 'spawned', instance: 'last', pid: 1 });
      }
      send({ kind: 'stop', reason: 'the end' });
      if (model.process === 'alive') {
        copy = undefined;
        send({ kind: 'exited', code: 0, signal: undefined });
      }
      queue.splice(0);
    }
    for (const { name, checker } of watching) {
      const sentence = checker.end?.();
      if (sentence !== undefined) broken ??= { checker: name, sentence };
    }
  }

  return { move, finish, seen, broken: () => broken };
}
