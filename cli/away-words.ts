// A time without the broker as a person says it: how long, until when, and why, the longest reason first; and how far
// a clock is off. Shared by the terminal's page and the lines of events.

import type { AwayReason } from '../protocol/events.ts';
import { localClock, localDay } from './when.ts';

export type AwayView = {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly why: AwayReason;
  readonly parts?: Readonly<Partial<Record<string, number>>>;
  readonly reason?: string;
};

const WORDS: Readonly<Record<AwayReason, string>> = {
  link_down: 'network link down',
  gateway_unreachable: 'gateway unreachable',
  name_resolution: 'name resolution failed',
  broker_unreachable: 'broker unreachable',
  refused: 'refused by the broker',
  agent_stopped: 'agent not running',
  power: 'terminal off',
  unknown: 'for an unknown reason',
};
/** A newer agent may know more reasons. */
const wordFor = (reason: string): string =>
  Object.hasOwn(WORDS, reason) ? WORDS[reason as AwayReason] : reason.replaceAll('_', ' ');

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** `3 h 12 min`, `45 s`: the largest unit and the one below it. */
export function span(ms: number): string {
  const at = UNITS.findIndex(([, unit]) => ms >= unit);
  if (at < 0) return 'less than 1 s';
  const smallest = UNITS[Math.min(at + 1, UNITS.length - 1)]?.[1] ?? 1_000;
  let left = Math.round(ms / smallest) * smallest;
  const words: string[] = [];
  for (const [name, unit] of UNITS) {
    const count = Math.floor(left / unit);
    left -= count * unit;
    if (count > 0) words.push(`${count} ${name}`);
  }
  return words.join(' ');
}

/** The longest first, each with its length where there are several. */
export function reasonsOf({ why, parts = {} }: Pick<AwayView, 'why' | 'parts'>): string {
  const told = Object.entries(parts)
    .flatMap(([name, ms]) => (ms !== undefined && ms >= 1_000 ? [[name, ms] as const] : []))
    .sort((a, b) => b[1] - a[1]);
  if (told.length <= 1) return wordFor(why);
  return told.map(([name, ms]) => `${wordFor(name)} (${span(ms)})`).join(', ');
}

/** `14:05`, with its day unless that is today. */
export function moment(ms: number, nowMs: number): string {
  const clock = localClock(ms).slice(0, 5);
  return localDay(ms) === localDay(nowMs) ? clock : `${localDay(ms)} ${clock}`;
}

/** `3 h 12 min until 14:05: name resolution failed (2 h), broker unreachable (1 h 12 min)`. */
export const awayWords = (away: AwayView, nowMs: number): string =>
  `${span(away.untilMs - away.fromMs)} until ${moment(away.untilMs, nowMs)}: ${reasonsOf(away)}`;

/** Less is what a line takes, or a crystal makes in a day. */
const SKEW_MS_MIN = 2_000;

/** `clock is 1 d ahead (corrected)`; nothing while it is right. */
export function clockWords(skewMs = 0, leftMs = 0): string | undefined {
  if (Math.abs(skewMs) <= SKEW_MS_MIN) return undefined;
  const corrected = Math.abs(leftMs) <= SKEW_MS_MIN ? 'corrected' : 'not corrected';
  return `clock is ${span(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead' : 'behind'} (${corrected})`;
}
