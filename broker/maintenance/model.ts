// A maintenance of a terminal or a whole store: for so long its watchdogs observe and do not act, alerts are muted and
// nobody expects its lanes to sell. It ends by itself. How long it still lasts is counted on the clock that nobody sets
// (the wall clock of a broker can be put back, and four hours must not become six); the time of day at which that is
// stands beside it for people, and for a broker that was killed. Pure: who is meant, and what a till has to be told.

import { MAINTENANCE_MS_MAX } from '../../protocol/limits.ts';
import type { MaintenanceView } from '../fleet/describe.ts';

/** As short as a hold can be. */
export const MAINTENANCE_MS_MIN = 1_000;
/** Running at one time: a window that observes is one for each store of a chain. */
export const MAINTENANCES_MAX = 5_000;
/** So much the wall clock may go apart from the other one before what stands on disk is put right. */
const DRIFT_MS_MAX = 5_000;

export type Scope = 'terminal' | 'store';

export type Maintenance = {
  readonly id: string;
  readonly scope: Scope;
  /** Id of the terminal or the store. */
  readonly subject: string;
  readonly by: string;
  readonly reason: string;
  readonly startedMs: number;
  /** Wall clock. */
  readonly untilMs: number;
  /** The recurring window that it is a part of. */
  readonly window?: string | undefined;
  readonly ended?: { readonly atMs: number; readonly by: string; readonly why: string } | undefined;
};

/** One that runs, with its end on the monotonic clock of this run of the broker. */
export type Running = Maintenance & { readonly endMs: number };
export type Now = { readonly wallMs: number; readonly monotonicMs: number };

/** As it goes on in a broker that starts: never longer than it could have been from now. */
export function resumed(maintenance: Maintenance, now: Now): Running {
  const lasts = maintenance.untilMs - maintenance.startedMs;
  const leftMs = Math.min(maintenance.untilMs - now.wallMs, lasts, MAINTENANCE_MS_MAX);
  return { ...maintenance, endMs: now.monotonicMs + leftMs };
}

export const leftOf = ({ endMs }: Running, now: Now): number =>
  Math.max(0, endMs - now.monotonicMs);

/** @returns it with the time of day that its end has by now; itself where that is what stands there. */
export function straightened(running: Running, now: Now): Running {
  const untilMs = now.wallMs + leftOf(running, now);
  return Math.abs(untilMs - running.untilMs) > DRIFT_MS_MAX ? { ...running, untilMs } : running;
}

/** Those that run, found by whom they mean. */
export type Cover = {
  /** Undefined: none. Of several, the one that lasts longest: until then nothing is acted on. */
  readonly of: (terminal: string, store: string) => Running | undefined;
  readonly ofStore: (store: string) => Running | undefined;
};

const longer = (a: Running | undefined, b: Running | undefined): Running | undefined => {
  if (a === undefined || b === undefined) return a ?? b;
  return b.endMs > a.endMs ? b : a;
};

export function coverOf(running: Iterable<Running>): Cover {
  const terminals = new Map<string, Running>();
  const stores = new Map<string, Running>();
  for (const one of running) {
    const by = one.scope === 'terminal' ? terminals : stores;
    const found = longer(by.get(one.subject), one);
    if (found !== undefined) by.set(one.subject, found);
  }
  return {
    of: (terminal, store) => longer(terminals.get(terminal), stores.get(store)),
    ofStore: (store) => stores.get(store),
  };
}

export const viewOf = ({ id, by, reason, untilMs, scope }: Maintenance): MaintenanceView => ({
  ...{ id, by, reason, untilMs, scope },
});

/** What a terminal was told last. */
export type Told = {
  readonly maintenance: string;
  /** Monotonic, of this run: then the till ends it by itself. */
  readonly endMs: number;
  /** When it was told; undefined: before this run of the broker, or before it came back. */
  readonly toldMs: number | undefined;
  /** Of the command that told it, while nobody knows what became of that. */
  readonly command: string | undefined;
  /** It said that it did. */
  readonly held: boolean;
  /** When it came back last and was told again at once for that. */
  readonly backMs?: number | undefined;
  /** It was told to let go, and has not said yet that it did. */
  readonly releasing: boolean;
};

export type Deed =
  | { readonly kind: 'none' }
  | { readonly kind: 'hold'; readonly maintenance: Running; readonly forMs: number }
  | { readonly kind: 'release'; readonly maintenance: string }
  /** Nothing holds it any more, by what was told: what is remembered of it can go. */
  | { readonly kind: 'forget' };

const NONE: Deed = { kind: 'none' };
/** The till ends a hold by itself; what is shorter than this is not told any more. */
const HOLD_MS_LEAST = 1_000;
/** Ends that differ by less are the same one. */
const SAME_MS = 2_000;

/**
 * What has to be told to a terminal that can be reached.
 * @param retellMs until something that failed, or was told before it reconnected, is told again
 */
export function deedOf(
  wanted: Running | undefined,
  told: Told | undefined,
  now: Now,
  retellMs: number,
): Deed {
  const at = now.monotonicMs;
  if (wanted !== undefined && leftOf(wanted, now) >= HOLD_MS_LEAST) {
    const forMs = Math.min(Math.round(leftOf(wanted, now)), MAINTENANCE_MS_MAX);
    const hold: Deed = { kind: 'hold', maintenance: wanted, forMs };
    const isOther =
      told === undefined ||
      told.releasing ||
      told.maintenance !== wanted.id ||
      Math.abs(told.endMs - wanted.endMs) > SAME_MS;
    if (isOther) return hold;
    if (told.command !== undefined || (told.held && told.toldMs !== undefined)) return NONE;
    return told.toldMs === undefined || at - told.toldMs >= retellMs ? hold : NONE;
  }
  if (told === undefined) return NONE;
  if (at >= told.endMs) return { kind: 'forget' };
  if (!told.releasing) return { kind: 'release', maintenance: told.maintenance };
  if (told.command !== undefined) return NONE;
  return told.toldMs === undefined || at - told.toldMs >= retellMs
    ? { kind: 'release', maintenance: told.maintenance }
    : NONE;
}
