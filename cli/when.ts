// Times as people type them: "10m" ago, "14:30" today, or a date with a time, in the local zone unless they
// say another; and sizes. Pure: what now is, the caller says.

import { fail, ok, type Result } from '../protocol/result.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const AGO = /^(\d{1,6})([smhd])$/;
const CLOCK = /^(\d{1,2}):(\d\d)(?::(\d\d))?$/;
const DATE = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)?)?$/;
const WHEN_RULE =
  'say how long ago (90s, 10m, 2h, 1d), a time (14:30) or a date ("2026-11-23 14:30")';

/** @returns milliseconds since the epoch. */
export function parseWhen(name: string, text: string, nowMs: number): Result<number> {
  const ago = AGO.exec(text);
  if (ago !== null) return ok(nowMs - Number(ago[1]) * (UNIT_MS[ago[2] ?? ''] ?? 0));
  const clock = CLOCK.exec(text);
  if (clock !== null) {
    const [hour, minute, second] = [Number(clock[1]), Number(clock[2]), Number(clock[3] ?? 0)];
    const at = new Date(nowMs);
    if (hour < 24 && minute < 60 && second < 60) {
      at.setHours(hour, minute, second, 0);
      // A time that is still to come was meant yesterday.
      if (at.getTime() > nowMs) at.setDate(at.getDate() - 1);
      return ok(at.getTime());
    }
  }
  if (DATE.test(text)) {
    // A date alone is its midnight here; Date.parse would take it as UTC.
    const ms = Date.parse(text.length === 10 ? `${text}T00:00` : text.replace(' ', 'T'));
    if (Number.isFinite(ms)) return ok(ms);
  }
  return fail(`${name} "${text.slice(0, 40)}" is no time: ${WHEN_RULE}`);
}

/** A length of time, as in 30m. @returns milliseconds. */
export function parseDuration(
  name: string,
  text: string,
  leastMs: number,
  mostMs: number,
): Result<number> {
  const match = AGO.exec(text);
  const ms = match === null ? Number.NaN : Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? 0);
  if (ms >= leastMs && ms <= mostMs) return ok(ms);
  const bounds = `${leastMs / 60_000}m to ${mostMs / 3_600_000}h`;
  return fail(`${name} "${text.slice(0, 40)}" is no time from ${bounds}: as in 90s, 30m or 2h`);
}

const SIZE = /^(\d{1,12})([kKmM]?)$/;

/** @returns bytes; k and M are 1024 and 1024 times that. */
export function parseSize(name: string, text: string, most: number): Result<number> {
  const size = SIZE.exec(text);
  const unit = { k: 1024, m: 1024 * 1024 }[(size?.[2] ?? '').toLowerCase()] ?? 1;
  const bytes = Number(size?.[1] ?? 0) * unit;
  if (bytes >= 1 && bytes <= most) return ok(bytes);
  return fail(`${name} "${text.slice(0, 40)}" is no size: 1 to ${most / 1024 / 1024}M, as in 500k`);
}

const two = (value: number): string => String(value).padStart(2, '0');

export const localDay = (ms: number): string => {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
};

export const localClock = (ms: number): string => {
  const at = new Date(ms);
  const millis = String(at.getMilliseconds()).padStart(3, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${millis}`;
};

/** With the zone, so that it is the same moment everywhere. */
export function localStamp(ms: number): string {
  const zone = -new Date(ms).getTimezoneOffset();
  const offset = `${two(Math.floor(Math.abs(zone) / 60))}:${two(Math.abs(zone) % 60)}`;
  return `${localDay(ms)}T${localClock(ms)}${zone < 0 ? '-' : '+'}${offset}`;
}
