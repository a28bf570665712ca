// A till in which everything goes wrong, by seed: components that hang, lie, crash and recover, sales that are
// open, people who ask at the wrong moment, agents that die, machines that sleep and reboot, disks and hooks that
// fail. The same seed is the same run; a run that breaks a rule can be repeated with its tale.

import { step } from '../../agent/watchdog/machine.ts';
import { stepRecovery } from '../../agent/watchdog/recovery.ts';
import type { Copy } from './copy.ts';
import { type Dice, dice } from './dice.ts';
import { House } from './house.ts';
import { type Broken, Judges, type Machines } from './judges.ts';
import { scenarioOf } from './scenario.ts';
import type { Seat } from './seat.ts';
import { surprise } from './surprises.ts';

export const MACHINES: Machines = { step, stepRecovery };
export type { Broken, Machines };

export type RunOptions = {
  readonly seed: number;
  readonly steps: number;
  readonly machines?: Machines;
  readonly tells?: boolean;
  readonly muted?: ReadonlySet<string>;
  /** A till on which everything fails often. */
  readonly harsh?: boolean;
};
export type Outcome = {
  readonly broken: Broken | undefined;
  readonly steps: number;
  readonly tale: readonly string[];
  readonly counts: ReadonlyMap<string, number>;
};

const NOTHING_MUTED: ReadonlySet<string> = new Set();
const DAY_MS = 86_400_000;

export function simulate(options: RunOptions): Outcome {
  const roll = dice(options.seed);
  const scenario = scenarioOf(roll, options.harsh);
  const judges = (till: House['till']) => new Judges(scenario, till, options.tells === true);
  const house = new House(options.machines ?? MACHINES, scenario, roll, judges);
  const world = new World(house, options.muted ?? NOTHING_MUTED);
  house.begin();
  while (house.steps < options.steps && house.judges.broken === undefined) world.move();
  if (house.judges.broken === undefined) world.finish();
  const { broken, tale, counts } = house.judges;
  return { broken, steps: house.steps, tale: tale ?? [], counts };
}

class World {
  readonly #house: House;
  readonly #roll: Dice;
  readonly #muted: ReadonlySet<string>;
  readonly #scale: number;
  #moves = 0;
  #asked = 0;
  #pressure = 0;

  constructor(house: House, muted: ReadonlySet<string>) {
    this.#house = house;
    this.#roll = house.roll;
    this.#muted = muted;
    this.#scale = house.scenario.sweepMs / 250;
  }

  move(): void {
    const house = this.#house;
    this.#moves += 1;
    this.#fate();
    for (const later of house.later.splice(0)) {
      if (later.moves <= 0) later.happen();
      else house.later.push({ ...later, moves: later.moves - 1 });
    }
    for (const seat of house.seats) this.#live(seat);
    house.drain();
    this.#pass();
    for (const seat of house.seats) this.#look(seat);
    for (const seat of house.seats) house.push(seat, { kind: 'tick' });
    house.drain();
    const { uptimeMs, totalMs } = house.till;
    house.tell({ kind: 'tick', uptimeMs, totalMs });
    house.drain();
  }

  /** What befalls the whole till. */
  #fate(): void {
    const house = this.#house;
    const { trouble } = house.scenario;
    const draw = this.#roll.next() / trouble;
    if (house.isRebooting ? draw < 0.1 : draw < 0.0002) this.#boot();
    else if (draw < 0.001) house.newAgent(false);
    else if (draw < 0.002) this.#sleep();
    else if (draw < (house.till.held ? 0.01 : 0.003)) this.#hold(!house.till.held);
  }

  #boot(): void {
    const { till } = this.#house;
    till.uptimeMs = 1_000;
    till.totalMs += 1_000;
    till.held = false;
    this.#house.newAgent(true);
  }

  #hold(active: boolean): void {
    const house = this.#house;
    house.till.held = active;
    house.judges.say(active ? 'held' : 'let go');
    house.tell({ kind: 'hold', active });
    for (const seat of house.seats) house.push(seat, { kind: 'hold', active });
  }

  /** The machine sleeps: uptime goes on, monotonic time does not. */
  #sleep(): void {
    const house = this.#house;
    const ms = this.#roll.below(DAY_MS / 2);
    house.till.uptimeMs += ms;
    house.till.totalMs += ms;
    house.judges.say('slept');
    this.#away(0);
  }

  #away(gapMs: number): void {
    const house = this.#house;
    house.tell({ kind: 'paused', gapMs });
    for (const seat of house.seats) house.handle(seat, { kind: 'paused', gapMs });
  }

  #pass(): void {
    const roll = this.#roll;
    const house = this.#house;
    const { sweepMs } = house.scenario;
    const isLong = roll.chance(0.01);
    const ms = isLong ? roll.below(80 * sweepMs) : roll.chance(0.8) ? sweepMs : roll.below(sweepMs);
    house.now += ms;
    house.till.uptimeMs += ms;
    house.till.totalMs += ms;
    // Not every long look was a pause; but one that is not told just after a start would be a lie.
    const isNew = house.seats.some(({ backAt }) => backAt !== undefined);
    if (ms > 2 * sweepMs && (isNew || roll.chance(0.8))) this.#away(ms - sweepMs);
    for (const { copy } of house.seats) if (copy?.phase === 'alive') copy.passed(ms);
  }

  /** What a process and its starter do by themselves, and what befalls it. */
  #live(seat: Seat): void {
    const house = this.#house;
    const roll = this.#roll;
    const { trouble } = house.scenario;
    const { copy, model } = seat;
    if (copy?.phase === 'spawning') this.#beBorn(seat, copy);
    else if (copy !== undefined) {
      if (seat.backAt !== undefined && house.now < seat.backAt) return;
      if (seat.backAt !== undefined) {
        seat.backAt = undefined;
        for (const said of copy.sayAgain(house.now)) house.push(seat, said);
      }
      const said = copy.speak(seat.policy, model.state === 'starting', trouble, this.#scale);
      for (const each of said) house.push(seat, each);
      if (roll.chance(0.004 * trouble)) house.exit(seat, roll.pick([undefined, 'SIGSEGV']));
    } else if (model.state === 'stopped' && roll.chance(0.1) && !house.isMember(seat.name)) {
      house.push(seat, { kind: 'start', reason: 'wanted' });
    }
    if (!roll.chance(0.02 * trouble)) return;
    this.#asked += 1;
    const event = surprise(roll, this.#asked, this.#muted);
    if (event !== undefined) house.push(seat, event);
    // A new connection is honest: whatever lasts is said again.
    if (copy?.phase === 'alive' && roll.chance(0.03)) seat.backAt = house.now;
  }

  #beBorn(seat: Seat, copy: Copy): void {
    const house = this.#house;
    const draw = this.#roll.next();
    if (draw < 0.03 * house.scenario.trouble) {
      seat.copy = undefined;
      house.push(seat, { kind: 'spawn_failed', reason: 'no such file' });
    } else if (draw < 0.8) {
      copy.phase = 'alive';
      seat.lives += 1;
      house.push(seat, { kind: 'spawned', instance: `life-${seat.lives}`, pid: seat.lives });
    }
  }

  /** What the agent sees when it looks. */
  #look(seat: Seat): void {
    const house = this.#house;
    const { copy, policy, name } = seat;
    if (copy?.phase !== 'alive') return;
    house.push(seat, copy.sample());
    if (policy.hasProbes && this.#roll.chance(0.25)) {
      const ok = copy.isWell ? !this.#roll.chance(0.02) : this.#roll.chance(0.1);
      house.push(seat, { kind: 'probe', probe: name, ok, reason: ok ? 'good' : 'no answer' });
    }
    if (this.#moves % 4 !== 0) return;
    if (this.#roll.chance(0.01)) this.#pressure = this.#roll.pick([0, 20, 79, 80, 95]);
    house.push(seat, { kind: 'pressure', cpuSome: this.#pressure });
    house.push(seat, copy.usage());
    house.push(seat, copy.progress());
  }

  /** Everything ends. A life that came and went unseen would be the world's fault, not the machine's. */
  finish(): void {
    const house = this.#house;
    house.isOver = true;
    for (const seat of house.seats) {
      for (
        let turns = 0;
        turns < 50 && (seat.model.state !== 'stopped' || turns === 0);
        turns += 1
      ) {
        if (seat.model.process === 'spawning' && seat.copy?.phase === 'spawning') {
          seat.copy.phase = 'alive';
          house.handle(seat, { kind: 'spawned', instance: 'last', pid: 1 });
        }
        house.handle(seat, { kind: 'stop', reason: 'the end' });
        if (seat.model.process !== 'alive') continue;
        seat.copy = undefined;
        house.handle(seat, { kind: 'exited', code: 0, signal: undefined });
      }
    }
    house.judges.end();
  }
}
