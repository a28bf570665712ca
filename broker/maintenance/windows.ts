// Recurring windows in the local time of each store: what is due now and what was missed, pure. A window begins at one
// wall-clock time of a date; where clocks are put forward over it, as much later, and where they are put back, at the
// first of the two (stores/zone.ts). It is due while its duration lasts, so that a broker that was down runs it late,
// and at most once for each store and local date whatever clocks do. What had begun before the window was added
// is not due: nobody expects a reboot for having typed.

import { fail, ok, type Result } from '../../protocol/result.ts';
import { WEEKDAYS, type Weekday } from '../stores/types.ts';
import { clockOf, type Day, dateOf, weekdayOf } from '../stores/zone.ts';

export const WINDOWS_MAX = 100;
export const WINDOW_MS_MIN = 60_000;
export const ACTIONS = ['restart_all', 'reboot', 'observe'] as const;
export type Action = (typeof ACTIONS)[number];

/** Which stores; one of the three, or all. */
export type WindowStores = {
  readonly stores?: readonly string[] | undefined;
  readonly region?: string | undefined;
  readonly label?: string | undefined;
  readonly all?: boolean | undefined;
};

export type Window = {
  readonly name: string;
  readonly where: WindowStores;
  readonly days: readonly Weekday[];
  /** Minutes since midnight on the store's wall clock. */
  readonly atMin: number;
  readonly forMs: number;
  readonly action: Action;
  readonly by: string;
  readonly reason: string;
  readonly addedMs: number;
};

export const RUN_STATES = ['started', 'missed', 'failed'] as const;
export type Run = {
  readonly window: string;
  readonly store: string;
  /** Local to the store. */
  readonly date: string;
  readonly atMs: number;
  readonly state: (typeof RUN_STATES)[number];
  readonly bulk?: string | undefined;
  readonly maintenance?: string | undefined;
  readonly why: string;
};

export type WindowStore = {
  readonly id: string;
  /** IANA; undefined where nobody said: nothing is due there. */
  readonly zone: string | undefined;
  readonly region: string | undefined;
  readonly labels: readonly string[];
};

export type Due = {
  readonly window: Window;
  readonly store: string;
  readonly date: string;
  readonly beginMs: number;
  readonly endMs: number;
};

export const runKey = (run: Pick<Run, 'window' | 'store' | 'date'>): string =>
  `${run.window}\0${run.store}\0${run.date}`;

export function means({ stores, region, label, all }: WindowStores, store: WindowStore): boolean {
  if (all === true) return true;
  if (stores?.includes(store.id) === true) return true;
  if (region !== undefined && store.region === region) return true;
  return label !== undefined && store.labels.includes(label);
}

type Slot = { readonly date: string; readonly beginMs: number; readonly endMs: number };

function slotOn(window: Window, zone: string, day: Day): Slot | undefined {
  const weekday = WEEKDAYS[weekdayOf(day)];
  if (weekday === undefined || !window.days.includes(weekday)) return undefined;
  const beginMs = clockOf(zone).instantOf(day, window.atMin);
  if (beginMs < window.addedMs) return undefined;
  return { date: dateOf(day), beginMs, endMs: beginMs + window.forMs };
}

/** That may still run, or has just been missed: of today, yesterday (over midnight) and the day before. */
function slotsNear(window: Window, zone: string, nowMs: number): readonly Slot[] {
  const { day } = clockOf(zone).wallOf(nowMs);
  return [day - 2, day - 1, day].flatMap((one) => slotOn(window, zone, one) ?? []);
}

/** @param ran whether this store has had this window on this date already, or missed it (see `runKey`). */
export function dueWindows(
  windows: readonly Window[],
  stores: readonly WindowStore[],
  ran: (key: string) => boolean,
  nowMs: number,
): { readonly due: readonly Due[]; readonly missed: readonly Due[] } {
  const due: Due[] = [];
  const missed: Due[] = [];
  const zones = Map.groupBy(stores, ({ zone }) => zone);
  for (const window of windows) {
    for (const [zone, of] of zones) {
      if (zone === undefined) continue;
      for (const slot of slotsNear(window, zone, nowMs)) {
        if (slot.beginMs > nowMs) continue;
        const list = nowMs < slot.endMs ? due : missed;
        for (const store of of) {
          if (!means(window.where, store)) continue;
          const key = runKey({ window: window.name, store: store.id, date: slot.date });
          if (!ran(key)) list.push({ window, store: store.id, ...slot });
        }
      }
    }
  }
  return { due, missed };
}

/** When it begins next in a zone; undefined: on no day. */
export function nextOf(window: Window, zone: string, nowMs: number): number | undefined {
  const { day } = clockOf(zone).wallOf(nowMs);
  for (let ahead = 0; ahead <= 8; ahead += 1) {
    const slot = slotOn(window, zone, day + ahead);
    if (slot !== undefined && slot.beginMs > nowMs) return slot.beginMs;
  }
  return undefined;
}

const AT = /^([a-z,-]+) (\d{1,2}):(\d{2})$/;
const AT_RULE =
  'say days and a time, as in "sun 03:00", "mon,thu 22:30", "mon-fri 04:15" or "daily 03:00"';

function daysOf(text: string): readonly Weekday[] | undefined {
  if (text === 'daily') return WEEKDAYS;
  const days = new Set<Weekday>();
  for (const part of text.split(',')) {
    const [first = '', last = first, ...rest] = part.split('-');
    const [from, to] = [first, last].map((one) => WEEKDAYS.indexOf(one as Weekday));
    if (from === undefined || to === undefined || from < 0 || to < 0 || rest.length > 0) {
      return undefined;
    }
    // Over the end of the week as well: fri-mon.
    for (let at = from, left = 7; left > 0; at = (at + 1) % 7, left -= 1) {
      const day = WEEKDAYS[at];
      if (day !== undefined) days.add(day);
      if (at === to) break;
    }
  }
  return WEEKDAYS.filter((day) => days.has(day));
}

/** As people write when it begins. */
export function readAt(given: string): Result<Pick<Window, 'days' | 'atMin'>> {
  const [, days = '', hour, minute] = AT.exec(given.trim().toLowerCase()) ?? [];
  const read = daysOf(days);
  const [h, m] = [Number(hour), Number(minute)];
  if (read === undefined || !(h < 24 && m < 60)) {
    return fail(`at "${given.slice(0, 40)}": ${AT_RULE}`);
  }
  return ok({ days: read, atMin: h * 60 + m });
}

const two = (value: number): string => String(value).padStart(2, '0');
export function atText({ days, atMin }: Pick<Window, 'days' | 'atMin'>): string {
  const names = days.length === 7 ? 'daily' : days.join(',');
  return `${names} ${two(Math.floor(atMin / 60))}:${two(atMin % 60)}`;
}
