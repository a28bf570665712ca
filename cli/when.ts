// Times as people type them: "10m" ago, "14:30" today, or a date with a time, in the zone of the store or of this
// machine unless they say another (a Z is UTC); and sizes. Pure: what now is, the caller says.

import { fail, ok, type Result } from '../protocol/result.ts';
import { momentOf, offsetText, wallOf, type Zone } from './zone.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const AGO = /^(\d{1,6})([smhd])$/;
const CLOCK = /^(\d{1,2}):(\d\d)(?::(\d\d))?(Z?)$/;
const DAY_MS = 86_400_000;
/** A date that says itself which zone it means. */
const ZONED = /(?:Z|[+-]\d\d:\d\d)$/;
const DATE = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)?)?$/;
const WHEN_RULE =
  'say how long ago (90s, 10m, 2h, 1d), a time (14:30, or 14:30Z for UTC) or a date ("2026-11-23 14:30")';

/**
 * @param zone of times that say none; undefined: this machine's
 * @returns milliseconds since the epoch
 */
export function parseWhen(name: string, text: string, nowMs: number, zone?: Zone): Result<number> {
  const ago = AGO.exec(text);
  if (ago !== null) return ok(nowMs - Number(ago[1]) * (UNIT_MS[ago[2] ?? ''] ?? 0));
  const clock = CLOCK.exec(text);
  if (clock !== null) {
    const [hour, minute, second] = [Number(clock[1]), Number(clock[2]), Number(clock[3] ?? 0)];
    const within = clock[4] === 'Z' ? 'UTC' : zone;
    if (hour < 24 && minute < 60 && second < 60) {
      const at = wallOf(nowMs, within).setUTCHours(hour, minute, second, 0);
      // A time that is still to come was meant yesterday.
      const isToCome = momentOf(at, within) > nowMs;
      return ok(momentOf(isToCome ? at - DAY_MS : at, within));
    }
  }
  if (DATE.test(text)) {
    const iso = (text.length === 10 ? `${text}T00:00` : text).replace(' ', 'T');
    const ms = Date.parse(ZONED.test(iso.slice(10)) ? iso : `${iso}Z`);
    if (Number.isFinite(ms)) return ok(ZONED.test(iso.slice(10)) ? ms : momentOf(ms, zone));
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

export const localDay = (ms: number, zone?: Zone): string =>
  wallOf(ms, zone).toISOString().slice(0, 10);

export const localClock = (ms: number, zone?: Zone): string =>
  wallOf(ms, zone).toISOString().slice(11, 23);

/** With the zone, so that it is the same moment everywhere. */
export const localStamp = (ms: number, zone?: Zone): string =>
  `${localDay(ms, zone)}T${localClock(ms, zone)}${offsetText(ms, zone)}`;
