// Ends what a demo started: what it knows by its own records, and whatever carries its mark. Used when a
// demo ends, and by a new demo for what an earlier one of the same folder left after a kill -9 (one that
// still runs is never ended from here, see claim.ts).

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { findMarked, type Identity, isAlive, signalTo } from './identity.ts';

export const RUN_ROOT_PREFIX = 'tillwatch-';

const POLL_MS = 50;
const KILL_ROUNDS_MAX = 20;

const identitySchema = v.object({
  bootId: v.string(),
  pid: v.pipe(v.number(), v.integer(), v.minValue(2)),
  startTicks: v.string(),
});
const recordsSchema = v.object({
  demo: identitySchema,
  processes: v.array(identitySchema),
  /** The temporary folder with its sockets. */
  runRoot: v.string(),
});
export type Records = v.InferOutput<typeof recordsSchema>;

/** Removes a demo's temporary folder; only one that is named as makePlace names it. */
export function removeRunRoot(path: string): void {
  if (basename(path).startsWith(RUN_ROOT_PREFIX)) rmSync(path, { recursive: true, force: true });
}

export function writeRecords(file: string, records: Records): void {
  writeFileSync(`${file}.new`, JSON.stringify(records), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function readRecords(file: string): Records | undefined {
  try {
    return v.parse(recordsSchema, JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined; // none, or half a file of a machine that lost power: the marks remain
  }
}

export async function waitUntilGone(of: () => Identity[], msMax: number): Promise<Identity[]> {
  const untilMs = performance.now() + msMax;
  for (;;) {
    const left = of();
    if (left.length === 0 || performance.now() >= untilMs) return left;
    await sleep(POLL_MS);
  }
}

/** SIGKILL to all that carry the mark, again and again until none does: a till may be starting children. */
export async function killMarked(
  mark: string,
  known: readonly Identity[] = [],
): Promise<Identity[]> {
  const alive = () => {
    const marked = findMarked(mark);
    const pids = new Set(marked.map(({ pid }) => pid));
    return [...marked, ...known.filter((one) => !pids.has(one.pid) && isAlive(one))];
  };
  for (let round = 0; round < KILL_ROUNDS_MAX; round += 1) {
    const left = alive();
    if (left.length === 0) return [];
    for (const one of left) signalTo(one, 'SIGKILL');
    await waitUntilGone(() => left.filter(isAlive), 1_000);
  }
  return alive();
}

/**
 * Ends what an earlier demo of this folder left; its own process is gone.
 * @returns how many processes it ended, and which would not end
 */
export async function endEarlier(
  file: string,
  mark: string,
  tell: (count: number) => void,
): Promise<{ ended: number; left: Identity[] }> {
  const records = readRecords(file);
  const present = (records?.processes ?? []).filter(isAlive);
  const count = new Set([...present, ...findMarked(mark)].map(({ pid }) => pid)).size;
  if (count === 0) {
    if (records !== undefined) removeRunRoot(records.runRoot);
    return { ended: 0, left: [] };
  }
  tell(count);
  const left = await killMarked(mark, present);
  if (records !== undefined) removeRunRoot(records.runRoot);
  return { ended: count - left.length, left };
}
