// What this till allows whatever was signed: which kinds of commands, and how many restarts and reboots by operators in
// an hour. Counted on the machine's uptime, added up over boots, because a till's wall clock can be moved by whoever
// tells it the time; what an unclean end takes from that sum makes an hour longer, never shorter. A command counts
// from when it is written down, before anything is done, and whatever comes of it.

import * as v from 'valibot';
import { type CommandKind, catalogue } from '../protocol/catalogue.ts';
import type { Command } from '../protocol/commands.ts';
import type { Uptime } from './commands-floor.ts';

export const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

type Bound = 'restarts' | 'reboots';

export type Bounds = {
  readonly kinds: ReadonlySet<CommandKind>;
  readonly perHour: Readonly<Record<Bound, number>>;
  /** How many components there are: each that is restarted counts. */
  readonly components: number;
};

export const useSchema = v.object({
  bound: v.picklist(['restarts', 'reboots']),
  /** Uptime, added up over boots. */
  atMs: v.pipe(v.number(), v.finite()),
  count: v.pipe(v.number(), v.integer(), v.minValue(1)),
});
export type Use = Readonly<v.InferOutput<typeof useSchema>>;

export const countedSchema = v.object({
  bootId: v.string(),
  bootMs: v.pipe(v.number(), v.finite()),
  /** Added up over boots, at that moment. */
  upMs: v.pipe(v.number(), v.finite()),
});
/** The machine's uptime as it was written down last. */
export type CountedUptime = Readonly<v.InferOutput<typeof countedSchema>>;

export const NO_UPTIME: CountedUptime = { bootId: '', bootMs: 0, upMs: 0 };

/** Added up over all boots that were seen. */
export function counted(before: CountedUptime, { bootId, bootMs }: Uptime): CountedUptime {
  const isSame = before.bootId === bootId;
  const passedMs = isSame ? Math.max(0, bootMs - before.bootMs) : bootMs;
  return { bootId, bootMs, upMs: before.upMs + passedMs };
}

/** Of the last hour; what seems to be of the future comes from a damaged file, and counts. */
export const recent = (uses: readonly Use[], upMs: number): readonly Use[] =>
  uses.filter(({ atMs }) => !(atMs <= upMs - HOUR_MS));

/** All components at once are as many restarts, but never more than an hour has: it must be possible. */
export function useOf(command: Command, bounds: Bounds, upMs: number): Use | undefined {
  const { bound } = catalogue[command.kind] as { bound?: Bound };
  if (bound === undefined) return undefined;
  const each = command.kind === 'restart_all' ? bounds.components : 1;
  const count = Math.max(1, Math.min(each, bounds.perHour[bound]));
  return { bound, atMs: upMs, count };
}

const WORDS: Readonly<Record<Bound, string>> = {
  restarts: 'bounds.restartsPerHour',
  reboots: 'bounds.rebootsPerHour',
};

/** @returns why it must not be, with the bound by its name in the configuration; undefined: it may. */
export function overBounds(
  command: Command,
  bounds: Bounds,
  uses: readonly Use[],
  upMs: number,
): string | undefined {
  if (!bounds.kinds.has(command.kind)) {
    return `this till does not obey ${command.kind}: its bounds.commands does not name it`;
  }
  const use = useOf(command, bounds, upMs);
  if (use === undefined) return undefined;
  const { bound, count } = use;
  const max = bounds.perHour[bound];
  const same = recent(uses, upMs).filter((one) => one.bound === bound);
  const used = same.reduce((sum, one) => sum + one.count, 0);
  if (used + count <= max) return undefined;
  const first = Math.min(...same.map(({ atMs }) => atMs));
  const waitMs = same.length === 0 ? undefined : Math.max(0, first + HOUR_MS - upMs);
  const when = waitMs === undefined ? '' : `, one is free in ${Math.ceil(waitMs / MINUTE_MS)} min`;
  return (
    `this till allows ${max} ${bound} an hour by operators (${WORDS[bound]}) and ` +
    `${used} were used${when}`
  );
}
