// The wall clock of a time zone, by Intl and nothing else: which date it is there, and at which instant a time of a date
// is. Where clocks are put forward some times do not exist, and where they are put back some exist twice. A time
// that does not exist is as long after the change as it would have been (02:30 becomes 03:30); of two the first one
// counts [RFC 5545 3.3.5; Temporal calls it "compatible"]. So whoever is open until 02:30 closes once in that night.

const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;
export const DAY_MIN = 1_440;
/** Times of a zone that are remembered; one day of a fleet has far fewer. */
const INSTANTS_MAX = 4_000;
/** There are some six hundred names, and each formatter takes memory. */
const ZONES_MAX = 700;

/** Days since 1970-01-01 of a date, wherever that is. */
export type Day = number;
export type Wall = { readonly day: Day; readonly minute: number };

export type ZoneClock = {
  readonly wallOf: (ms: number) => Wall;
  /** @param minute since midnight of that day; of the days behind it from 1440 on. */
  readonly instantOf: (day: Day, minute: number) => number;
};

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
/** @returns undefined for what is no date of the calendar. */
export function dayOf(date: string): Day | undefined {
  if (!DATE.test(date)) return undefined;
  const ms = Date.parse(`${date}T00:00:00Z`);
  // 2026-02-30 is read as the second of March by some engines.
  return Number.isNaN(ms) || dateOf(ms / DAY_MS) !== date ? undefined : ms / DAY_MS;
}
export const dateOf = (day: Day): string => new Date(day * DAY_MS).toISOString().slice(0, 10);
/** Monday is 0. The first day of 1970 was a Thursday. */
export const weekdayOf = (day: Day): number => (((day + 3) % 7) + 7) % 7;

const formatter = (zone: string): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat('en-US', {
    ...{ timeZone: zone, hourCycle: 'h23', era: undefined },
    ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' },
  });

/** Only names: an offset such as +02:00 knows no daylight saving, and nobody means it. */
const ZONE = /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/;
export function isZone(name: string): boolean {
  if (!ZONE.test(name)) return false;
  try {
    formatter(name);
    return true;
  } catch {
    return false;
  }
}

function createClock(zone: string): ZoneClock {
  const format = formatter(zone);
  let last: { readonly minute: number; readonly wall: Wall } | undefined;
  const instants = new Map<number, number>();

  function read(ms: number): Wall {
    const part: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(ms)) part[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = part;
    return { day: Date.UTC(year, month - 1, day) / DAY_MS, minute: hour * 60 + minute };
  }
  /** What its clocks show is so far ahead of UTC, in minutes. */
  function offsetAt(ms: number): number {
    const { day, minute } = read(ms);
    return Math.round(
      (day * DAY_MS + minute * MINUTE_MS - Math.floor(ms / MINUTE_MS) * MINUTE_MS) / MINUTE_MS,
    );
  }
  function resolve(day: Day, minute: number): number {
    const shown = day * DAY_MS + minute * MINUTE_MS;
    const before = offsetAt(shown - DAY_MS);
    const after = offsetAt(shown + DAY_MS);
    const first = shown - before * MINUTE_MS;
    if (before === after || offsetAt(first) === before) return first;
    const second = shown - after * MINUTE_MS;
    return offsetAt(second) === after ? second : first;
  }
  return {
    wallOf: (ms) => {
      const minute = Math.floor(ms / MINUTE_MS);
      if (last?.minute !== minute) last = { minute, wall: read(ms) };
      return last.wall;
    },
    instantOf: (day, minute) => {
      const key = day * 10_000 + minute;
      const known = instants.get(key);
      if (known !== undefined) return known;
      if (instants.size >= INSTANTS_MAX) instants.clear();
      const instant = resolve(day + Math.floor(minute / DAY_MIN), minute % DAY_MIN);
      instants.set(key, instant);
      return instant;
    },
  };
}

const clocks = new Map<string, ZoneClock>();
/** @param zone one that `isZone` knows. */
export function clockOf(zone: string): ZoneClock {
  const known = clocks.get(zone);
  if (known !== undefined) return known;
  if (clocks.size >= ZONES_MAX) clocks.clear();
  const clock = createClock(zone);
  clocks.set(zone, clock);
  return clock;
}
