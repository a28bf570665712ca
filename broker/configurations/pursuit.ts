// Which terminals get what is released for them by themselves, pure: those that were away or not enrolled when it was
// rolled out, a few at a time and one of a store, never what they refused, and no more of a version that too many
// could not run: a night in which every till that comes back goes down once more must not be.

import type { Meant } from './resolve.ts';
import type { Sending } from './store.ts';

const MINUTE_MS = 60_000;
/** Under way at one time: of the terminals that are there, and at least. */
const SHARE = 0.01;
export const PURSUED_MIN = 5;
/** What was not refused in words is tried again, later each time: it was away, busy, or in somebody's hands. */
export const TRIES_MAX = 3;
const AGAIN_MS = [MINUTE_MS, 10 * MINUTE_MS, 60 * MINUTE_MS] as const;
/** A version is held when so many could not run it, and more than the bulk's own share of those that tried. */
const FAILED_MIN = 3;

export type Wanted = {
  readonly terminal: string;
  readonly store: string;
  readonly target: Meant;
};

const isOf = (sending: Sending, { name, version, sha256 }: Meant): boolean =>
  sending.name === name && sending.version === version && sending.sha256 === sha256;
export const isUnderWay = ({ outcome }: Sending): boolean => outcome === '';

export const pursuedMax = (connected: number): number =>
  Math.max(PURSUED_MIN, Math.floor(connected * SHARE));

/** @returns why it is not sent to this one again. */
export function givenUpFor(sending: Sending | undefined, target: Meant): string | undefined {
  if (sending === undefined || !isOf(sending, target) || isUnderWay(sending)) return undefined;
  if (sending.tries < TRIES_MAX) return undefined;
  return `tried ${sending.tries} times: ${sending.reason}`;
}

function isDue(sending: Sending | undefined, target: Meant, nowMs: number): boolean {
  if (sending === undefined || !isOf(sending, target)) return true;
  if (isUnderWay(sending) || sending.tries >= TRIES_MAX) return false;
  const waitMs = AGAIN_MS[Math.min(sending.tries, AGAIN_MS.length) - 1] ?? 0;
  // A clock that was set back makes nobody wait for ever.
  return nowMs >= sending.atMs + waitMs || nowMs < sending.atMs - MINUTE_MS;
}

/** @param failurePercent as bulk actions stop. @returns why a version is not sent by itself any more. */
export function heldFor(
  target: Pick<Meant, 'name' | 'version' | 'sha256'>,
  sendings: Iterable<Sending>,
  failurePercent: number,
): string | undefined {
  let [failed, ended] = [0, 0];
  for (const sending of sendings) {
    if (!isOf(sending, target as Meant) || isUnderWay(sending)) continue;
    if (sending.outcome === 'failed') failed += 1;
    if (sending.outcome === 'failed' || sending.outcome === 'succeeded') ended += 1;
  }
  if (failed < FAILED_MIN || failed * 100 <= failurePercent * ended) return undefined;
  return `${failed} of ${ended} that came back could not run it`;
}

/** @param wanted behind, there, and in no bulk action. @returns those that get it now. */
export function choose(
  wanted: readonly Wanted[],
  sendings: ReadonlyMap<string, Sending>,
  facts: {
    readonly nowMs: number;
    readonly room: number;
    readonly busyStores: ReadonlySet<string>;
  },
): readonly Wanted[] {
  const busy = new Set(facts.busyStores);
  const chosen: Wanted[] = [];
  for (const one of wanted) {
    if (chosen.length >= facts.room) break;
    if (busy.has(one.store)) continue;
    if (!isDue(sendings.get(one.terminal), one.target, facts.nowMs)) continue;
    busy.add(one.store);
    chosen.push(one);
  }
  return chosen;
}
