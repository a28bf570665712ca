// What has been seen of one life of a component: beats, probes, work items and the baselines against which
// samples of its main thread are held. Only bookkeeping; hang.ts judges. A few baselines instead of a list
// of samples, because this runs four times a second for ever and each rule needs only "since when has it
// been like this". Maps, not objects, for keys that a component chooses: `__proto__` is only a name here.

import type { ComponentEvent, Policy, ThreadSample } from './model.ts';

/** Work items remembered at once; further ones are counted and not watched. */
export const WORK_ITEMS_MAX = 256;
export const PROBES_MAX = 16;
/** Share of a core from which a thread counts as spinning (design.md section 4, Hangs). */
export const SPINNING_SHARE = 0.8;
/** Voluntary switches that a thread may make and still count as not waking. */
export const STILL_SWITCHES_MAX = 1;
/** Age of the window in which starvation is measured, when it is turned over. */
const RECENT_MS = 2_000;

export type Reading = { readonly at: number; readonly sample: ThreadSample };
export type ProbeRecord = { readonly failures: number; readonly goodAt: number };
export type WorkItem = {
  readonly name: string;
  readonly begunAt: number;
  readonly deadlineMs: number;
  readonly deadlineAt: number;
};

export type Watch = {
  /** The last true sign of health, as seen; durations in incidents count from here. */
  readonly goodAt: number;
  /** Where silence is counted from: the last beat, or later after a pause or adoption. */
  readonly beatAt: number;
  /** Nothing is judged before this. */
  readonly graceUntil: number;
  readonly previous: Reading | undefined;
  readonly latest: Reading | undefined;
  /** First sample after the last beat. */
  readonly sinceBeat: Reading | undefined;
  /** First sample after a probe was answered, or after it became ready. */
  readonly sinceAnswer: Reading | undefined;
  /** Since when the thread has been stopped or asleep without waking, and beats meanwhile. */
  readonly still: (Reading & { readonly beats: number }) | undefined;
  /** Since when it has not once gone to sleep, whatever share of a core it got. */
  readonly awake: Reading | undefined;
  /** Since when it has used a whole core. */
  readonly spin: Reading | undefined;
  /** Two turns of a rolling window for starvation. */
  readonly recent: readonly [older: Reading | undefined, newer: Reading | undefined];
  readonly probes: ReadonlyMap<string, ProbeRecord>;
  readonly work: ReadonlyMap<string, WorkItem>;
  /** Items not watched because there were too many. */
  readonly dropped: number;
};

const NO_SAMPLES = {
  previous: undefined,
  latest: undefined,
  sinceBeat: undefined,
  sinceAnswer: undefined,
  awake: undefined,
  still: undefined,
  spin: undefined,
  recent: [undefined, undefined],
} as const;

export const newWatch = (now: number): Watch => ({
  goodAt: now,
  beatAt: now,
  graceUntil: now,
  ...NO_SAMPLES,
  probes: new Map(),
  work: new Map(),
  dropped: 0,
});

/** Judging begins: ready at `now`. What was sampled while it started stays as a baseline. */
export const watchFromReady = (watch: Watch, now: number): Watch => ({
  ...watch,
  goodAt: now,
  beatAt: now,
  sinceBeat: undefined,
  sinceAnswer: undefined,
  probes: new Map(),
});

/**
 * The agent was away, or a human held the component: what was seen before proves nothing, so every proof
 * begins anew, each deadline moves by the gap and nothing is judged for one full period.
 * `goodAt` stays: it is what happened, not what is judged.
 */
export function renewWatch(watch: Watch, policy: Policy, gapMs: number, now: number): Watch {
  const graceUntil = now + policy.blockedMs;
  const work = new Map<string, WorkItem>();
  for (const [id, item] of watch.work) {
    work.set(id, { ...item, deadlineAt: Math.max(item.deadlineAt + gapMs, graceUntil) });
  }
  const probes = new Map<string, ProbeRecord>();
  for (const [name, record] of watch.probes) probes.set(name, { ...record, failures: 0 });
  return { ...watch, ...NO_SAMPLES, beatAt: now, graceUntil, probes, work };
}

export function onBeat(watch: Watch, now: number): Watch {
  const still = watch.still && { ...watch.still, beats: watch.still.beats + 1 };
  return { ...watch, goodAt: now, beatAt: now, sinceBeat: undefined, still };
}

type Of<K extends ComponentEvent['kind']> = Extract<ComponentEvent, { kind: K }>;

export function onProbe(watch: Watch, policy: Policy, event: Of<'probe'>, now: number): Watch {
  const record = watch.probes.get(event.probe);
  if (record === undefined && watch.probes.size >= PROBES_MAX) return watch;
  const probes = new Map(watch.probes);
  const next = event.ok
    ? { failures: 0, goodAt: now }
    : { failures: (record?.failures ?? 0) + 1, goodAt: record?.goodAt ?? watch.goodAt };
  probes.set(event.probe, next);
  // For a black box a good probe is the sign of health that a beat is for the others.
  const goodAt = event.ok && !policy.instrumented ? now : watch.goodAt;
  const sinceAnswer = event.ok ? undefined : watch.sinceAnswer;
  return { ...watch, goodAt, sinceAnswer, probes };
}

export function onBegin(watch: Watch, event: Of<'begin'>, now: number): Watch {
  if (!watch.work.has(event.id) && watch.work.size >= WORK_ITEMS_MAX) {
    return { ...watch, dropped: watch.dropped + 1 };
  }
  const { id, name, deadlineMs } = event;
  const deadlineAt = now + Math.min(event.leftMs ?? deadlineMs, deadlineMs);
  const item = { name, begunAt: deadlineAt - deadlineMs, deadlineMs, deadlineAt };
  return { ...watch, work: new Map(watch.work).set(id, item) };
}

/** What lasts is said again; the end of what does not may have been lost with the old connection. */
export const onConnected = (watch: Watch): Watch => ({ ...watch, work: new Map() });

/** Beats and ends of work may wait with the rest: neither silence nor overdue work proves anything. */
export function onDelayed(watch: Watch, policy: Policy, now: number): Watch {
  const work = new Map<string, WorkItem>();
  for (const [id, item] of watch.work) {
    work.set(id, { ...item, deadlineAt: Math.max(item.deadlineAt, now + policy.blockedMs) });
  }
  return { ...watch, beatAt: now, sinceBeat: undefined, work };
}

/** Progress on an item: its deadline counts from now. */
export function onTouch(watch: Watch, id: string, now: number): Watch {
  const item = watch.work.get(id);
  if (item === undefined) return watch;
  const touched = { ...item, begunAt: now, deadlineAt: now + item.deadlineMs };
  return { ...watch, work: new Map(watch.work).set(id, touched) };
}

export function onEnd(watch: Watch, id: string): Watch {
  if (!watch.work.has(id)) return watch;
  const work = new Map(watch.work);
  work.delete(id);
  return { ...watch, work };
}

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
function canBeStill(sample: ThreadSample): boolean {
  if (sample.state === 'T') return true;
  return (sample.state === 'S' || sample.state === 'D') && sample.voluntarySwitches > 0;
}

function nextStill(watch: Watch, latest: Reading): Watch['still'] {
  if (!canBeStill(latest.sample)) return undefined;
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
  const watch = sameThread(seen.latest, sample) ? seen : { ...seen, ...NO_SAMPLES };
  const [older, newer] = watch.recent;
  const turned = newer === undefined || now - newer.at >= RECENT_MS;
  const spins = watch.spin !== undefined && coreShare(watch.spin, latest) >= SPINNING_SHARE;
  return {
    ...watch,
    previous: watch.latest,
    latest,
    sinceBeat: watch.sinceBeat ?? latest,
    sinceAnswer: watch.sinceAnswer ?? latest,
    awake: nextAwake(watch, latest),
    still: nextStill(watch, latest),
    spin: spins ? watch.spin : latest,
    recent: turned ? [newer ?? latest, latest] : [older, newer],
  };
}
