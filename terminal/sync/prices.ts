// Keeps the lane's price list fresh: asks with the entity tag of what is on disk, and swaps a new list in
// whole - checked, written aside, synced, renamed - so that the sale never sees half of one (research/pos.md
// 6). The tag lives in the snapshot itself: a file that was lost or spoiled is simply fetched again. A
// list that the head office confirmed unchanged gets a new file time, from which its age is told.

import { readFileSync, statSync, utimesSync } from 'node:fs';
import * as v from 'valibot';
import { checkJson, identifier, minor, sku } from '../shared/check.ts';
import { writeAtomically } from '../shared/files.ts';
import type { Log } from '../shared/log.ts';
import { backoffCeilingMs, fullJitterMs, type Loop, startLoop } from '../shared/loops.ts';
import { type Answer, request } from '../shared/request.ts';
import { fail, ok, type Result, saying } from '../shared/result.ts';
import type { Uplink } from './uplink.ts';

const TIMEOUT_MS = 20_000;
const BACKOFF_MS_MIN = 500;

const listSchema = v.object({
  version: identifier,
  currency: v.pipe(v.string(), v.regex(/^[A-Z]{3}$/, 'use three capital letters')),
  products: v.pipe(
    v.array(v.object({ sku, name: v.pipe(v.string(), v.maxLength(80)), priceMinor: minor })),
    v.minLength(1, 'a price list has at least one product'),
  ),
});
const snapshotSchema = v.object({
  ...listSchema.entries,
  etag: v.pipe(v.string(), v.regex(/^(W\/)?"[\x21\x23-\x7e]{1,200}"$/, 'give an entity tag')),
});
type Snapshot = v.InferOutput<typeof snapshotSchema>;

export type PriceState = { readonly version: string; readonly confirmedMs: number } | undefined;
type Ground = {
  readonly centreUrl: string;
  readonly store: string;
  readonly file: string;
  readonly everyMs: number;
  readonly backoffMsMax: number;
  readonly uplink: Uplink;
  readonly log: Log;
  readonly now: () => number;
};

function readSnapshot(file: string): Snapshot | undefined {
  try {
    const read = checkJson(snapshotSchema, readFileSync(file, 'utf8'));
    return read.ok ? read.value : undefined;
  } catch {
    return undefined;
  }
}

/** @returns the new snapshot, or undefined when the present one was confirmed. */
function understand(answered: Answer, present: Snapshot | undefined): Result<Snapshot | undefined> {
  if (answered.status === 304 && present !== undefined) return ok(undefined);
  if (answered.status !== 200) return fail(`the head office answered ${answered.status}`);
  const list = checkJson(listSchema, answered.body);
  if (!list.ok) return fail(`the price list is not one: ${list.reason}`);
  // Without a tag the next request cannot be conditional; the weakest true one is the version.
  const etag = answered.headers.etag ?? `W/"${list.value.version}"`;
  return ok({ ...list.value, etag });
}

export function startPrices(ground: Ground): { loop: Loop; state: () => PriceState } {
  const { file, uplink, log, now } = ground;
  const onDisk = readSnapshot(file);
  let state: PriceState = onDisk && {
    version: onDisk.version,
    confirmedMs: statSync(file).mtimeMs,
  };
  let attempt = 0;

  async function fetchOnce(signal: AbortSignal): Promise<Result<void>> {
    const present = readSnapshot(file);
    const answered = await request(ground.centreUrl, {
      method: 'GET',
      path: `/stores/${ground.store}/prices`,
      headers: present ? { 'if-none-match': present.etag } : {},
      timeoutMs: TIMEOUT_MS,
      signal,
    });
    if (!answered.ok) return answered;
    const understood = understand(answered.value, present);
    if (!understood.ok) return understood;
    const atMs = now();
    try {
      if (understood.value) {
        writeAtomically(file, JSON.stringify(understood.value));
        log.info('price list fetched', { version: understood.value.version });
      } else utimesSync(file, atMs / 1000, atMs / 1000);
    } catch (error) {
      return fail(`the price list cannot be written: ${saying(error)}`);
    }
    const version = understood.value?.version ?? present?.version ?? '';
    state = { version, confirmedMs: atMs };
    uplink.answered();
    return ok(undefined);
  }

  const loop = startLoop(log, async (signal) => {
    const fetched = await fetchOnce(signal);
    if (signal.aborted) return 0;
    if (fetched.ok) {
      attempt = 0;
      return ground.everyMs;
    }
    uplink.failed(fetched.reason);
    attempt += 1;
    return fullJitterMs(backoffCeilingMs(attempt - 1, BACKOFF_MS_MIN, ground.backoffMsMax));
  });
  return { loop, state: () => state };
}
