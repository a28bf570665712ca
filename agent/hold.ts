// A technician at the till holds it, or a maintenance that was declared at the centre does: for so long the watchdog
// decides, explains and counts, and does not act. The two are kept apart, each in a file of its own: the end of a maintenance
// is not the end of what somebody is doing with their hands, and the other way round. Each ends by itself, because a
// hold that somebody forgot is a till that nobody heals. Its end is kept in time since boot, which also counts
// sleep, on tmpfs: the next agent goes on with what is left, a reboot ends it (the centre declares its maintenance
// again), and no jump of the wall clock makes it longer.

import * as v from 'valibot';
import { fail, ok, type Result } from '../protocol/result.ts';
import type { BootClock, Files, Log } from './ports.ts';

export const HOLD_MS_MIN = 1_000;
export const HOLD_MS_MAX = 24 * 3_600_000;
export const HOLD_TEXT_CHARS_MAX = 200;
/** The same maintenance told again, as after each reconnect, changes nothing within so much. */
const SAME_END_MS = 5_000;

const schema = v.object({
  bootId: v.string(),
  /** Since boot. */
  fromBootMs: v.pipe(v.number(), v.finite()),
  untilBootMs: v.pipe(v.number(), v.finite()),
  reason: v.string(),
  by: v.string(),
  /** The maintenance that it is a part of; absent: somebody's own. */
  maintenance: v.optional(v.string()),
});
type Kept = v.InferOutput<typeof schema>;

export type HoldView = {
  readonly reason: string;
  readonly by: string;
  readonly leftMs: number;
  /** Wall clock, for people. */
  readonly untilMs: number;
  readonly maintenance?: string;
};

export type HoldOptions = {
  /** Of an own hold; that of a maintenance lies beside it. */
  readonly path: string;
  readonly clock: BootClock;
  readonly files: Files;
  readonly log: Log;
  /** It began (again, with another end), or is over; of two, what still holds it is told. */
  readonly changed: (active: boolean, view: HoldView) => void;
};

const text = (name: string, value: unknown, otherwise: string): Result<string> => {
  if (value === undefined) return ok(otherwise);
  if (typeof value !== 'string') return fail(`${name} must be text`);
  // It stands in events and on screens: one line.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return ok(value.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, HOLD_TEXT_CHARS_MAX));
};

/** One of the two: what is held, in memory and in its file. */
class Slot {
  readonly #options: HoldOptions;
  readonly #path: string;
  #kept: Kept | undefined;

  constructor(options: HoldOptions, path: string) {
    this.#options = options;
    this.#path = path;
    const { files, clock, log } = options;
    const read = parse(files.read(path, 8 * 1024));
    if (read === 'damaged') log.warn(`${path} cannot be read: the till is not held`, { path });
    else if (read !== undefined && read.bootId === clock.bootId()) {
      this.#kept = bounded(read, clock.bootMs());
    }
  }

  get kept(): Kept | undefined {
    return this.#kept;
  }

  leftMs(): number {
    const { untilBootMs = 0 } = this.#kept ?? {};
    return this.#kept === undefined ? 0 : untilBootMs - this.#options.clock.bootMs();
  }

  keep(kept: Kept): void {
    const { files, log } = this.#options;
    const written = files.replace(this.#path, JSON.stringify(kept), 0o600);
    if (!written.ok) log.error(`the hold does not outlive this agent: ${written.reason}`);
    this.#kept = kept;
  }

  forget(): void {
    this.#kept = undefined;
    this.#options.files.remove(this.#path);
  }
}

export type HoldWish = {
  readonly forMs?: unknown;
  readonly reason?: unknown;
  readonly by?: unknown;
  readonly maintenance?: string | undefined;
};

export class Hold {
  readonly #options: HoldOptions;
  readonly #own: Slot;
  readonly #maintenance: Slot;

  constructor(options: HoldOptions) {
    this.#options = options;
    this.#own = new Slot(options, options.path);
    this.#maintenance = new Slot(options, `${options.path}.maintenance`);
  }

  active(): boolean {
    return this.#own.leftMs() > 0 || this.#maintenance.leftMs() > 0;
  }

  /** Of two, the one that lasts longer: until then nothing is acted on. */
  view(): HoldView | undefined {
    const [own, other] = [this.#own, this.#maintenance];
    const longer = other.leftMs() > own.leftMs() ? other : own;
    return longer.kept === undefined || longer.leftMs() <= 0
      ? undefined
      : this.#viewOf(longer.kept);
  }

  #viewOf(kept: Kept): HoldView {
    const { clock } = this.#options;
    const leftMs = Math.max(0, Math.round(kept.untilBootMs - clock.bootMs()));
    const { reason, by, maintenance } = kept;
    const part = maintenance === undefined ? {} : { maintenance };
    return { reason, by, leftMs, untilMs: Math.round(clock.wallMs() + leftMs), ...part };
  }

  /** The fields as they were asked for, unchecked. A hold on top of one of its kind replaces it. */
  begin(asked: HoldWish): Result<HoldView> {
    const { forMs, maintenance } = asked;
    if (typeof forMs !== 'number' || !(forMs >= HOLD_MS_MIN && forMs <= HOLD_MS_MAX)) {
      return fail('a hold takes from 1 second to 24 hours');
    }
    const reason = text('the reason', asked.reason, 'no reason was given');
    if (!reason.ok) return reason;
    const by = text('who holds it', asked.by, 'somebody at the till');
    if (!by.ok) return by;
    const { clock, changed } = this.#options;
    const fromBootMs = clock.bootMs();
    const kept: Kept = {
      ...{ bootId: clock.bootId(), fromBootMs, untilBootMs: fromBootMs + forMs },
      ...{ reason: reason.value, by: by.value },
      ...(maintenance === undefined ? {} : { maintenance }),
    };
    const slot = maintenance === undefined ? this.#own : this.#maintenance;
    const isTold = slot.leftMs() > 0 && isSame(slot.kept, kept);
    slot.keep(kept);
    const view = this.#viewOf(kept);
    if (!isTold) changed(true, this.view() ?? view);
    return ok(view);
  }

  /** @param maintenance ends the hold of this one only; undefined: an own hold. @returns whether there was one. */
  release(by: string, maintenance?: string): boolean {
    const slot = maintenance === undefined ? this.#own : this.#maintenance;
    const { kept } = slot;
    if (kept === undefined || kept.maintenance !== maintenance) return false;
    this.#forget(slot, { ...kept, reason: 'it was released', by });
    return true;
  }

  /** The maintenance that holds the till, also while somebody's own hold does. */
  maintenance(): HoldView | undefined {
    const { kept } = this.#maintenance;
    return kept !== undefined && this.#maintenance.leftMs() > 0 ? this.#viewOf(kept) : undefined;
  }

  /** To be called again and again: sees its end. */
  look(): void {
    for (const slot of [this.#own, this.#maintenance]) {
      const { kept } = slot;
      if (kept === undefined || slot.leftMs() > 0) continue;
      this.#forget(slot, { ...kept, reason: 'its time is over', by: 'itself' });
    }
  }

  #forget(slot: Slot, last: Kept): void {
    slot.forget();
    const still = this.view();
    if (still !== undefined) this.#options.changed(true, still);
    else this.#options.changed(false, { ...this.#viewOf(last), leftMs: 0 });
  }
}

/** Why a release has not let it go. */
export const stillHeld = ({ maintenance, by, reason }: HoldView): string =>
  maintenance === undefined
    ? `${by} holds it still: ${reason}`
    : `a maintenance goes on, and the centre ends it: ${reason}`;

/** Told once already. */
const isSame = (before: Kept | undefined, now: Kept): boolean =>
  before?.maintenance !== undefined &&
  before.maintenance === now.maintenance &&
  before.reason === now.reason &&
  Math.abs(before.untilBootMs - now.untilBootMs) <= SAME_END_MS;

function parse(written: string | undefined): Kept | 'damaged' | undefined {
  if (written === undefined) return undefined;
  try {
    const read = v.safeParse(schema, JSON.parse(written));
    return read.success ? read.output : 'damaged';
  } catch {
    return 'damaged';
  }
}

/** Whoever wrote into the file by hand gets no hold without an end. */
const bounded = (kept: Kept, nowMs: number): Kept => {
  // What seems to begin in the future began now at the latest.
  const fromBootMs = Math.min(kept.fromBootMs, nowMs);
  return { ...kept, fromBootMs, untilBootMs: Math.min(kept.untilBootMs, fromBootMs + HOLD_MS_MAX) };
};
