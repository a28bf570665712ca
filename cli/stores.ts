// Stores as the API tells them, and how a person reads whether one is open.

import type { Client, Reply } from './client.ts';
import { plural } from './screen.ts';
import { localClock, localDay } from './when.ts';

export type StoreText = {
  readonly id: string;
  readonly name?: string;
  readonly region: string;
  readonly timeZone: string;
  readonly hours?: Readonly<Record<string, string>>;
  readonly exceptions?: readonly {
    readonly from: string;
    readonly to: string;
    readonly hours: string;
    readonly reason?: string;
  }[];
  readonly lanes?: number;
  readonly labels?: readonly string[];
  readonly terminals?: readonly (
    | string
    | { readonly id: string; readonly labels: readonly string[] }
  )[];
};
export type StoreView = StoreText & {
  readonly open?: boolean;
  /** When that changes next, if within a week. */
  readonly changesMs?: number;
  readonly lanesExpected: number;
  readonly counts: {
    readonly terminals: number;
    readonly online: number;
    readonly selling: number;
    readonly never: number;
    readonly maintenance: number;
  };
};

export const allStores = (client: Client): Promise<Reply<{ stores: readonly StoreView[] }>> =>
  client.get<{ stores: readonly StoreView[] }>('/api/v1/stores', ['stores']);

/** `20:00`, of another day with its name: as a clock in the store shows it. */
function clockIn(timeZone: string, ms: number, nowMs: number): string {
  const format = (options: Intl.DateTimeFormatOptions, at: number): string =>
    new Intl.DateTimeFormat('en-GB', { timeZone, ...options }).format(at);
  try {
    const time = format({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }, ms);
    const day = { weekday: 'short', day: 'numeric', month: 'numeric' } as const;
    if (format(day, ms) === format(day, nowMs)) return time;
    return `${format({ weekday: 'short' }, ms)} ${time}`;
  } catch {
    // The broker's Node knows this time zone, and ours does not.
    return `${localDay(ms)} ${localClock(ms).slice(0, 5)} here`;
  }
}

/** `open until 20:00`, `closed until Mon 08:00`, `hours not known`. */
export function openWords({ open, changesMs, timeZone }: StoreView, nowMs: number): string {
  if (open === undefined) return 'hours not known';
  const word = open ? 'open' : 'closed';
  return changesMs === undefined ? word : `${word} until ${clockIn(timeZone, changesMs, nowMs)}`;
}

/** Lanes that should sell and do not. */
export const missing = ({ lanesExpected, counts }: StoreView): number =>
  Math.max(0, lanesExpected - counts.selling);

/** `3 stores: 2 open, 1 closed; 5 of 6 lanes sell, 1 terminal never reported` */
export function summaryOf(stores: readonly StoreView[]): string {
  const sum = (of: (store: StoreView) => number): number =>
    stores.reduce((total, store) => total + of(store), 0);
  const open = stores.filter((store) => store.open === true);
  const unknown = stores.filter((store) => store.open === undefined).length;
  const closed = stores.length - open.length - unknown;
  const states = [
    `${open.length} open`,
    `${closed} closed`,
    ...(unknown > 0 ? [`${unknown} of unknown hours`] : []),
  ];
  const expected = sum(({ lanesExpected }) => lanesExpected);
  // More than should sell are no help to a store where too few do.
  const selling = expected - sum(missing);
  const never = sum(({ counts }) => counts.never);
  const rest = never > 0 ? `, ${plural(never, 'terminal')} never reported` : '';
  return `${plural(stores.length, 'store')}: ${states.join(', ')}; ${selling} of ${plural(expected, 'lane')} expected sell${rest}`;
}
