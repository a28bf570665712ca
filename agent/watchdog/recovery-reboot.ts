// Whether the machine may be rebooted now. A loop of reboots must be impossible, so the count is on disk before
// each one (effect `note_reboot`), and it runs on the machine's uptime added up over boots: a dead clock
// battery cannot fool it, and nights that a till is off do not refill it (Android RescueParty and
// greenboot count boots for the same reason).

import {
  DAY_MS,
  FRUITLESS_MAX,
  HOUR_MS,
  NOTE_MS_MAX,
  REBOOTS_KEPT_MAX,
  type RebootRule,
  type RebootToken,
  type RecoveryModel,
} from './recovery-model.ts';
import * as reasons from './recovery-reasons.ts';

type Known = Pick<RecoveryModel, 'uptimeMs' | 'totalMs' | 'reboots'>;

/** @returns why there must be none, or undefined. */
export function rebootRefusal(rule: RebootRule | undefined, known: Known): string | undefined {
  const { uptimeMs, totalMs, reboots } = known;
  if (rule === undefined) return reasons.NO_REBOOT;
  if (uptimeMs === undefined || totalMs === undefined) return reasons.UPTIME_UNKNOWN;
  if (uptimeMs < rule.uptimeMsMin) return reasons.tooYoung(uptimeMs, rule.uptimeMsMin);
  // A reboot comes up to so much later than its token. One from the future is of a damaged file: it counts as well.
  const within = (ms: number) =>
    reboots.filter(({ atMs }) => !(atMs <= totalMs - ms - NOTE_MS_MAX));
  const hour = within(HOUR_MS).length;
  if (hour >= rule.hourMax) return reasons.tooManyInAnHour(hour);
  const day = within(DAY_MS);
  if (day.length >= rule.dayMax) return reasons.tooManyInADay(day.length);
  // A row of them: it is the last ones that did not help, and the newest is not a day old.
  const last = reboots.slice(-FRUITLESS_MAX);
  const none = last.length === FRUITLESS_MAX && last.every(({ held }) => held !== true);
  if (none && day.length > 0) return reasons.fruitless(FRUITLESS_MAX);
  return undefined;
}

export const withToken = (
  reboots: readonly RebootToken[],
  token: RebootToken,
): readonly RebootToken[] => [...reboots, token].slice(-REBOOTS_KEPT_MAX);

/** Those for `component` whose outcome was not known did not help: it failed again. Same array: nothing changed. */
export const failedAfter = (
  reboots: readonly RebootToken[],
  component: string,
): readonly RebootToken[] => judged(reboots, component, () => false);

/**
 * `component` is stable. What can have helped is the newest reboot that was noted before this boot. One that was noted
 * since did not take place: the agent died before it asked for it, or its hook did nothing. After an older one
 * another was needed.
 */
export function stableAfter(known: Known, component: string): readonly RebootToken[] {
  const { uptimeMs, totalMs, reboots } = known;
  if (uptimeMs === undefined || totalMs === undefined) return reboots;
  const newest = reboots.findLast(({ atMs }) => atMs <= totalMs - uptimeMs);
  return judged(reboots, component, (token) => token === newest);
}

function judged(
  reboots: readonly RebootToken[],
  component: string,
  hasHelped: (token: RebootToken) => boolean,
): readonly RebootToken[] {
  const open = (token: RebootToken) => token.component === component && token.held === undefined;
  if (!reboots.some(open)) return reboots;
  return reboots.map((token) => (open(token) ? { ...token, held: hasHelped(token) } : token));
}
