// What samples of the main thread say: since when it has been stopped, asleep without waking, awake without
// sleeping or spinning. The rest of what is seen of a life is watch.ts; hang.ts judges both.

import type { Policy, ThreadSample } from './model.ts';
import { renewWatch } from './pauses.ts';
import {
  NO_SAMPLES,
  notStill,
  type Reading,
  SPINNING_SHARE,
  STILL_SWITCHES_MAX,
  type Watch,
} from './watch.ts';

/** Age of the window in which starvation is measured, when it is turned over. */
const RECENT_MS = 2_000;
/** A loop that beats wakes twice a second; a thread that only waits for others, hardly ever. */
const WAKES_MIN = 3;

export const isTraced = (sample: ThreadSample): boolean => sample.state === 't';
export const isStopped = (sample: ThreadSample): boolean =>
  sample.state === 'T' || sample.state === 'D';

/** Share of one core used between two readings. */
export function coreShare(from: Reading, to: Reading): number {
  return to.at > from.at ? (to.sample.cpuMs - from.sample.cpuMs) / (to.at - from.at) : 0;
}

/**
 * A thread that never switched is one whose counter is not kept (hidden /proc, some sandboxes): then only
 * T is believed. D counts only without switches: much disk work is slow, not stuck.
 */
function canBeStill(policy: Policy, watch: Watch, sample: ThreadSample): boolean {
  if (sample.state === 'T') return true;
  if (policy.instrumented && !watch.turns) return false;
  return (sample.state === 'S' || sample.state === 'D') && sample.voluntarySwitches > 0;
}

/**
 * Whether the main thread is the one that beats: it was seen to wake since the component became ready. In a program of
 * another language the first thread may only wait for the others all day; its sleep is no sign of anything.
 */
function turns(watch: Watch, { voluntarySwitches }: ThreadSample): boolean {
  return watch.turns || voluntarySwitches - (watch.wokenFrom ?? voluntarySwitches) >= WAKES_MIN;
}

function nextStill(policy: Policy, watch: Watch, latest: Reading): Watch['still'] {
  if (!canBeStill(policy, watch, latest.sample)) return undefined;
  const since = watch.still;
  const switches = latest.sample.voluntarySwitches - (since?.sample.voluntarySwitches ?? 0);
  if (since !== undefined && switches <= STILL_SWITCHES_MAX) return since;
  return { ...latest, beats: 0 };
}

function nextAwake({ awake }: Watch, latest: Reading): Reading {
  const slept = latest.sample.voluntarySwitches - (awake?.sample.voluntarySwitches ?? 0);
  return awake !== undefined && slept <= STILL_SWITCHES_MAX ? awake : latest;
}

/** Counters only grow within one life; when they do not, the earlier reading was of something else. */
function sameThread(before: Reading | undefined, sample: ThreadSample): boolean {
  return (
    before === undefined ||
    (sample.cpuMs >= before.sample.cpuMs &&
      sample.voluntarySwitches >= before.sample.voluntarySwitches)
  );
}

export function onSample(seen: Watch, policy: Policy, sample: ThreadSample, now: number): Watch {
  const latest = { at: now, sample };
  if (isTraced(sample)) {
    const gapMs = now - (seen.latest?.at ?? now);
    return { ...renewWatch(seen, policy, gapMs, now), latest };
  }
  const watch = sameThread(seen.latest, sample)
    ? seen
    : { ...seen, ...NO_SAMPLES, wokenFrom: undefined, turns: false };
  const [older, newer] = watch.recent;
  const turned = newer === undefined || now - newer.at >= RECENT_MS;
  const still = nextStill(policy, watch, latest);
  const woke = still === undefined || (watch.still !== undefined && still !== watch.still);
  const spins = watch.spin !== undefined && coreShare(watch.spin, latest) >= SPINNING_SHARE;
  return {
    ...watch,
    wokenFrom: watch.wokenFrom ?? sample.voluntarySwitches,
    turns: turns(watch, sample),
    previous: watch.latest,
    latest,
    sinceBeat: watch.sinceBeat ?? latest,
    sinceAnswer: watch.sinceAnswer ?? latest,
    awake: nextAwake(watch, latest),
    carried: woke ? watch.carried && notStill(watch.carried) : watch.carried,
    still,
    spin: spins ? watch.spin : latest,
    recent: turned ? [newer ?? latest, latest] : [older, newer],
  };
}
