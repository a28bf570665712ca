// The agent of one simulated till: the machines of its components, its recovery plan and its queue of events, tied
// together as the supervisor does it, with the same glue; and its processes, which are true. After each step
// the checkers look. What makes the world go round is in world.ts.

import { Order } from '../../agent/order.ts';
import type { ComponentEffect, ComponentEvent } from '../../agent/watchdog/model.ts';
import {
  type Interrupted,
  initialRecovery,
  type RebootToken,
  type RecoveryEffect,
  type RecoveryEvent,
  type RecoveryModel,
} from '../../agent/watchdog/recovery.ts';
import { newsOf, wishOf } from '../../agent/watchdog/recovery-glue.ts';
import type { ComponentState } from '../../protocol/events.ts';
import { Copy } from './copy.ts';
import type { Dice } from './dice.ts';
import type { Judges, Machines } from './judges.ts';
import type { Scenario } from './scenario.ts';
import {
  forget,
  hearTruly,
  isSelling,
  newSeat,
  persist,
  remember,
  type Seat,
  takenOver,
  tenderUntil,
} from './seat.ts';
import { newSeenPlan, type SeenPlan, type TillView } from './seen.ts';

type Queued = { readonly seat: Seat; readonly event: ComponentEvent };
/** What answers only after so many moves of the world. */
type Later = { moves: number; readonly happen: () => void };

/** A machine that talks to itself would never end. */
const TURNS_MAX = 500;

export class House {
  readonly roll: Dice;
  readonly scenario: Scenario;
  readonly seats: readonly Seat[];
  readonly till: TillView;
  readonly judges: Judges;
  readonly later: Later[] = [];
  /** Monotonic, of this agent process. */
  now = 1;
  steps = 0;
  isRebooting = false;
  isOver = false;
  #plan: RecoveryModel;
  #order: Order;
  readonly #machines: Machines;
  readonly #queue: Queued[] = [];
  readonly #planQueue: RecoveryEvent[] = [];
  readonly #byName = new Map<string, Seat>();
  readonly #rested = new Set<string>();
  readonly #seenPlan: SeenPlan;
  #isTelling = false;
  reboots: readonly RebootToken[] = [];
  #interrupted: Interrupted | undefined;

  constructor(
    machines: Machines,
    scenario: Scenario,
    roll: Dice,
    judges: (till: TillView) => Judges,
  ) {
    this.roll = roll;
    this.scenario = scenario;
    this.#machines = machines;
    this.till = this.#view();
    this.seats = scenario.policies.map((policy) => newSeat(policy, this.till, roll.below(1e9)));
    for (const seat of this.seats) this.#byName.set(seat.name, seat);
    this.#plan = initialRecovery(scenario.setting, this.now);
    this.#order = this.#newOrder();
    this.#seenPlan = newSeenPlan(this.till, this.#plan);
    this.judges = judges(this.till);
  }

  #view(): TillView {
    const { items, setting } = this.scenario;
    const seatOf = (name: string) => this.#byName.get(name);
    const stateOf = (name: string): ComponentState => seatOf(name)?.model.state ?? 'stopped';
    const sells = (name: string): boolean => {
      const seat = seatOf(name);
      return seat !== undefined && isSelling(seat, this.now);
    };
    return { items, setting, uptimeMs: 1, totalMs: 1, held: false, stateOf, isSelling: sells };
  }

  #newOrder(): Order {
    return new Order({
      plan: this.scenario.items,
      states: () => new Map(this.seats.map(({ name, model }) => [name, model.state])),
      push: (name, event) => this.#wish(name, event),
    });
  }

  #wish(name: string, event: ComponentEvent): void {
    const seat = this.#byName.get(name);
    if (seat !== undefined) this.push(seat, event);
  }

  isMember(name: string): boolean {
    return this.#plan.operation?.members.some((member) => member.name === name) === true;
  }

  push(seat: Seat, event: ComponentEvent): void {
    this.#queue.push({ seat, event });
  }

  /** Each event to its end, and what it caused in turn. */
  drain(): void {
    const queue = this.#queue;
    let done = 0;
    do {
      for (; done < queue.length && done < TURNS_MAX; done += 1) {
        const next = queue[done];
        if (next !== undefined) this.handle(next.seat, next.event);
      }
      this.#order.follow();
    } while (done < queue.length && done < TURNS_MAX);
    queue.length = 0;
  }

  handle(seat: Seat, event: ComponentEvent): void {
    const { policy, seen, model: before } = seat;
    hearTruly(seat.copy, event, before.state, this.now);
    const { model, effects } = this.#machines.step(policy, before, event, this.now);
    this.steps += 1;
    seen.event = event;
    seen.now = this.now;
    seen.before = before;
    seen.after = model;
    seen.effects = effects;
    seen.copies = seat.copy === undefined ? 0 : 1;
    seen.tenderUntil = tenderUntil(seat, this.now);
    seat.model = model;
    if (model.state !== before.state) this.#rest(seat, before.state);
    this.judges.see(seat.name, seen);
    for (const effect of effects) this.#perform(seat, effect);
    const news = newsOf(this.#plan, model, policy.stableMs, effects, this.now);
    // At the very end everything is stopped without asking the plan.
    if (!this.isOver) for (const each of news) this.tell(each);
  }

  /** Ended for good, and so not started by the next agent. */
  #rest(seat: Seat, from: ComponentState): void {
    if (seat.model.state !== 'stopped') this.#rested.delete(seat.name);
    else if (from !== 'stopped' && !this.isMember(seat.name)) this.#rested.add(seat.name);
  }

  #perform(seat: Seat, effect: ComponentEffect): void {
    const { roll } = this;
    switch (effect.kind) {
      case 'spawn':
        seat.copy = new Copy(roll, 'spawning', this.scenario.trouble);
        seat.backAt = undefined;
        return;
      case 'kill':
        if (roll.chance(0.9)) this.exit(seat, 'SIGKILL');
        return;
      case 'abort':
        if (roll.chance(0.6)) this.exit(seat, 'SIGABRT');
        return;
      case 'terminate':
        if (roll.chance(0.7)) this.exit(seat, undefined);
        return;
      case 'collect_evidence':
        if (!roll.chance(0.8)) return;
        this.push(seat, {
          kind: 'evidence',
          summary: effect.phase,
          phase: roll.pick([effect.phase, undefined]),
          topFrame: seat.copy?.topFrame(),
        });
        return;
      case 'heal': {
        const ok = roll.chance(0.5);
        if (ok && seat.copy !== undefined) seat.copy.thread = 'S';
        if (roll.chance(0.8)) this.push(seat, { kind: 'healed', ok, reason: 'tried' });
        return;
      }
      case 'persist':
        persist(seat, this.till, this.now);
        return;
      case 'remember':
        remember(seat, this.till, this.now);
        return;
      default:
        return;
    }
  }

  exit(seat: Seat, signal: string | undefined): void {
    if (seat.copy?.phase !== 'alive') return;
    seat.copy = undefined;
    const code = signal === undefined ? this.roll.pick([0, 0, 1, 1, 75, 125]) : undefined;
    this.push(seat, { kind: 'exited', code, signal });
  }

  /** To the plan, one event at a time: an effect may answer at once. */
  tell(event: RecoveryEvent): void {
    this.#planQueue.push(event);
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let next = this.#planQueue.shift(); next; next = this.#planQueue.shift()) {
      this.#stepPlan(next);
    }
    this.#isTelling = false;
  }

  #stepPlan(event: RecoveryEvent): void {
    const { setting } = this.scenario;
    const before = this.#plan;
    const result = this.#machines.stepRecovery(setting, before, event, this.now);
    this.#plan = result.model;
    this.steps += 1;
    const seen = this.#seenPlan;
    seen.event = event;
    seen.now = this.now;
    seen.before = before;
    seen.after = result.model;
    seen.effects = result.effects;
    this.judges.seePlan(seen);
    for (const effect of result.effects) this.#performPlan(effect);
  }

  #performPlan(effect: RecoveryEffect): void {
    const { roll } = this;
    const wish = wishOf(effect);
    if (wish !== undefined) this.#wish(wish.component, wish.event);
    else if (effect.kind === 'persist') this.#interrupted = effect.interrupted;
    else if (effect.kind === 'remember') this.reboots = effect.reboots;
    else if (effect.kind === 'hook') {
      const { component } = effect;
      const ok = roll.chance(0.6);
      if (roll.chance(0.9))
        this.after(4, () => this.tell({ kind: 'hook', component, ok, reason: 'x' }));
    } else if (effect.kind === 'note_reboot') {
      const ok = roll.chance(0.9);
      if (ok) this.reboots = effect.reboots;
      if (roll.chance(0.95)) this.after(3, () => this.tell({ kind: 'noted', ok, reason: 'x' }));
    } else if (effect.kind === 'reboot') this.isRebooting = roll.chance(0.8);
  }

  after(movesMax: number, happen: () => void): void {
    this.later.push({ moves: this.roll.below(movesMax + 1), happen });
  }

  /** The agent process is another one: what it knew is on disk or gone; the components run on. */
  newAgent(booted: boolean): void {
    const { till, roll, scenario } = this;
    this.#queue.length = 0;
    this.#planQueue.length = 0;
    this.later.length = 0;
    this.isRebooting = false;
    this.now = booted ? 1 : roll.pick([1, this.now, this.now + 1_000]);
    this.judges.newAgent(booted);
    const { reboots } = this;
    // On tmpfs, with the boot's own id.
    if (booted) {
      this.#interrupted = undefined;
      this.#rested.clear();
    }
    const interrupted = this.#interrupted;
    for (const name of interrupted?.members ?? []) this.#rested.delete(name);
    this.#plan = initialRecovery(scenario.setting, this.now, { reboots, interrupted });
    this.#order = this.#newOrder();
    for (const seat of this.seats) {
      const before = seat.model;
      forget(seat, till, this.now, booted, roll.below(1e9));
      // Clients come back within a few seconds; on a till with coarse looks, before the next.
      const backAt = this.now + (scenario.sweepMs > 1_000 ? 0 : roll.below(4_000));
      for (const event of booted ? [] : takenOver(seat, before, backAt)) this.push(seat, event);
      if (till.held) this.push(seat, { kind: 'hold', active: true });
    }
    if (till.held) this.tell({ kind: 'hold', active: true });
    this.drain();
    for (const { name, model } of this.seats) {
      if (model.state === 'stopped' && !this.#rested.has(name)) this.#order.toStart(name);
    }
    this.drain();
  }

  /** Every component for the first time. */
  begin(): void {
    for (const { name } of this.seats) this.#order.toStart(name);
    this.drain();
  }
}
