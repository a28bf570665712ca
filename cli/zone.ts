// Local time of a store, which is rarely that of whoever looks: a wall clock of any IANA zone from a moment, and back.
// Node brings all zones with it (Intl); nothing of this runs on a till.

/** Undefined: where this program runs. */
export type Zone = string | undefined;

export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

const formats = new Map<string, Intl.DateTimeFormat>();
function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en', {
    ...{ timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric' },
    ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
  });
  formats.set(zone, made);
  return made;
}

const QUARTER_MS = 15 * 60_000;
let last = { zone: '', quarter: 0, offset: 0 };

/** What is added to UTC to get the wall clock, in ms; a zone that nobody knows counts as UTC. */
export function offsetMs(ms: number, zone: Zone): number {
  if (zone === undefined) return -new Date(ms).getTimezoneOffset() * 60_000;
  if (zone === 'UTC') return 0;
  // No zone changes but at a quarter of an hour, and lines come close together.
  const quarter = Math.floor(ms / QUARTER_MS);
  if (last.zone !== zone || last.quarter !== quarter) {
    last = { zone, quarter, offset: findOffset(quarter * QUARTER_MS, zone) };
  }
  return last.offset;
}

function findOffset(ms: number, zone: string): number {
  if (!formats.has(zone) && !isZone(zone)) return 0;
  const parts = formatOf(zone).formatToParts(ms);
  const of = (type: string): number => Number(parts.find((part) => part.type === type)?.value);
  const wall = Date.UTC(
    ...([of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second')] as const),
  );
  return wall - ms;
}

/** A moment as that zone's wall clock, in the fields of UTC. */
export const wallOf = (ms: number, zone: Zone): Date => new Date(ms + offsetMs(ms, zone));

/**
 * The moment at which a wall clock shows this. What it shows twice is the first of the two; what it never shows, because
 * the clock was put forward, is as much later.
 * @param wallMs its fields, as if they were UTC
 */
export function momentOf(wallMs: number, zone: Zone): number {
  const before = wallMs - offsetMs(wallMs - 86_400_000, zone);
  const after = wallMs - offsetMs(wallMs + 86_400_000, zone);
  const shows = (ms: number): boolean => ms + offsetMs(ms, zone) === wallMs;
  return shows(before) ? before : shows(after) ? after : before;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** `+01:00`. */
export function offsetText(ms: number, zone: Zone): string {
  const minutes = Math.round(offsetMs(ms, zone) / 60_000);
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}
