// What is given up as the disk fills, decided from free bytes alone: first old output, then evidence, then waiting
// metrics, and near the floor everything but events and results. Worse counts at once; better only when it has
// lasted, and by a margin that what we give up ourselves cannot fill, so that a level is an answer and no flicker.
// Pure; disk-keeper.ts looks and does.

import type { EventFields } from '../protocol/events.ts';

export type DiskLevel = EventFields<'disk'>['level'];
export type DiskLimits = {
  readonly lowBytes: number;
  readonly floorBytes: number;
  readonly reserveBytes: number;
};
export type DiskReading = {
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly readOnly: boolean;
};
export type Shed = {
  readonly journal: 'all' | 'quarter' | 'least';
  /** The ring of evidence: as configured, a quarter of that, or the newest few bundles. */
  readonly evidence: 'all' | 'quarter' | 'least';
  /** What the outbox writes: everything, no backlog of metrics, or events and results only. */
  readonly outbox: 'all' | 'little' | 'urgent';
};

/** In the order in which the disk fills. Two stages of the journal are one level. */
const STAGES = ['normal', 'quarter', 'least', 'evidence', 'metrics', 'reserve'] as const;
type Stage = (typeof STAGES)[number];
const LEVEL_OF = {
  normal: 'normal',
  quarter: 'journal',
  least: 'journal',
  evidence: 'evidence',
  metrics: 'metrics',
  reserve: 'reserve',
} as const satisfies Record<Stage, DiskLevel>;
const SHED: Record<Stage, Shed> = {
  normal: { journal: 'all', evidence: 'all', outbox: 'all' },
  quarter: { journal: 'quarter', evidence: 'all', outbox: 'all' },
  least: { journal: 'least', evidence: 'all', outbox: 'all' },
  evidence: { journal: 'least', evidence: 'quarter', outbox: 'all' },
  metrics: { journal: 'least', evidence: 'quarter', outbox: 'little' },
  reserve: { journal: 'least', evidence: 'least', outbox: 'urgent' },
};
/** Where in the band between floor and low each stage begins. */
const BAND = { least: 3 / 4, evidence: 1 / 2, metrics: 1 / 4 } as const;

/**
 * On a small disk the limits are shares of it: of 50 MB, 5 are the floor, 12.5 are low, and the reserve is 1; else
 * a till with a small disk would give up everything from its first day.
 */
const FLOOR_RATIO_MAX = 0.1;
const LOW_RATIO_MAX = 0.25;
const RESERVE_RATIO_MAX = 0.02;
/** Better counts from so much above a limit, and when it has lasted. */
const MARGIN_RATIO = 1 / 8;
const CALM_MS = 30_000;

export type DiskModel = {
  readonly stage: Stage;
  readonly readOnly: boolean;
  readonly betterSinceMs: number | undefined;
};
export const NEW_DISK: DiskModel = { stage: 'normal', readOnly: false, betterSinceMs: undefined };

export type Judged = {
  readonly model: DiskModel;
  readonly level: DiskLevel;
  readonly shed: Shed;
  /** There is room for the reserve, if it is not there. */
  readonly mayReserve: boolean;
  readonly reserveBytes: number;
};

export function limitsFor(limits: DiskLimits, totalBytes: number): DiskLimits {
  const floorBytes = Math.min(limits.floorBytes, totalBytes * FLOOR_RATIO_MAX);
  return {
    floorBytes,
    lowBytes: Math.max(floorBytes, Math.min(limits.lowBytes, totalBytes * LOW_RATIO_MAX)),
    reserveBytes: Math.floor(Math.min(limits.reserveBytes, totalBytes * RESERVE_RATIO_MAX)),
  };
}

function stageAt(freeBytes: number, { lowBytes, floorBytes }: DiskLimits): Stage {
  const band = lowBytes - floorBytes;
  if (freeBytes < floorBytes) return 'reserve';
  if (freeBytes >= lowBytes) return 'normal';
  if (freeBytes < floorBytes + band * BAND.metrics) return 'metrics';
  if (freeBytes < floorBytes + band * BAND.evidence) return 'evidence';
  return freeBytes < floorBytes + band * BAND.least ? 'least' : 'quarter';
}

const rank = (stage: Stage): number => STAGES.indexOf(stage);

function nextStage(model: DiskModel, reading: DiskReading, limits: DiskLimits, now: number) {
  const { freeBytes } = reading;
  const { lowBytes, floorBytes, reserveBytes } = limits;
  const worst = stageAt(freeBytes, limits);
  if (rank(worst) >= rank(model.stage)) return { stage: worst, betterSinceMs: undefined };
  const margin = Math.max((lowBytes - floorBytes) * MARGIN_RATIO, reserveBytes * 1.5);
  const better = stageAt(freeBytes - margin, limits);
  if (rank(better) >= rank(model.stage)) return { stage: model.stage, betterSinceMs: undefined };
  const betterSinceMs = model.betterSinceMs ?? now;
  if (now - betterSinceMs < CALM_MS) return { stage: model.stage, betterSinceMs };
  return { stage: better, betterSinceMs: undefined };
}

/** @param now monotonic. */
export function judgeDisk(
  model: DiskModel,
  reading: DiskReading,
  configured: DiskLimits,
  now: number,
): Judged {
  const limits = limitsFor(configured, reading.totalBytes);
  const { stage, betterSinceMs } = nextStage(model, reading, limits, now);
  const { readOnly, freeBytes } = reading;
  const { reserveBytes, floorBytes } = limits;
  return {
    model: { stage, readOnly, betterSinceMs },
    level: readOnly ? 'read_only' : LEVEL_OF[stage],
    shed: SHED[stage],
    mayReserve: !readOnly && stage !== 'reserve' && freeBytes - reserveBytes > floorBytes,
    reserveBytes,
  };
}

/** What the NOC reads. Constant for each level. */
export const LEVEL_REASONS: Record<DiskLevel, string> = {
  normal: 'the disk has room again: everything is kept as configured',
  journal: 'the disk is getting full: less output of components is kept',
  evidence: 'the disk is getting full: less output and less evidence are kept',
  metrics: 'the disk is nearly full: waiting metrics are given up as well',
  reserve: 'the disk is full to its floor: only events and results are written',
  read_only: 'the disk is read-only: the agent supervises from memory',
};
