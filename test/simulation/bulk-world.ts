// A fleet, some bulk actions at the same time, and chance: terminals come and go, fail, answer late, twice or never,
// operators pause, resume and abort, and the broker is killed between a step and its commit. What was really asked of
// whom is kept apart from the machine's own books, and judged by bulk-checkers.ts.

import { type BulkEvent, step } from '../../broker/bulk/machine.ts';
import { type BulkModel, isInFlight } from '../../broker/bulk/model.ts';
import type { QueueState } from '../../broker/commands/queue.ts';
import { type Asked, type Book, checkIssue, checkSettled } from './bulk-checkers.ts';
import { type Dice, dice } from './dice.ts';

const KIM = { name: 'kim', role: 'admin' } as const;
const TICK_MS = 1_000;
const RESULT_MS = 60_000;
const FINAL: readonly [QueueState, ...QueueState[]] = [
  'succeeded',
  'failed',
  'rejected',
  'unknown',
];

/** What a planted bug does to a model behind the machine's back. */
export type Plant = (before: BulkModel, after: BulkModel) => BulkModel;
type Tick = Extract<BulkEvent, { kind: 'tick' }>;
/** What a planted bug makes of what is seen of the fleet. */
export type See = (tick: Tick) => Tick;

type World = {
  readonly chance: Dice;
  readonly book: Book;
  readonly models: Map<string, BulkModel>;
  readonly failShare: number;
  readonly plant: Plant;
  readonly see: See;
  now: number;
};

function newFleet(chance: Dice): { terminal: string; store: string }[] {
  return Array.from({ length: 1 + chance.below(12) }, (_, store) =>
    Array.from({ length: 1 + chance.below(7) }, (_, lane) => ({
      ...{ terminal: `s${store}-${lane}`, store: `s${store}` },
    })),
  ).flat();
}

function newBulk(world: World, id: string, fleet: ReturnType<typeof newFleet>): BulkModel {
  const { chance } = world;
  const list = fleet.filter(() => chance.chance(0.7));
  const chosen = list.length === 0 ? fleet.slice(0, 1) : list;
  return {
    ...{ id, content: { kind: 'restart', arguments: { component: 'sale' } }, reason: '' },
    ...{ plannedBy: 'kim', startedBy: undefined, createdMs: 0, startedMs: undefined, why: '' },
    ...{ lastsMs: 60_000 + chance.below(1_800_000), expiresMs: undefined, endedMs: undefined },
    ...{ state: 'planned', resultMs: RESULT_MS, wave: { number: 0, size: 0 } },
    forgiven: { failed: 0, ended: 0 },
    limits: {
      ...{ firstWave: 1 + chance.below(4), fleetPercent: 5 + chance.below(95) },
      ...{ failurePercent: chance.below(40), failuresMin: 1 + chance.below(4) },
    },
    ...{ fleetSize: fleet.length, leftOut: { count: 0, first: [] } },
    targets: chosen.map((one) => ({
      ...{ ...one, state: 'waiting', command: '', reason: '', sentMs: 0 },
    })),
  };
}

/** One transaction: all that a step leads to, or nothing of it. */
function act(world: World, id: string, first: BulkEvent): boolean {
  const { chance, book, models, now } = world;
  const before = models.get(id);
  if (before === undefined) return false;
  let model = before;
  const made: Asked[] = [];
  const due: BulkEvent[] = [first];
  for (let event = due.shift(); event !== undefined; event = due.shift()) {
    const next = step(model, event, now);
    model = next.model;
    for (const effect of next.effects) {
      if (effect.kind !== 'issue') continue;
      const { terminal } = effect;
      if (chance.chance(0.02)) {
        due.push({ kind: 'refused', terminal, reason: 'no' });
        continue;
      }
      const command = `c${book.asked.length + made.length}`;
      made.push({ bulk: id, command, terminal, atMs: now, state: 'sent' });
      due.push({ kind: 'issued', terminal, command });
    }
  }
  // Killed before the commit: neither the model nor its commands are there.
  if (chance.chance(0.05)) return false;
  // What must be true is judged before it is done.
  for (const one of made) {
    checkIssue(book, one);
    book.asked.push(one);
  }
  models.set(id, world.plant(before, model));
  if (first.kind === 'abort' && before.state !== model.state) book.aborted.set(id, now);
  const wasRunning = first.kind === 'pause' || first.kind === 'resume';
  if (wasRunning) book.paused.set(id, model.state === 'paused');
  return true;
}

/** What is true of the fleet now, as a broker would see it. */
function lookAt({ models, book }: World, id: string): Tick {
  const { away, retired, storeOf } = book;
  const there = new Set<string>();
  const moved = new Map<string, string>();
  const gone = new Map<string, string>();
  for (const { terminal, state, store } of models.get(id)?.targets ?? []) {
    if (retired.has(terminal)) gone.set(terminal, 'the terminal was retired');
    else if (state === 'waiting' && !away.has(terminal)) there.add(terminal);
    const now = storeOf.get(terminal) ?? store;
    if (now !== store) moved.set(terminal, now);
  }
  const held = new Set<string>();
  const others = new Map<string, number>();
  for (const other of models.values()) {
    for (const { terminal } of other.targets.filter(isInFlight)) {
      held.add(terminal);
      const store = storeOf.get(terminal) ?? '';
      if (other.id !== id) others.set(store, (others.get(store) ?? 0) + 1);
    }
  }
  const selling = new Map<string, number>();
  for (const [terminal, store] of storeOf) {
    if (held.has(terminal) || away.has(terminal) || retired.has(terminal)) continue;
    selling.set(store, (selling.get(store) ?? 0) + 1);
  }
  return { kind: 'tick', there, others, selling, moved, gone };
}

function tick(world: World, id: string): void {
  if (!act(world, id, world.see(lookAt(world, id)))) return;
  const model = world.models.get(id);
  if (model !== undefined) checkSettled(world.book, model, world.now);
}

/** Terminals come and go, a few stand elsewhere from now on, and fewer never come back. */
function change({ chance, book }: World, fleet: ReturnType<typeof newFleet>): void {
  for (const { terminal } of fleet) {
    if (chance.chance(0.01) && !book.away.delete(terminal)) book.away.add(terminal);
    if (chance.chance(0.001)) {
      book.storeOf.set(terminal, fleet[chance.below(fleet.length)]?.store ?? 's0');
    }
    if (chance.chance(0.000_3)) book.retired.add(terminal);
  }
}

/** Terminals answer, some late, some twice, some never before the queue gives up. */
function answer(world: World): void {
  const { chance, book, failShare, now } = world;
  for (const [at, one] of book.asked.entries()) {
    const { bulk, command, atMs, state } = one;
    const isOpen = state === 'sent';
    const isDue = chance.chance(0.2) || now - atMs > 5 * RESULT_MS;
    if (isOpen && isDue && !chance.chance(0.3)) {
      const became = chance.chance(failShare) ? chance.pick(FINAL) : 'succeeded';
      // The queue knows first, and the bulk may be told later or once more.
      book.asked[at] = { ...one, state: became };
      const told: BulkEvent = { kind: 'result', command, state: became, reason: '' };
      act(world, bulk, told);
      if (chance.chance(0.1)) act(world, bulk, told);
    } else if (!isOpen && chance.chance(0.05)) {
      // Found by looking: what a killed broker did not hear.
      act(world, bulk, { kind: 'result', command, state, reason: '' });
    }
  }
}

function meddle(world: World, ids: readonly [string, ...string[]]): void {
  const { chance } = world;
  const id = chance.pick(ids);
  const by = { by: 'ada', reason: 'so' };
  if (chance.chance(0.02)) act(world, id, { kind: 'start', by: KIM, reason: 'again' });
  if (chance.chance(0.02)) act(world, id, { kind: 'pause', ...by });
  if (chance.chance(0.1)) act(world, id, { kind: 'resume', ...by });
  if (chance.chance(0.003)) act(world, id, { kind: 'abort', ...by });
}

/** @returns what was asked, and how each bulk action ended. @throws what a checker finds. */
export function simulate(
  seed: number,
  plant: Plant = (_, after) => after,
  see: See = (tick) => tick,
) {
  const chance = dice(seed);
  const fleet = newFleet(chance);
  const ids: readonly [string, ...string[]] = chance.chance(0.5) ? ['b1', 'b2', 'b3'] : ['b1'];
  const world: World = {
    ...{
      chance,
      models: new Map(),
      failShare: chance.next() * 0.4,
      plant,
      see,
      now: 0,
    },
    book: {
      ...{ asked: [], aborted: new Map(), paused: new Map(), lists: new Map() },
      ...{ away: new Set(), retired: new Set() },
      storeOf: new Map(fleet.map(({ terminal, store }) => [terminal, store])),
    },
  };
  for (const id of ids) {
    const model = newBulk(world, id, fleet);
    world.models.set(id, model);
    world.book.lists.set(id, {
      ...{ terminals: new Set(model.targets.map(({ terminal }) => terminal)) },
      most: Math.max(1, Math.floor((fleet.length * model.limits.fleetPercent) / 100)),
    });
  }
  for (let turn = 0; turn < 3_000; turn += 1) {
    world.now += TICK_MS;
    change(world, fleet);
    for (const id of ids) {
      if (turn < 5) act(world, id, { kind: 'start', by: KIM, reason: 'because' });
      tick(world, id);
    }
    answer(world);
    meddle(world, ids);
    const isOver = [...world.models.values()].every(({ state }) => state === 'done');
    if (isOver) break;
  }
  return { asked: world.book.asked, states: [...world.models.values()].map(({ state }) => state) };
}
