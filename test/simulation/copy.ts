// One running copy of a component as it truly is: what its main thread does, which sales and tenders are open
// in it, how it takes signals. It lives from its spawn to its exit, whatever the machines believe; what it says
// of itself goes out as events, truly or, when it lies, not.

import type { ComponentEvent, Policy } from '../../agent/watchdog/model.ts';
import type { Dice } from './dice.ts';

const THREADS = ['S', 'S', 'S', 'S', 'still', 'R', 'starved', 'T', 'D', 't', 'Z'] as const;
type Thread = (typeof THREADS)[number];
const FRAMES = ['poll', 'pay', 'print'] as const;

/** A tender as it was told: its whole time, and when that is over. */
export type Tender = { readonly deadlineMs: number; readonly until: number };

export class Copy {
  phase: 'spawning' | 'alive';
  thread: Thread = 'S';
  isLying = false;
  isLeaking = false;
  isStalled = false;
  /** Whether it will ever say that it is ready. */
  readonly isLame: boolean;
  /** Told as busy to this agent or the one before it; until when, by its own ceiling. */
  readonly sales = new Map<string, number>();
  /** Told to this agent since it last connected. */
  readonly tenders = new Map<string, Tender>();
  readonly #roll: Dice;
  #cpuMs = 0;
  #switches = 10;
  #runDelayMs = 0;
  #residentBytes = 10;
  #completed = 0;

  constructor(roll: Dice, phase: Copy['phase'], trouble: number) {
    this.#roll = roll;
    this.phase = phase;
    this.isLame = roll.chance(0.08 * trouble);
  }

  get isWell(): boolean {
    return this.thread === 'S';
  }

  /** What it says between two looks. */
  speak(policy: Policy, isStarting: boolean, trouble: number, scale: number): ComponentEvent[] {
    const roll = this.#roll;
    const said: ComponentEvent[] = [];
    if (roll.chance(0.03 * trouble)) this.thread = roll.pick(THREADS);
    if (roll.chance(0.01 * trouble)) this.isLying = !this.isLying;
    if (roll.chance(0.005 * trouble)) this.isLeaking = true;
    if (roll.chance(0.005 * trouble)) this.isStalled = !this.isStalled;
    if (!policy.instrumented) return said;
    if (isStarting && this.isWell && !this.isLame && roll.chance(0.4)) said.push({ kind: 'ready' });
    if ((this.isWell || this.isLying) && roll.chance(0.5)) {
      said.push({ kind: 'beat', loopDelayMsMax: 10 });
    }
    if (this.isWell && !isStarting && roll.chance(0.05)) this.#sell(said, scale);
    return said;
  }

  #sell(said: ComponentEvent[], scale: number): void {
    const roll = this.#roll;
    const id = `sale-${roll.below(2)}`;
    const tender = `tender-${roll.below(2)}`;
    if (!this.sales.has(id)) {
      const ceilingMs = roll.pick([2_000, 10_000, 120_000]) * scale;
      said.push({ kind: 'busy', id, reason: 'a sale is open', ceilingMs });
    } else if (roll.chance(0.5)) said.push({ kind: 'idle', id });
    if (roll.chance(0.5)) said.push({ kind: 'end', id: tender });
    else {
      const name = roll.pick(['tender', 'tender:card']);
      const deadlineMs = roll.pick([1_000, 4_000, 30_000]) * scale;
      said.push({ kind: 'begin', id: tender, name, deadlineMs });
    }
  }

  /** The agent is a new one, or the connection is: all that lasts is said again. */
  sayAgain(now: number): ComponentEvent[] {
    const said: ComponentEvent[] = [{ kind: 'connected' }];
    for (const [id, until] of this.sales) {
      if (until > now)
        said.push({ kind: 'busy', id, reason: 'still open', ceilingMs: until - now });
    }
    for (const [id, { deadlineMs, until }] of this.tenders) {
      const leftMs = Math.max(0, until - now);
      said.push({ kind: 'begin', id, name: 'tender', deadlineMs, leftMs });
    }
    return said;
  }

  /** Its counters go on whether anybody looks or not. */
  passed(ms: number): void {
    if (this.thread === 'S') this.#switches += 1 + this.#roll.below(4);
    if (this.thread === 'R') this.#cpuMs += ms;
    if (this.thread === 'starved') this.#runDelayMs += ms;
  }

  sample(): ComponentEvent {
    const { thread } = this;
    const state = thread === 'still' ? 'S' : thread === 'starved' ? 'R' : thread;
    const sample = {
      state,
      cpuMs: this.#cpuMs,
      voluntarySwitches: this.#switches,
      runDelayMs: this.#runDelayMs,
    };
    return { kind: 'sample', sample };
  }

  usage(): ComponentEvent {
    this.#residentBytes += this.isLeaking ? 30 : 0;
    const residentBytes = this.#residentBytes;
    const descriptors = this.isLeaking ? residentBytes : 5;
    return {
      kind: 'usage',
      residentBytes,
      descriptors,
      descriptorsMax: this.#roll.pick([undefined, 64]),
      cpuSeconds: this.#cpuMs / 1_000,
    };
  }

  progress(): ComponentEvent {
    if (!this.isStalled) this.#completed += 1;
    const remoteDown = this.#roll.chance(0.05);
    return {
      kind: 'progress',
      waiting: this.#roll.below(3),
      completed: this.#completed,
      remoteDown,
    };
  }

  topFrame(): string | undefined {
    if (this.#roll.chance(0.3)) return undefined;
    return this.isWell ? this.#roll.pick(FRAMES) : 'stuck';
  }
}
