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

type Of<K extends ComponentEvent['kind']> = Extract<ComponentEvent, { kind: K }>;

export type Reading = { readonly at: number; readonly sample: ThreadSample };
export type ProbeRecord = { readonly failures: number; readonly goodAt: number };
export type WorkItem = {
  readonly name: string;
  readonly begunAt: number;
  readonly deadlineMs: number;
  readonly deadlineAt: number;
  /** Overdue for so long before pauses of the agent, which moved its deadline. */
  readonly lateMs: number;
};
/** Work that waits, as its own metrics tell. */
export type Progress = {
  readonly completed: number;
  /** Since when work waits and none was completed. */
  readonly stuckAt: number | undefined;
  readonly seenAt: number;
};
/** What pauses of the agent would have wiped out: seen while it did run on time, and never contradicted. */
export type Carried = {
  readonly silentMs: number;
  readonly stillMs: number;
  readonly failures: number;
};

export type Watch = {
  /** The last true sign of health, as seen; durations in incidents count from here. */
  readonly goodAt: number;
  /** Where silence is counted from: the last beat, or later after a pause or adoption. */
  readonly beatAt: number;
  /** Nothing is judged before this. */
  readonly graceUntil: number;
  /** When the agent was last paused, and how many times in a row (pauses.ts). */
  readonly pausedAt: number;
  readonly pausesInRow: number;
  readonly carried: Carried | undefined;
  readonly progress: Progress | undefined;
  /** When the whole machine was last seen starved (PSI). */
  readonly pressedAt: number | undefined;
  /** Innermost frame of its silence, and whether a later look found the same. */
  readonly frame: string | undefined;
  readonly sameFrame: boolean;
  /** The later look was asked for. */
  readonly lookedAgain: boolean;
  /** Its switches when it was first looked at after it became ready, and whether it has woken since. */
  readonly wokenFrom: number | undefined;
  readonly turns: boolean;
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

export const NO_SAMPLES = {
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
  pausedAt: Number.NEGATIVE_INFINITY,
  pausesInRow: 0,
  carried: undefined,
  progress: undefined,
  pressedAt: undefined,
  frame: undefined,
  sameFrame: false,
  lookedAgain: false,
  wokenFrom: undefined,
  turns: false,
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
  wokenFrom: undefined,
  turns: false,
  sinceBeat: undefined,
  sinceAnswer: undefined,
  probes: new Map(),
});

/** What is left of it after a beat; after a good probe; when its thread woke. */
const notSilent = (carried: Carried): Carried => ({ ...carried, silentMs: 0 });
const notFailing = (carried: Carried): Carried => ({ ...carried, failures: 0 });
export const notStill = (carried: Carried): Carried => ({ ...carried, stillMs: 0 });

export function onBeat(watch: Watch, now: number): Watch {
  const still = watch.still && { ...watch.still, beats: watch.still.beats + 1 };
  return {
    ...watch,
    goodAt: now,
    beatAt: now,
    carried: watch.carried && notSilent(watch.carried),
    frame: undefined,
    sameFrame: false,
    lookedAgain: false,
    sinceBeat: undefined,
    still,
  };
}

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
  const carried = event.ok ? watch.carried && notFailing(watch.carried) : watch.carried;
  return { ...watch, goodAt, sinceAnswer, carried, probes };
}

export function onBegin(watch: Watch, event: Of<'begin'>, now: number): Watch {
  if (!watch.work.has(event.id) && watch.work.size >= WORK_ITEMS_MAX) {
    return { ...watch, dropped: watch.dropped + 1 };
  }
  const { id, name, deadlineMs } = event;
  const deadlineAt = now + Math.min(event.leftMs ?? deadlineMs, deadlineMs);
  const item = { name, begunAt: deadlineAt - deadlineMs, deadlineMs, deadlineAt, lateMs: 0 };
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
  const carried = watch.carried && notSilent(watch.carried);
  return { ...watch, beatAt: now, carried, sinceBeat: undefined, work };
}

/** Progress on an item: its deadline counts from now. */
export function onTouch(watch: Watch, id: string, now: number): Watch {
  const item = watch.work.get(id);
  if (item === undefined) return watch;
  const touched = { ...item, begunAt: now, deadlineAt: now + item.deadlineMs, lateMs: 0 };
  return { ...watch, work: new Map(watch.work).set(id, touched) };
}

export function onEnd(watch: Watch, id: string): Watch {
  if (!watch.work.has(id)) return watch;
  const work = new Map(watch.work);
  work.delete(id);
  return { ...watch, work };
}

/** Waiting work that is the fault of somebody else is no lack of progress. */
export function onProgress(watch: Watch, event: Of<'progress'>, now: number): Watch {
  const { waiting, completed, remoteDown } = event;
  const before = watch.progress;
  const moved = before === undefined || completed !== before.completed;
  const isIdle = remoteDown || !(waiting > 0);
  const stuckAt = isIdle ? undefined : ((moved ? undefined : before.stuckAt) ?? now);
  return { ...watch, progress: { completed, stuckAt, seenAt: now } };
}

/** The stack of a main thread that is silent: the same frame twice is a proof. */
export function onFrame(watch: Watch, frame: string): Watch {
  if (watch.frame === undefined) return { ...watch, frame };
  return { ...watch, frame, sameFrame: watch.frame === frame };
}
