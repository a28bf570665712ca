// Log levels that an operator changed for a while: of a component, told over the channel, or of the agent itself. Kept in
// the boot's folder with their end in time since boot, so that the next agent puts back what this one did not live to,
// a component that is started anew meanwhile is told again, and a reboot ends them all.

import * as v from 'valibot';
import { LOG_LEVELS, type LogLevel } from '../../protocol/catalogue.ts';
import { AGENT_LOG } from '../../protocol/commands.ts';
import type { ToComponent } from '../channel/messages.ts';
import type { BootClock, Files, Log } from '../ports.ts';
import type { Answered, Asks } from './asks.ts';

const FILE_BYTES_MAX = 64 * 1024;
const DAY_MS = 24 * 3_600_000;

const wish = {
  level: v.picklist(LOG_LEVELS),
  untilBootMs: v.pipe(v.number(), v.finite()),
  /** A live tail's, and over when that is. */
  by: v.optional(v.string()),
};
const schema = v.object({
  bootId: v.string(),
  levels: v.record(
    v.string(),
    /** `under`: what holds again when a tail lets go. */
    v.object({ ...wish, under: v.optional(v.object(wish)) }),
  ),
});
type Kept = v.InferOutput<typeof schema>['levels'];
type Wish = Kept[string];

export type LevelsOptions = {
  readonly path: string;
  readonly clock: BootClock;
  readonly files: Pick<Files, 'read' | 'replace' | 'remove'>;
  readonly log: Log;
  /** The agent's own log, and not that of a component which is called the same. */
  readonly isOwn: (component: string) => boolean;
  /** Undefined: as it was. */
  readonly setOwn: (level: LogLevel | undefined) => void;
  readonly asks: Pick<Asks, 'ask'>;
  readonly send: (component: string, message: ToComponent) => boolean;
};

export class Levels {
  readonly #options: LevelsOptions;
  #kept: Kept;
  /** Raised for a tail that ended with an earlier agent; they are told when they are there again. */
  readonly #orphans = new Set<string>();

  constructor(options: LevelsOptions) {
    this.#options = options;
    this.#kept = this.#withoutTails(read(options));
    const own = this.#kept[AGENT_LOG];
    if (own !== undefined && options.isOwn(AGENT_LOG)) options.setOwn(own.level);
  }

  /** @param by whose lease it is: `lower` ends it. */
  async set(component: string, level: LogLevel, forMs: number, by?: string): Promise<Answered> {
    const { clock, setOwn, asks, log, isOwn } = this.#options;
    if (isOwn(component)) setOwn(level);
    else {
      const untilMs = Math.round(clock.wallMs() + forMs);
      const order = (id: string): ToComponent => ({ kind: 'level', id, level, untilMs });
      const answered = await asks.ask(component, order);
      if (!answered.ok) return answered;
    }
    const own: Wish = { level, untilBootMs: clock.bootMs() + forMs };
    const before = Object.hasOwn(this.#kept, component) ? this.#kept[component] : undefined;
    const { under: deeper, ...upper } = before ?? own;
    // Of two tails the second goes back to what somebody set, not to what the first raised.
    const under = upper.by !== undefined && deeper !== undefined ? deeper : upper;
    const kept = by === undefined ? own : { ...own, by, ...(before && { under }) };
    this.#kept = { ...this.#kept, [component]: kept };
    const written = this.#write();
    if (!written) log.warn('the log level does not outlive this agent', { component });
    return { ok: true, reason: '' };
  }

  /** Puts back what was raised for it, wherever somebody else has not changed it since. */
  lower(by: string): void {
    const mine = Object.entries(this.#kept).filter(([, one]) => one.by === by);
    for (const [component, { under }] of mine) this.#putBack(component, under);
    const left = Object.entries(this.#kept).map(([component, one]) => {
      const { under, ...rest } = one;
      return [component, under?.by === by ? rest : one];
    });
    this.#kept = Object.fromEntries(left);
    if (mine.length > 0) this.#write();
  }

  /** To what holds without it, if that still holds. */
  #putBack(component: string, under: Wish['under']): void {
    const { clock, setOwn, send, isOwn } = this.#options;
    const { [component]: gone, ...left } = this.#kept;
    if (gone === undefined) return;
    const leftMs = (under?.untilBootMs ?? 0) - clock.bootMs();
    const isStill = under !== undefined && leftMs > 0;
    this.#kept = isStill ? { ...left, [component]: under } : left;
    if (isOwn(component)) setOwn(isStill ? under.level : undefined);
    else {
      const { level } = isStill ? under : gone;
      const untilMs = isStill ? Math.round(clock.wallMs() + leftMs) : 0;
      send(component, { kind: 'level', id: '', level, untilMs });
    }
  }

  #withoutTails(kept: Kept): Kept {
    return Object.fromEntries(
      Object.entries(kept).flatMap(([component, one]) => {
        if (one.by === undefined) return [[component, one]];
        this.#orphans.add(component);
        return one.under === undefined || one.under.by !== undefined
          ? []
          : [[component, one.under]];
      }),
    );
  }

  /** It is (again) connected, maybe as another process. */
  connected(component: string): void {
    const { clock, send } = this.#options;
    const known = Object.hasOwn(this.#kept, component) ? this.#kept[component] : undefined;
    const isOrphan = this.#orphans.delete(component);
    if (known === undefined && isOrphan) {
      send(component, { kind: 'level', id: '', level: 'info', untilMs: 0 });
    }
    if (known === undefined) return;
    const leftMs = known.untilBootMs - clock.bootMs();
    const untilMs = Math.round(clock.wallMs() + leftMs);
    if (leftMs > 0) send(component, { kind: 'level', id: '', level: known.level, untilMs });
  }

  /** With every sweep: what is over is put back. */
  look(): void {
    const now = this.#options.clock.bootMs();
    const over = Object.entries(this.#kept).filter(([, { untilBootMs }]) => untilBootMs <= now);
    if (over.length === 0) return;
    // Its own clock may be another by now: so each is told, and does not only reckon.
    for (const [component, { under }] of over) this.#putBack(component, under);
    this.#write();
  }

  #write(): boolean {
    const { path, files, clock } = this.#options;
    if (Object.keys(this.#kept).length === 0) {
      files.remove(path);
      return true;
    }
    const text = JSON.stringify({ bootId: clock.bootId(), levels: this.#kept });
    return files.replace(path, text, 0o600).ok;
  }
}

function read({ path, files, clock, log }: LevelsOptions): Kept {
  const text = files.read(path, FILE_BYTES_MAX);
  if (text === undefined) return {};
  try {
    const { bootId, levels } = v.parse(schema, JSON.parse(text));
    if (bootId !== clock.bootId()) return {};
    // Whoever wrote into the file by hand gets no level without an end.
    const until = clock.bootMs() + DAY_MS;
    const bounded = Object.entries(levels).map(([name, one]) => [
      name,
      { ...one, untilBootMs: Math.min(one.untilBootMs, until) },
    ]);
    return Object.fromEntries(bounded);
  } catch {
    log.warn(`${path} cannot be read: log levels are as configured`, { path });
    return {};
  }
}
