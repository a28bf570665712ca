// When a line was printed, as it says itself: the time at its head. ISO 8601 in all its spellings, national dates with
// dots, slashes and names of months, syslog's and glog's without a year, numbers since 1970. What has no zone is the
// terminal's own time. A date that can be read in two ways (03/04/2026) counts only when one of them is near the moment
// at which it was read; without that moment it counts not at all: a wrong time is worse than none. Pure, but for the
// terminal's time zone.

/** Nothing a till writes is older or newer; what says so is a number that is no time. */
const EARLIEST_MS = Date.UTC(2000, 0, 1);
const LATEST_MS = Date.UTC(2100, 0, 1);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A reading of an ambiguous date is near when it is not further. */
const NEAR_MS = 36 * HOUR_MS;

export type Head = {
  readonly timeMs: number;
  /** Of the line: behind the time. */
  readonly end: number;
};

export const plausible = (ms: number): number | undefined =>
  ms >= EARLIEST_MS && ms <= LATEST_MS ? Math.floor(ms) : undefined;

/** Seconds, milliseconds, microseconds or nanoseconds since 1970: only one of them is near today. */
export function msOfNumber(value: number): number | undefined {
  if (value >= 9e17) return plausible(value / 1e6);
  if (value >= 9e14) return plausible(value / 1e3);
  return value >= 9e11 ? plausible(value) : plausible(value * 1e3);
}

type Parts = {
  readonly year: number;
  readonly month: number;
  readonly day: number;
};

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
/** Other languages of western Europe, as far as no two of them quarrel. */
const MORE_MONTHS: Readonly<Record<string, number>> = {
  ...{ mär: 3, mrz: 3, mai: 5, okt: 10, dez: 12, fév: 2, avr: 4, aoû: 8, déc: 12 },
  ...{ ene: 1, abr: 4, ago: 8, dic: 12, gen: 1, mag: 5, giu: 6, lug: 7, set: 9, ott: 10, maj: 5 },
};
const monthOf = (name: string): number => {
  const word = name.slice(0, 3).toLowerCase();
  return MONTHS.indexOf(word) + 1 || (MORE_MONTHS[word] ?? 0);
};

const isDate = ({ year, month, day }: Parts): boolean =>
  year >= 2000 && year < 2100 && month >= 1 && month <= 12 && day >= 1 && day <= 31;

const fullYear = (year: number): number => (year < 100 ? 2000 + year : year);

/** Clock, fraction, half of the day and zone; what is not said is undefined. */
const CLOCK = /^(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,:](\d{1,9}))?)?(?: ?([AaPp])\.?[Mm]\.?(?![a-z]))?/;
const ZONE = /^ ?(?:(Z|UTC|GMT)(?![A-Za-z])|([+-])(\d\d):?(\d\d)(?!\d))/;

type Clock = { readonly ms: number; readonly zoneMs: number | undefined; readonly length: number };

function clockOf(text: string): Clock | undefined {
  const [all, hours = '', minutes = '', seconds = '0', fraction = '', half] =
    CLOCK.exec(text) ?? [];
  if (all === undefined) return undefined;
  let hour = Number(hours);
  if (half !== undefined) hour = (hour % 12) + (half.toLowerCase() === 'p' ? 12 : 0);
  const isClock = hour < 24 && Number(minutes) < 60 && Number(seconds) <= 60;
  if (!isClock) return undefined;
  const ms = Number(fraction.slice(0, 3).padEnd(3, '0'));
  const ofDay = ((hour * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + ms;
  const [zone = '', utc, sign, zoneHours, zoneMinutes] = ZONE.exec(text.slice(all.length)) ?? [];
  const length = all.length + zone.length;
  if (utc !== undefined) return { ms: ofDay, zoneMs: 0, length };
  if (sign === undefined) return { ms: ofDay, zoneMs: undefined, length: all.length };
  const offset = Number(zoneHours) * HOUR_MS + Number(zoneMinutes) * 60_000;
  return { ms: ofDay, zoneMs: sign === '-' ? -offset : offset, length };
}

function msOf({ year, month, day }: Parts, { ms, zoneMs }: Clock): number {
  if (zoneMs !== undefined) return Date.UTC(year, month - 1, day) + ms - zoneMs;
  const seconds = Math.floor(ms / 1000);
  const [hour, minute] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return new Date(year, month - 1, day, hour, minute, seconds % 60, ms % 1000).getTime();
}

/** The one way to read it, or the one of several that is near. */
function choose(
  ways: readonly Parts[],
  clock: Clock,
  nearMs: number | undefined,
): number | undefined {
  const dates = ways.filter(isDate);
  const times = [...new Set(dates.map((date) => msOf(date, clock)))];
  if (times.length <= 1) return times[0] === undefined ? undefined : plausible(times[0]);
  if (nearMs === undefined) return undefined;
  const near = times.filter((ms) => Math.abs(ms - nearMs) <= NEAR_MS);
  return near.length === 1 && near[0] !== undefined ? plausible(near[0]) : undefined;
}

/** What says no year (or no day) means the one that comes nearest. */
function nearest(
  ways: readonly Parts[],
  clock: Clock,
  nearMs: number | undefined,
): number | undefined {
  if (nearMs === undefined) return undefined;
  let found: number | undefined;
  for (const date of ways.filter(isDate)) {
    const ms = msOf(date, clock);
    if (found === undefined || Math.abs(ms - nearMs) < Math.abs(found - nearMs)) found = ms;
  }
  return found === undefined ? undefined : plausible(found);
}

const yearsAround = (nearMs = 0): number[] => {
  const year = new Date(nearMs).getFullYear();
  return [year - 1, year, year + 1];
};

type Dates = {
  readonly ways: readonly Parts[];
  readonly length: number;
  readonly isNearest?: boolean;
};

/** 2026-11-23, 2026/11/23, 2026.11.23; then a T or a blank. */
const YEAR_FIRST = /^(\d{4})([-/.])(\d\d?)\2(\d\d?)(?:[T _]|, ?)/;
/** 23.11.2026, 23/11/2026, 11/23/2026, 26/11/23; then a blank or a comma. */
const YEAR_LAST = /^(\d\d?)([-/.])(\d\d?)\2(\d{4}|\d\d)(?:[T ]|, ?)/;
/** 20261123T, 20261123 */
const PACKED = /^(\d{4})(\d\d)(\d\d)[T _-]?(?=\d\d:?\d\d)/;
/** 23-Nov-2026, 23 Nov 2026, 23/Nov/2026: */
const DAY_NAMED =
  /^(?:[A-Za-z]{2,9},? )?(\d\d?)[-/ .]{1,2}([A-Za-zäéû]{3,9})\.?[-/ ](\d{4}|\d\d)(?:[: T]|, ?)/;
/** Nov 23, 2026, Nov 23 2026, Mon Nov 23 (the year behind the clock), Nov 23 */
const MONTH_NAMED =
  /^(?:[A-Z][a-z]{1,8},? )?([A-Z][a-zäéû]{2,8})\.? {1,2}(\d\d?)(?:,? (\d{4}))?(?: |, ?)(?=\d?\d:)/;

function yearLast([, first, mark, second, last]: RegExpExecArray): Parts[] {
  const [one, two, three] = [Number(first), Number(second), Number(last)];
  const dayFirst = { day: one, month: two, year: fullYear(three) };
  if (mark === '.') return [dayFirst];
  const monthFirst = { month: one, day: two, year: fullYear(three) };
  const yearFirst = { year: fullYear(one), month: two, day: three };
  return last?.length === 4 ? [dayFirst, monthFirst] : [dayFirst, monthFirst, yearFirst];
}

function numericDates(text: string): Dates | undefined {
  const year = YEAR_FIRST.exec(text);
  if (year !== null) {
    const [all, years, , month, day] = year;
    const ways = [{ year: Number(years), month: Number(month), day: Number(day) }];
    return { ways, length: all.length };
  }
  const last = YEAR_LAST.exec(text);
  if (last !== null) return { ways: yearLast(last), length: last[0].length };
  const packed = PACKED.exec(text);
  if (packed === null) return undefined;
  const [all, years, month, day] = packed;
  const ways = [{ year: Number(years), month: Number(month), day: Number(day) }];
  return { ways, length: all.length };
}

function namedDates(text: string, nearMs: number | undefined): Dates | undefined {
  const dayFirst = DAY_NAMED.exec(text);
  if (dayFirst !== null) {
    const [all, day, name = '', year] = dayFirst;
    const way = { year: fullYear(Number(year)), month: monthOf(name), day: Number(day) };
    return { ways: [way], length: all.length };
  }
  const [all, name = '', day, year] = MONTH_NAMED.exec(text) ?? [];
  if (all === undefined) return undefined;
  const date = { month: monthOf(name), day: Number(day) };
  if (year !== undefined) return { ways: [{ ...date, year: Number(year) }], length: all.length };
  const ways = yearsAround(nearMs).map((around) => ({ ...date, year: around }));
  return { ways, length: all.length, isNearest: true };
}

/** Hours, minutes and seconds without colons, as ISO's basic form has them. */
const withColons = (text: string): string =>
  text.replace(/^(\d\d)(\d\d)(\d\d)(?=[.,]\d|Z|[+-]\d\d|[ ]|$)/, '$1:$2:$3');

/** `date` and the year behind it: Mon Nov 23 10:00:00 CET 2026 */
const YEAR_BEHIND = /^ (?:([A-Z]{3,4}) )?(\d{4})(?!\d)/;

function dated(text: string, dates: Dates, nearMs: number | undefined): Head | undefined {
  const rest = text.slice(dates.length, dates.length + 48);
  const usual = withColons(rest);
  const clock = clockOf(usual);
  if (clock === undefined) return undefined;
  const end = dates.length + clock.length - (usual.length - rest.length);
  if (dates.isNearest !== true) {
    const timeMs = choose(dates.ways, clock, nearMs);
    return timeMs === undefined ? undefined : { timeMs, end };
  }
  const [behind, zone, year] = YEAR_BEHIND.exec(text.slice(end, end + 16)) ?? [];
  const [date] = dates.ways;
  if (behind !== undefined && date !== undefined) {
    const isUtc = zone === 'UTC' || zone === 'GMT';
    const zoned = isUtc ? { ...clock, zoneMs: 0 } : clock;
    const timeMs = choose([{ ...date, year: Number(year) }], zoned, nearMs);
    if (timeMs !== undefined) return { timeMs, end: end + behind.length };
  }
  const timeMs = nearest(dates.ways, clock, nearMs);
  return timeMs === undefined ? undefined : { timeMs, end };
}

/** 1790000000, .123 behind it, or with three, six or nine more digits: at the head of a line, and a blank behind. */
const EPOCH = /^(\d{10}(?:[.,]\d{1,9})?|\d{13}|\d{16}|\d{19})(?=[\]\s:|,]|$)/;

/** A number at the head of a line is a time only when it is one of these years: article numbers have 13 digits, too. */
const NUMBER_DAYS = 400;
const NUMBERS_FROM_MS = Date.UTC(2020, 0, 1);
const NUMBERS_TO_MS = Date.UTC(2033, 0, 1);

function ofNumber(digits: string, nearMs: number | undefined): number | undefined {
  const ms = msOfNumber(Number(digits.replace(',', '.')));
  if (ms === undefined) return undefined;
  const isNear =
    nearMs === undefined
      ? ms >= NUMBERS_FROM_MS && ms < NUMBERS_TO_MS
      : Math.abs(ms - nearMs) <= NUMBER_DAYS * DAY_MS;
  return isNear ? ms : undefined;
}

/** Only a clock: of the day that comes nearest. */
function ofClock(text: string, nearMs: number | undefined): Head | undefined {
  if (nearMs === undefined || !/^\d\d:\d\d:\d\d/.test(text)) return undefined;
  const clock = clockOf(text);
  if (clock === undefined) return undefined;
  const ways = [-DAY_MS, 0, DAY_MS].map((difference) => {
    const day = new Date(nearMs + difference);
    return { year: day.getFullYear(), month: day.getMonth() + 1, day: day.getDate() };
  });
  const timeMs = nearest(ways, clock, nearMs);
  return timeMs === undefined ? undefined : { timeMs, end: clock.length };
}

/** Where a time can stand. */
const HEAD_CHARS = 80;

/** @param nearMs when it was read, by the terminal's clock: for what says no year, or can be read in two ways. */
export function timeAtHead(line: string, nearMs?: number): Head | undefined {
  const first = line.charCodeAt(0);
  const text = line.length > HEAD_CHARS ? line.slice(0, HEAD_CHARS) : line;
  if (first >= 48 && first <= 57) {
    const dates = numericDates(text) ?? namedDates(text, nearMs);
    const head = dates === undefined ? undefined : dated(text, dates, nearMs);
    if (head !== undefined) return head;
    const [digits = ''] = EPOCH.exec(text) ?? [];
    const timeMs = digits === '' ? undefined : ofNumber(digits, nearMs);
    if (timeMs !== undefined) return { timeMs, end: digits.length };
    return ofClock(text, nearMs);
  }
  const isUpper = first >= 65 && first <= 90;
  const dates = isUpper ? namedDates(text, nearMs) : undefined;
  return dates === undefined ? undefined : dated(text, dates, nearMs);
}

/** A value of JSON or of a key: a number, or a time that is all of it. */
export function msOfValue(value: unknown, nearMs?: number): number | undefined {
  if (typeof value === 'number') return msOfNumber(value);
  if (typeof value !== 'string') return undefined;
  if (/^\d{10,19}(?:\.\d{1,9})?$/.test(value)) return msOfNumber(Number(value));
  return timeAtHead(value, nearMs)?.timeMs;
}

/** glog's month, day and clock, without a year. */
export function msOfGlog(text: string, nearMs: number | undefined): Head | undefined {
  const [all, month, day] = /^(\d\d)(\d\d) (?=\d\d:)/.exec(text) ?? [];
  if (all === undefined) return undefined;
  const date = { month: Number(month), day: Number(day) };
  const ways = yearsAround(nearMs).map((year) => ({ ...date, year }));
  return dated(text, { ways, length: all.length, isNearest: true }, nearMs);
}
