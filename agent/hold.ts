// A technician at the till holds it: for so long the watchdog decides, explains and counts, and does not act. It
// ends by itself, because a hold that somebody forgot is a till that nobody heals. Its end is kept in time
// since boot, which also counts sleep, in a file on tmpfs: the next agent goes on with what is left, a
// reboot ends it, and no jump of the wall clock makes it longer.

import * as v from 'valibot';
import { fail, ok, type Result } from '../protocol/result.ts';
import type { BootClock, Files, Log } from './ports.ts';

export const HOLD_MS_MIN = 1_000;
export const HOLD_MS_MAX = 24 * 3_600_000;
export const HOLD_TEXT_CHARS_MAX = 200;

const schema = v.object({
  bootId: v.string(),
  /** Since boot. */
  fromBootMs: v.pipe(v.number(), v.finite()),
  untilBootMs: v.pipe(v.number(), v.finite()),
  reason: v.string(),
  by: v.string(),
});
type Kept = v.InferOutput<typeof schema>;

export type HoldView = {
  readonly reason: string;
  readonly by: string;
  readonly leftMs: number;
  /** Wall clock, for people. */
  readonly untilMs: number;
};

export type HoldOptions = {
  readonly path: string;
  readonly clock: BootClock;
  readonly files: Files;
  readonly log: Log;
  /** It began (again, with another end), or is over. */
  readonly changed: (active: boolean, view: HoldView) => void;
};

const text = (name: string, value: unknown, otherwise: string): Result<string> => {
  if (value === undefined) return ok(otherwise);
  if (typeof value !== 'string') return fail(`${name} must be text`);
  // It stands in events and on screens: one line.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return ok(value.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, HOLD_TEXT_CHARS_MAX));
};

export class Hold {
  readonly #options: HoldOptions;
  #kept: Kept | undefined;

  constructor(options: HoldOptions) {
    this.#options = options;
    const { path, files, clock, log } = options;
    const read = parse(files.read(path, 8 * 1024));
    if (read === 'damaged') log.warn(`${path} cannot be read: the till is not held`, { path });
    else if (read !== undefined && read.bootId === clock.bootId()) {
      this.#kept = bounded(read, clock.bootMs());
    }
  }

  active(): boolean {
    return this.#kept !== undefined && this.#leftMs(this.#kept) > 0;
  }

  view(): HoldView | undefined {
    return this.#kept !== undefined && this.active() ? this.#viewOf(this.#kept) : undefined;
  }

  #leftMs({ untilBootMs }: Kept): number {
    return untilBootMs - this.#options.clock.bootMs();
  }

  #viewOf(kept: Kept): HoldView {
    const leftMs = Math.max(0, Math.round(this.#leftMs(kept)));
    const { reason, by } = kept;
    return { reason, by, leftMs, untilMs: Math.round(this.#options.clock.wallMs() + leftMs) };
  }

  /** The fields as they were asked for, unchecked. A hold on top of one replaces it. */
  begin(asked: {
    readonly forMs?: unknown;
    readonly reason?: unknown;
    readonly by?: unknown;
  }): Result<HoldView> {
    const { forMs } = asked;
    if (typeof forMs !== 'number' || !(forMs >= HOLD_MS_MIN && forMs <= HOLD_MS_MAX)) {
      return fail('a hold takes from 1 second to 24 hours');
    }
    const reason = text('the reason', asked.reason, 'no reason was given');
    if (!reason.ok) return reason;
    const by = text('who holds it', asked.by, 'somebody at the till');
    if (!by.ok) return by;
    const { clock, path, files, log, changed } = this.#options;
    const fromBootMs = clock.bootMs();
    const kept = {
      bootId: clock.bootId(),
      fromBootMs,
      untilBootMs: fromBootMs + forMs,
      reason: reason.value,
      by: by.value,
    };
    const written = files.replace(path, JSON.stringify(kept), 0o600);
    if (!written.ok) log.error(`the hold does not outlive this agent: ${written.reason}`);
    this.#kept = kept;
    const view = this.#viewOf(kept);
    changed(true, view);
    return ok(view);
  }

  /** @returns whether there was one. */
  release(by: string): boolean {
    const kept = this.#kept;
    if (kept === undefined) return false;
    this.#forget({ ...kept, reason: 'it was released', by });
    return true;
  }

  /** To be called again and again: sees its end. */
  look(): void {
    const kept = this.#kept;
    if (kept === undefined || this.#leftMs(kept) > 0) return;
    this.#forget({ ...kept, reason: 'its time is over', by: 'itself' });
  }

  #forget(last: Kept): void {
    this.#kept = undefined;
    this.#options.files.remove(this.#options.path);
    this.#options.changed(false, { ...this.#viewOf(last), leftMs: 0 });
  }
}

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
