// The least that the time can be, known without believing whoever brings the commands: a command whose signature is
// good was issued before it came, and since then the machine has been up for as long as it counted. An operator's key
// vouches for it, so a broker that lies cannot move it, neither forward nor back; and it never goes back by itself.
// Beside it stands the broker's time, which is nearer to the truth as long as nobody lies.

import * as v from 'valibot';

/**
 * The floor runs at half the speed of time. Were it as fast, a signer whose clock was six minutes ahead once would have
 * to be six minutes ahead for ever, or nothing that it signs would be obeyed again; so true time catches up. What it
 * costs: a command that was held back is dead after twice the time that it had left, not after once.
 */
const RATE = 0.5;

/** Since boot, sleep included, and of which boot. Empty: not known, and then time only stands still. */
export type Uptime = { readonly bootId: string; readonly bootMs: number };

export const floorSchema = v.object({
  ms: v.pipe(v.number(), v.finite()),
  bootId: v.string(),
  bootMs: v.pipe(v.number(), v.finite()),
});
export type Floor = Readonly<v.InferOutput<typeof floorSchema>>;

export const NO_FLOOR: Floor = { ms: 0, bootId: '', bootMs: 0 };

/** It is at least as late as this. */
export function floorMs({ ms, bootId, bootMs }: Floor, now: Uptime): number {
  // Not known of which boot: then nothing has passed. Of an earlier one: written before this one began.
  if (bootId === '' || now.bootId === '') return ms;
  const passedMs = bootId === now.bootId ? now.bootMs - bootMs : now.bootMs;
  return ms + Math.max(0, passedMs) * RATE;
}

/** A signer whose clock was wrong must not keep commands out for longer than this once it is right. */
const AHEAD_MS_MAX = 24 * 3_600_000;
/** A clock before this was never set: then there is nothing to hold the signer's against. */
const SET_SINCE_MS = Date.UTC(2025, 0, 1);

/** What a signature vouches for, as far as the till's own clock makes it possible. */
export const likely = (knownMs: number, wallMs: number | undefined): number =>
  wallMs === undefined || wallMs < SET_SINCE_MS
    ? knownMs
    : Math.min(knownMs, wallMs + AHEAD_MS_MAX);

/** As of now, and no earlier than a moment that is past for certain. What is written outlives the boot. */
export const raised = (floor: Floor, knownMs: number, now: Uptime): Floor => ({
  ms: Math.max(floorMs(floor, now), knownMs),
  ...now,
});
