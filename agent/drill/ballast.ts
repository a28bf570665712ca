// The drill on the till's own disk: a file that takes room, allocated in steps, so far that each level of want up to
// `metrics` comes (low-disk.ts), never below the floor, and never more than BALLAST_BYTES_MAX. What the agent gives
// up at these levels it gives up in earnest. The file goes in every case; the next agent removes that of one
// that was killed.

import { join } from 'node:path';
import type { DrillReport } from '../../protocol/drill.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { DiskLimits, DiskReading } from '../low-disk.ts';
import { limitsFor } from '../low-disk.ts';
import { type Drill, type DrillHands, Patience } from './hands.ts';
import { beginFault, NEW_STORY, note, type Story } from './story.ts';
import { expectations, verdictOf } from './verdict.ts';

/** Where more would have to be filled, it is no drill but an outage of whatever else is on that disk. */
export const BALLAST_BYTES_MAX = 8 * 1024 ** 3;
const BALLAST_FILE = 'drill.ballast';
const MEBIBYTE = 1024 * 1024;
const LEVEL_MS_MAX = 15_000;
const LOOK_MS = 500;
/** What is better counts only after 30 s of calm (low-disk.ts). */
const NORMAL_MS_MAX = 120_000;

const LEVELS = ['journal', 'evidence', 'metrics'] as const;
/** How much of the band between floor and low is free in the middle of each level. */
const MIDDLE = { journal: 5 / 8, evidence: 3 / 8, metrics: 1 / 8 } as const;

export const ballastPath = (dataDir: string): string => join(dataDir, BALLAST_FILE);

/** How large the file must be at each level, from how much is free without it. */
export function ballastPlan(
  reading: DiskReading,
  configured: DiskLimits,
): Result<{ readonly floorBytes: number; readonly free: Readonly<Record<string, number>> }> {
  const { freeBytes, totalBytes, readOnly } = reading;
  const { lowBytes, floorBytes } = limitsFor(configured, totalBytes);
  const size = (bytes: number): string => `${Math.round(bytes / MEBIBYTE)} MiB`;
  if (readOnly) return fail('the disk is read-only');
  if (freeBytes < lowBytes) {
    return fail(`the disk has ${size(freeBytes)} free, which is little already: it needs no drill`);
  }
  const band = lowBytes - floorBytes;
  const free = Object.fromEntries(
    LEVELS.map((level) => [level, floorBytes + band * MIDDLE[level]]),
  );
  const bytes = freeBytes - (free['metrics'] ?? 0);
  if (bytes > BALLAST_BYTES_MAX) {
    const max = size(BALLAST_BYTES_MAX);
    return fail(
      `the disk is too large: ${size(bytes)} would have to be filled, at most ${max} are`,
    );
  }
  return ok({ floorBytes, free });
}

export class DiskDrill implements Drill {
  readonly #id: string;
  readonly #hands: DrillHands;
  readonly #path: string;
  readonly #patience: Patience;
  readonly #numbers: Record<string, number> = {};
  #story: Story = NEW_STORY;
  #state: DrillReport['state'] = 'running';
  #verdict = 'it is under way';

  constructor(id: string, hands: DrillHands) {
    this.#id = id;
    this.#hands = hands;
    this.#path = ballastPath(hands.config.dataDir);
    this.#patience = new Patience(hands.ports);
  }

  get #now(): number {
    return this.#hands.ports.clock.monotonicMs();
  }

  end(reason: string): void {
    this.#patience.ended ??= reason;
  }

  async run(): Promise<DrillReport> {
    let trouble: string | undefined;
    try {
      trouble = await this.#fill();
    } finally {
      await this.#hands.files.remove(this.#path);
    }
    if (trouble === undefined) trouble = await this.#untilNormal();
    const numbers = this.#numbers;
    const facts = { passive: undefined, left: [], isSame: true, numbers };
    const expected = expectations('disk-full', this.#story, facts);
    const reason = this.#patience.ended ?? trouble;
    const { state, verdict } = verdictOf('disk-full', this.#story, expected, reason);
    this.#state = state;
    this.#verdict = verdict;
    return { ...this.report(), expectations: expected };
  }

  async #fill(): Promise<string | undefined> {
    const { config, readSpace } = this.#hands;
    const reading = await readSpace(config.dataDir);
    if (reading === undefined) return 'the disk does not say how much is free';
    const plan = ballastPlan(reading, config.disk);
    if (!plan.ok) return plan.reason;
    const { floorBytes, free } = plan.value;
    this.#numbers['floorBytes'] = Math.round(floorBytes);
    this.#numbers['freeBytesMin'] = reading.freeBytes;
    this.#story = beginFault(this.#story, 'the disk begins to fill', this.#now);
    let ballast = 0;
    for (const level of LEVELS) {
      const trouble = await this.#step(level, free[level] ?? floorBytes, ballast);
      if (trouble !== undefined) return trouble;
      ballast = this.#numbers['ballastBytes'] ?? ballast;
    }
    return undefined;
  }

  /** @param ballast its size so far. */
  async #step(
    level: (typeof LEVELS)[number],
    freeWanted: number,
    ballast: number,
  ): Promise<string | undefined> {
    const { puncher, readSpace, config, disk } = this.#hands;
    const before = await readSpace(config.dataDir);
    if (before === undefined) return 'the disk does not say how much is free';
    const bytes = Math.floor(ballast + before.freeBytes - freeWanted);
    if (bytes > BALLAST_BYTES_MAX) return 'the disk was emptied meanwhile: it would take too much';
    if (bytes > ballast) {
      const made = await puncher.allocate(this.#path, bytes);
      if (made.kind !== 'done') return `the disk could not be filled: ${made.reason}`;
      this.#numbers['ballastBytes'] = bytes;
    }
    const after = await readSpace(config.dataDir);
    const freeBytes = after?.freeBytes ?? before.freeBytes;
    this.#numbers['freeBytesMin'] = Math.min(this.#numbers['freeBytesMin'] ?? freeBytes, freeBytes);
    const text = `${Math.round(freeBytes / MEBIBYTE)} MiB are free`;
    this.#story = note(this.#story, text, this.#now);
    const isThere = (): boolean => disk.level() === level;
    void disk.look();
    if (!(await this.#patience.until(LEVEL_MS_MAX, isThere))) {
      return `the level ${level} did not come; it is ${disk.level()}`;
    }
    this.#numbers[level] = this.#since();
    this.#story = note(this.#story, `level ${level}: ${GIVEN_UP[level]}`, this.#now);
    return undefined;
  }

  #since(): number {
    return Math.round(this.#now - (this.#story.faultAt ?? this.#now));
  }

  async #untilNormal(): Promise<string | undefined> {
    const { disk } = this.#hands;
    this.#story = note(this.#story, 'the ballast is removed', this.#now);
    const isNormal = (): boolean => disk.level() === 'normal';
    if (!(await this.#patience.until(NORMAL_MS_MAX, isNormal, LOOK_MS))) {
      return 'the disk was not taken for normal again';
    }
    this.#numbers['normal'] = 1;
    this.#story = note(this.#story, 'level normal: everything is kept again', this.#now);
    return undefined;
  }

  report(): DrillReport {
    const { phases, steps } = this.#story;
    const { normal: _own, ...numbers } = this.#numbers;
    return {
      ...{ drill: this.#id, fault: 'disk-full', component: '', state: this.#state },
      ...{ verdict: this.#verdict, steps: [...steps], phases, numbers, expectations: [] },
      leftBehind: { processes: [], held: [] },
    };
  }
}

const GIVEN_UP = {
  journal: 'less output of components is kept',
  evidence: 'less evidence is kept',
  metrics: 'waiting metrics are given up',
} as const;
