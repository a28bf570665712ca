// How a device that cannot be talked to is recovered, as data: for each kind of fault the rungs in their
// order, how often each is tried and how long to pause (research/pos.md 1.4). Only faults of the talking
// are here. What a device says about itself - paper out, cover open, too heavy - has no ladder: only a
// human mends it, and restarting a process because of an empty roll would be a fault of ours.

import type { ErrorCode } from './upos.ts';

/** Why we could not talk to the device; never something that it said. */
export const FAULTS = ['absent', 'claimed', 'silent', 'stuck', 'garbage', 'wedged'] as const;
export type Fault = (typeof FAULTS)[number];

/** clear: what the device holds in its buffers goes. restart: of this process, by its supervisor. */
export type Rung = 'probe' | 'clear' | 'reopen' | 'restart';
export type Step = {
  readonly rung: Rung;
  /** Infinity on the last rung of each ladder: a device that comes back is always found. */
  readonly times: number;
  readonly pauseMsMin: number;
  readonly pauseMsMax: number;
};

const step = (rung: Rung, times: number, pauseMsMin: number, pauseMsMax = pauseMsMin): Step => ({
  rung,
  times,
  pauseMsMin,
  pauseMsMax,
});
const probe = (times: number): Step => step('probe', times, 250);
const clear = (times: number): Step => step('clear', times, 250);
const restart = step('restart', 1, 1_000);
const FOR_EVER = Number.POSITIVE_INFINITY;
/** A USB adapter is back after 1 to 5 s, a network printer after its reboot. */
const reopen = (times: number): Step => step('reopen', times, 250, 10_000);

export const LADDERS: Readonly<Record<Fault, readonly Step[]>> = {
  /** The port opens, nothing answers: three looks in all, then by and by the larger means. */
  silent: [probe(2), clear(1), reopen(4), restart, reopen(FOR_EVER)],
  /** Written bytes are not taken. A probe would only wait behind them. */
  stuck: [reopen(2), restart, reopen(FOR_EVER)],
  /** Answers about itself but processes nothing: waits for the rest of an image. No restart mends that. */
  wedged: [clear(2), reopen(1), step('clear', FOR_EVER, 5_000, 60_000)],
  /** Not there. Network printers that vanish for long have come back after a restart of the till. */
  absent: [reopen(30), restart, reopen(FOR_EVER)],
  claimed: [reopen(3), restart, reopen(FOR_EVER)],
  /** Another speed: each reopening tries the next of the configured ones. No restart mends a setting. */
  garbage: [probe(1), reopen(FOR_EVER)],
};

export const FAULT_CODES: Readonly<Record<Fault, ErrorCode>> = {
  absent: 'E_NOHARDWARE',
  claimed: 'E_CLAIMED',
  silent: 'E_TIMEOUT',
  stuck: 'E_TIMEOUT',
  wedged: 'E_FAILURE',
  garbage: 'E_NOSERVICE',
};

export type Place = { readonly step: Step; readonly attempt: number };

/** @param failures how often the fault was seen in a row, from 1. @returns the rung and its own attempt. */
export function rungAt(fault: Fault, failures: number): Place {
  let left = Math.max(0, failures - 1);
  for (const one of LADDERS[fault]) {
    if (left < one.times) return { step: one, attempt: left };
    left -= one.times;
  }
  throw new Error(`the ladder of ${fault} has an end`);
}

/** Doubles from the least to the most; the caller adds jitter. */
export const pauseMsOf = ({ step: { pauseMsMin, pauseMsMax }, attempt }: Place): number =>
  Math.min(pauseMsMax, pauseMsMin * 2 ** Math.min(attempt, 20));
