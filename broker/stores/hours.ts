// When a store is open: weekly hours on its own wall clock, and dates that go before them. Hours belong to the day on
// which they begin, also when they end behind midnight; so a store that is closed on Sundays still sells until two in
// the morning of one. They are compared as instants and not as numbers on a clock, because in the night in which
// clocks are put back a number comes twice (zone.ts).

import { fail, ok, type Result } from '../../protocol/result.ts';
import type { DayHours, Exception, Span, Store, WeekHours } from './types.ts';
import { WEEKDAYS } from './types.ts';
import { clockOf, DAY_MIN, type Day, dayOf, weekdayOf } from './zone.ts';

export const SPANS_MAX = 8;
export const ALWAYS: DayHours = [{ fromMin: 0, toMin: DAY_MIN }];
export const CLOSED: DayHours = [];

const RULE = 'write 08:00-20:00, 09:00-13:00, 14:00-18:00 (several), closed or always';
const SPAN = /^(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})$/;

const minuteOf = (hour: string, minute: string): number => Number(hour) * 60 + Number(minute);

function readSpan(text: string): Result<Span> {
  const [, fromHour = '', fromMinute = '', toHour = '', toMinute = ''] = SPAN.exec(text) ?? [];
  if (fromHour === '') return fail(`"${text.slice(0, 40)}" are no hours: ${RULE}`);
  const fromMin = minuteOf(fromHour, fromMinute);
  const toMin = minuteOf(toHour, toMinute);
  const isTime = fromMin < DAY_MIN && toMin <= DAY_MIN;
  if (!isTime || Number(fromMinute) > 59 || Number(toMinute) > 59) {
    return fail(`"${text.slice(0, 40)}": a day has 00:00 to 24:00`);
  }
  if (fromMin === toMin) {
    return fail(`"${text.slice(0, 40)}" has no length; round the clock is always, or 00:00-24:00`);
  }
  // 22:00-02:00 goes over midnight.
  return ok({ fromMin, toMin: toMin < fromMin ? toMin + DAY_MIN : toMin });
}

/** @returns the hours of one day, in order. */
export function readHours(text: string): Result<DayHours> {
  const said = text.trim().toLowerCase();
  if (said === 'closed') return ok(CLOSED);
  if (said === 'always') return ok(ALWAYS);
  const spans: Span[] = [];
  for (const part of said.split(',')) {
    const span = readSpan(part.trim());
    if (!span.ok) return span;
    spans.push(span.value);
  }
  if (spans.length > SPANS_MAX) return fail(`a day has at most ${SPANS_MAX} spans`);
  spans.sort((a, b) => a.fromMin - b.fromMin);
  const over = spans.some(({ fromMin }, at) => fromMin < (spans[at - 1]?.toMin ?? 0));
  return over ? fail(`"${text.slice(0, 60)}" overlap each other`) : ok(spans);
}

const two = (n: number): string => String(n).padStart(2, '0');
const timeText = (minute: number): string => `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;

/** As the file says it. */
export function hoursText(hours: DayHours): string {
  if (hours.length === 0) return 'closed';
  const [only] = hours;
  if (hours.length === 1 && only?.fromMin === 0 && only.toMin === DAY_MIN) return 'always';
  return hours
    .map(({ fromMin, toMin }) => {
      const until = toMin > DAY_MIN ? toMin - DAY_MIN : toMin;
      return `${timeText(fromMin)}-${timeText(until)}`;
    })
    .join(', ');
}

/** Dates are compared as text: YYYY-MM-DD sorts by time. The first one that fits goes before the week. */
function hoursOn(
  week: WeekHours,
  exceptions: readonly Exception[],
  day: Day,
  date: string,
): DayHours {
  const exception = exceptions.find(({ from, to }) => from <= date && date <= to);
  if (exception !== undefined) return exception.hours;
  const name = WEEKDAYS[weekdayOf(day)];
  return (name && week[name]) ?? CLOSED;
}

const dates = new Map<Day, string>();
function dateText(day: Day): string {
  const known = dates.get(day);
  if (known !== undefined) return known;
  // Today and yesterday, in all zones.
  if (dates.size > 100) dates.clear();
  const date = new Date(day * DAY_MIN * 60_000).toISOString().slice(0, 10);
  dates.set(day, date);
  return date;
}

export type Opening = Pick<Store, 'timeZone' | 'hours' | 'exceptions'>;

/** @returns undefined where nothing is known of its hours. */
export function isOpenAt(
  { timeZone, hours, exceptions }: Opening,
  nowMs: number,
): boolean | undefined {
  if (hours === undefined) return undefined;
  const clock = clockOf(timeZone);
  const { day: today } = clock.wallOf(nowMs);
  // Yesterday's may go over midnight. In a night in which clocks are put back over midnight, today is yesterday again.
  for (const day of [today, today - 1]) {
    for (const { fromMin, toMin } of hoursOn(hours, exceptions, day, dateText(day))) {
      if (clock.instantOf(day, fromMin) <= nowMs && nowMs < clock.instantOf(day, toMin))
        return true;
    }
  }
  return false;
}

/** Weeks ahead in which the next opening is looked for: longer closed is not "until". */
const AHEAD_DAYS = 8;

/** When that changes next; undefined where it does not within a week. */
export function nextChange(opening: Opening, nowMs: number): number | undefined {
  const open = isOpenAt(opening, nowMs);
  if (open === undefined || opening.hours === undefined) return undefined;
  const clock = clockOf(opening.timeZone);
  const { day: today } = clock.wallOf(nowMs);
  const edges: number[] = [];
  for (let day = today - 1; day <= today + AHEAD_DAYS; day += 1) {
    for (const span of hoursOn(opening.hours, opening.exceptions, day, dateText(day))) {
      edges.push(clock.instantOf(day, span.fromMin), clock.instantOf(day, span.toMin));
    }
  }
  return edges
    .filter((edge) => edge > nowMs)
    .sort((a, b) => a - b)
    .find((edge) => isOpenAt(opening, edge) !== open);
}

export { dayOf };
