// One simulated terminal: three parts that the agent's own state machine watches over, what ails it at the
// moment, and its books. `stepTill(till, event, now)` is pure like every decision of the agent; terminal.ts
// performs the effects. Power and line are states of the till as well, so that what a store loses at once
// is one fault and not many that happen to coincide.

import type { NewEvent } from '../../protocol/events.ts';
import { mayStart } from '../watchdog/plan.ts';
import { afflict } from './ailments.ts';
import { keep } from './books.ts';
import { type CentreEvent, inventory, look, obey } from './centre.ts';
import { COMPONENTS, type ComponentName } from './character.ts';
import { between, diceFrom, uuidFrom } from './dice.ts';
import type { Fault } from './faults.ts';
import type { Effect } from './kinds.ts';
import {
  type Condition,
  changePart,
  partsOf,
  type Till,
  type TillEffect,
  type Turn,
} from './model.ts';
import { advance, dueMs, tell } from './part.ts';

export type TillEvent =
  | { readonly kind: 'boot' }
  | { readonly kind: 'fault'; readonly fault: Fault }
  | {
      readonly kind: 'restart';
      readonly component: string;
      readonly reason: string;
      readonly command: string;
    }
  /** The moment before a sampling. `hour`: of the local day, with its fraction. */
  | { readonly kind: 'sample'; readonly wallMs: number; readonly hour: number }
  | CentreEvent
  | { readonly kind: 'tick' };

export type Network = 'up' | 'cut' | 'frozen';

/** As the demo's agents are configured (cli/demo/plan.ts). */
const PLAN = [
  { name: 'hardware', after: [] },
  { name: 'sale', after: ['hardware'] },
  { name: 'sync', after: ['sale'] },
] as const;
/** One power cut in twenty tears a file (research/pos.md section 7, S3). */
const TORN_SHARE = 0.05;
/** A flapping line is away for every second of these. */
const FLAP_MS = 15_000;
/** A basket that a planned restart waits for. */
const BASKET_MS = { min: 2_000, max: 15_000 };
/** What the sale may lose before it says that it must be restarted (P3). */
const LEAK_BYTES_MAX = 300 * 1024 * 1024;
const HOUR_MS = 3_600_000;

const report = (turn: Turn, event: NewEvent): void => {
  turn.effects.push({ kind: 'report', event });
};

function boot(turn: Turn): void {
  const { who, parts } = turn.till;
  const first = turn.till.bootId === '';
  const restarts = new Map(parts.map((part) => [part.name, part.restarts]));
  const fresh = partsOf(who, turn.dice.seed()).map((part) => ({
    ...part,
    restarts: restarts.get(part.name) ?? part.restarts,
  }));
  turn.till = {
    ...turn.till,
    parts: fresh,
    toStart: [...COMPONENTS],
    offUntilMs: undefined,
    bootId: uuidFrom(turn.dice),
    bootedMs: turn.now,
    // A reboot ends a hold; the centre declares its maintenance again.
    holds: [],
  };
  turn.effects.push({ kind: 'booted', torn: !first && turn.dice.next() < TORN_SHARE });
  introduce(turn);
}

/** As a real agent does (agent/agent.ts), saying of itself that it is simulated. */
function introduce(turn: Turn): void {
  const { who, bootId } = turn.till;
  const version = who.agentVersion;
  const started = { version, node: process.versions.node, bootId, adopted: [] };
  report(turn, { kind: 'agent_started', component: '', fields: started });
  inventory(turn);
}

function startWaiting(turn: Turn): void {
  for (;;) {
    const states = new Map(turn.till.parts.map(({ name, model }) => [name, model.state]));
    const { toStart } = turn.till;
    const name = mayStart(PLAN, states).find((one) => toStart.includes(one));
    if (name === undefined) return;
    turn.till = { ...turn.till, toStart: toStart.filter((one) => one !== name) };
    const start = { kind: 'start', reason: 'the agent starts it' } as const;
    changePart(turn, name, (part, now, dice) => tell(part, start, now, dice));
  }
}

/** Everything whose time has come. */
function goOn(turn: Turn): void {
  const { till, now } = turn;
  if (till.offUntilMs !== undefined) {
    if (now < till.offUntilMs) return;
    boot(turn);
  }
  const conditions = turn.till.conditions.filter(({ untilMs }) => untilMs > now);
  if (conditions.length < turn.till.conditions.length) turn.till = { ...turn.till, conditions };
  look(turn);
  for (const name of COMPONENTS) changePart(turn, name, advance);
  if (turn.till.toStart.length > 0) startWaiting(turn);
}

/** A sale in progress is never cut off by a plan: the machine waits until it is idle. */
function restart(turn: Turn, event: Extract<TillEvent, { kind: 'restart' }>): void {
  const { component, reason, command } = event;
  changePart(turn, component, (part, now, dice) => {
    const busy = component === 'sale' && dice.next() < 0.5;
    const basketMs = Math.round(between(dice, BASKET_MS.min, BASKET_MS.max));
    const before = busy
      ? tell(
          part,
          { kind: 'busy', id: 'basket', reason: 'a basket is open', ceilingMs: 180_000 },
          now,
          dice,
        ).part
      : part;
    const asked = tell(before, { kind: 'restart', reason, command, force: false }, now, dice);
    if (!busy) return asked;
    const idle = { atMs: now + basketMs, event: { kind: 'idle', id: 'basket' } } as const;
    const todo = [...asked.part.todo, idle].sort((a, b) => a.atMs - b.atMs);
    return { ...asked, part: { ...asked.part, todo } };
  });
}

export const leakedBytes = ({ who, parts }: Till, now: number): number => {
  const sale = parts.find(({ name }) => name === 'sale');
  const hours = Math.max(0, now - (sale?.bornMs ?? now)) / HOUR_MS;
  return Math.round(hours * who.leakBytesPerHour);
};

export const suffers = ({ conditions }: Till, effect: Effect): boolean =>
  conditions.some((condition) => condition.effect === effect);

function measure(turn: Turn, event: Extract<TillEvent, { kind: 'sample' }>): void {
  const { till, now, dice } = turn;
  const online = networkOf(till, now) === 'up' && isWell(till, 'sync');
  const trade = {
    hour: event.hour,
    sells: isWell(till, 'sale') && till.offUntilMs === undefined,
    prints: isWell(till, 'hardware') && !suffers(till, 'printer'),
    delivers: online,
    refreshesPrices: online && !suffers(till, 'stale'),
  };
  turn.till = { ...till, books: keep(till.books, till.who, trade, event.wallMs, dice) };
  if (leakedBytes(till, now) < LEAK_BYTES_MAX) return;
  const trouble = { kind: 'trouble', reason: 'its memory has grown to its limit' } as const;
  changePart(turn, 'sale', (part, at, drawn) => tell(part, trouble, at, drawn));
}

export function stepTill(
  till: Till,
  event: TillEvent,
  now: number,
): { readonly till: Till; readonly effects: readonly TillEffect[] } {
  const turn: Turn = { till, now, dice: diceFrom(till.random), effects: [] };
  if (event.kind === 'boot') boot(turn);
  goOn(turn);
  const on = turn.till.offUntilMs === undefined;
  if (event.kind === 'fault' && on) afflict(turn, event.fault);
  if (event.kind === 'restart' && on) restart(turn, event);
  if (event.kind === 'sample') measure(turn, event);
  if (event.kind === 'apply' || event.kind === 'hold' || event.kind === 'release') {
    if (on) obey(turn, event);
  }
  return { till: { ...turn.till, random: turn.dice.seed() }, effects: turn.effects };
}

const flapsAway = ({ sinceMs }: Condition, now: number): boolean =>
  Math.floor((now - sinceMs) / FLAP_MS) % 2 === 0;

/** What the line to the broker is like. */
export function networkOf({ conditions, offUntilMs }: Till, now: number): Network {
  if (offUntilMs !== undefined) return 'cut';
  const holds = (effect: Condition['effect']): boolean =>
    conditions.some((one) => one.effect === effect && one.untilMs > now);
  const flapping = conditions.some(
    (one) => one.effect === 'flap' && one.untilMs > now && flapsAway(one, now),
  );
  if (holds('cut') || flapping) return 'cut';
  return holds('freeze') ? 'frozen' : 'up';
}

/** When it has to be stepped again at the latest. */
export function nextMs({ parts, conditions, holds, offUntilMs }: Till, now: number): number {
  if (offUntilMs !== undefined) return offUntilMs;
  const flaps = conditions.some(({ effect }) => effect === 'flap') ? now + FLAP_MS / 5 : Infinity;
  const ends = [...conditions, ...holds].map(({ untilMs }) => untilMs);
  return Math.min(flaps, ...parts.map(dueMs), ...ends);
}

export const isWell = ({ parts, offUntilMs }: Till, name: ComponentName): boolean => {
  const state = parts.find((part) => part.name === name)?.model.state;
  return offUntilMs === undefined && (state === 'ready' || state === 'suspect');
};
