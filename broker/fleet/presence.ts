// When a terminal is late and when it is lost. Each has a rhythm of its own (its configuration says how often it
// sends, its line how evenly that arrives), so the time it gets follows its rhythm: mean and mean deviation of
// the intervals between its live batches, as TCP estimates a round trip [Jacobson and Karels, Congestion
// Avoidance and Control, 1988; RFC 6298, section 2]. Not phi accrual [Hayashibara and others, 2004]: that keeps a
// window of intervals for each terminal, where two numbers do, and takes the intervals to be normally
// distributed, which a line that loses packets never is. Pure, and on the monotonic clock of one run of the
// broker: wall clocks are set, and a broker that was down itself has heard nobody.

export const PRESENCES = ['never', 'online', 'late', 'lost'] as const;
export type Presence = (typeof PRESENCES)[number];

/**
 * How long a terminal may be silent, at least. One that sends each minute or less often has in proportion more,
 * so that one batch may be missing, but is lost after `silentMsMax`.
 */
export type PresenceLimits = {
  readonly lateMs: number;
  readonly lostMs: number;
  readonly silentMsMax?: number | undefined;
};
/** Somebody should know of a silent terminal within two hours, however seldom it sends. */
export const SILENT_MS_MAX = 2 * 3_600_000;

/** The rhythm of a terminal's live batches. */
export type Pulse = {
  readonly meanMs: number;
  readonly deviationMs: number;
  /** How often it says that it sends; 0 when it did not say. */
  readonly saidMs: number;
};
export const NO_PULSE: Pulse = { meanMs: 0, deviationMs: 0, saidMs: 0 };

/** What is known of one terminal in this run of the broker; times are monotonic. */
export type Run = {
  /** Last sign of life. */
  readonly signMs: number | undefined;
  /** Arrival of the last live batch in this session: an interval begins there. */
  readonly liveMs: number | undefined;
  /** Since when there is no session any more, where there was one. */
  readonly brokenMs: number | undefined;
  /** Sessions opened since it last said anything. */
  readonly knocks: number;
};
export const NO_RUN: Run = {
  signMs: undefined,
  liveMs: undefined,
  brokenMs: undefined,
  knocks: 0,
};

/** Now, as presence has to see it (listening.ts). */
export type Moment = {
  readonly wallMs: number;
  readonly nowMs: number;
  /** Up to when the registry has heard: monotonic time, less what it is behind the ledger. */
  readonly heardMs: number;
  /** Nobody's silence counts before: the broker itself was not listening. */
  readonly fairMs: number;
};

/** Gains of RFC 6298, 2.3. */
const MEAN_GAIN = 1 / 8;
const DEVIATION_GAIN = 1 / 4;
/** It falls slower than it rises: a line that was rough an hour ago will be so again. */
const DEVIATION_GAIN_DOWN = 1 / 32;
const DEVIATIONS = 4;
/** Of the expected interval: of a minute it is the time in which a batch is sent again (agent, window.ts). */
const MARGIN_RATIO = 2 / 3;
/** A batch that follows so soon belongs to a burst. */
const BURST_MS = 1_000;
/** A broken connection makes late come so many times sooner; agents connect again within seconds. */
const BROKEN_HASTE = 3;

export type Patience = { readonly lateMs: number; readonly lostMs: number };

const clamp = (value: number, least: number, most: number): number =>
  Math.max(least, Math.min(most, value));

/** How long this terminal may be silent. */
export function patienceOf(pulse: Pulse, limits: PresenceLimits): Patience {
  const { lateMs, lostMs } = limits;
  const silentMsMax = Math.max(lostMs, limits.silentMsMax ?? SILENT_MS_MAX);
  const expectedMs = Math.max(pulse.meanMs, pulse.saidMs);
  const marginMs = Math.max(DEVIATIONS * pulse.deviationMs, MARGIN_RATIO * expectedMs);
  const ratio = lostMs / lateMs;
  const late = clamp(expectedMs + marginMs, lateMs, silentMsMax / ratio);
  return { lateMs: late, lostMs: clamp(late * ratio, lostMs, silentMsMax) };
}

/** One more interval between live batches; a long one cannot teach it more than it was given. */
export function learn(pulse: Pulse, intervalMs: number, limits: PresenceLimits): Pulse {
  if (!(intervalMs >= BURST_MS)) return pulse;
  const heardMs = Math.min(intervalMs, patienceOf(pulse, limits).lostMs);
  const { meanMs, deviationMs } = pulse;
  // Not the half of RFC 6298: a timer ends its intervals, not a network of unknown length.
  if (meanMs === 0) return { ...pulse, meanMs: heardMs, deviationMs: heardMs / 8 };
  const error = heardMs - meanMs;
  const gain = Math.abs(error) > deviationMs ? DEVIATION_GAIN : DEVIATION_GAIN_DOWN;
  return {
    ...pulse,
    meanMs: meanMs + MEAN_GAIN * error,
    deviationMs: deviationMs + gain * (Math.abs(error) - deviationMs),
  };
}

/** A session is open: a sign of life, but only once until it says something. */
export const opened = (run: Run, atMs: number): Run => ({
  signMs: run.knocks === 0 ? Math.max(run.signMs ?? atMs, atMs) : run.signMs,
  liveMs: undefined,
  brokenMs: undefined,
  knocks: run.knocks + 1,
});

/** The last session ended: no sign of life, it may be noticed long after the last one. */
export const broken = (run: Run, atMs: number): Run => ({
  ...run,
  liveMs: undefined,
  brokenMs: atMs,
});

/** A batch came, and if it was live, an interval may have ended. */
export function spoke(
  run: Run,
  pulse: Pulse,
  atMs: number,
  isLive: boolean,
  limits: PresenceLimits,
): { readonly run: Run; readonly pulse: Pulse } {
  const signMs = Math.max(run.signMs ?? atMs, atMs);
  const heard = { ...run, signMs, knocks: 0 };
  if (!isLive) return { run: heard, pulse };
  const isInterval = run.liveMs !== undefined && atMs - run.liveMs >= BURST_MS;
  return {
    run: { ...heard, liveMs: isInterval || run.liveMs === undefined ? atMs : run.liveMs },
    pulse: isInterval ? learn(pulse, atMs - (run.liveMs ?? atMs), limits) : pulse,
  };
}

function afterSilence(
  signMs: number,
  brokenMs: number | undefined,
  nowMs: number,
  { lateMs, lostMs }: Patience,
): Presence {
  const silentMs = nowMs - signMs;
  if (silentMs > lostMs) return 'lost';
  const brokenFor = brokenMs === undefined ? 0 : nowMs - Math.max(brokenMs, signMs);
  return silentMs > lateMs || brokenFor > lateMs / BROKEN_HASTE ? 'late' : 'online';
}

/** Nothing is worse than never: only a sign of life ends it. */
const RANK: Readonly<Record<Presence, number>> = { online: 0, late: 1, lost: 2, never: 3 };

/** The broker itself threw it out: nobody has to wait for its silence, and what came before is no sign of life. */
export const afterCut = (before: Presence): Presence => (before === 'never' ? 'never' : 'lost');

/**
 * Better only by a sign of life, worse only by silence while the broker listened. That is all there is to it:
 * neither a start of the broker nor a change of a setting makes a dead terminal live.
 */
export function judge(
  before: Presence,
  { run, pulse }: { readonly run: Run; readonly pulse: Pulse },
  isSign: boolean,
  moment: Moment,
  limits: PresenceLimits,
): Presence {
  const { heardMs, fairMs } = moment;
  const patience = patienceOf(pulse, limits);
  const { signMs, brokenMs } = run;
  if (isSign && signMs !== undefined) {
    const since = afterSilence(signMs, undefined, heardMs, patience);
    if (RANK[since] < RANK[before]) return since;
  }
  const fairly = Math.max(signMs ?? fairMs, fairMs);
  const now = afterSilence(fairly, brokenMs, heardMs, patience);
  return RANK[now] > RANK[before] ? now : before;
}
