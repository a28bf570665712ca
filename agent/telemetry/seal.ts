// Bodies of batches: pure packing of snapshots, events and results under the limits of the wire. A
// body that would be too large is cut in half until it fits, because a column's size is not known
// before it is encoded and a wrong guess would be a batch that the broker refuses for ever.

import { packBody } from '../../protocol/body.ts';
import { type CommandResult, encodeResultBody } from '../../protocol/commands.ts';
import { encodeEventBody, type TerminalEvent } from '../../protocol/events.ts';
import * as limits from '../../protocol/limits.ts';
import { encodeMetricBody, type Sample, type Snapshot } from '../../protocol/metric-body.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Encoding } from '../../protocol/wire.ts';

/** A packed body; `taken` is how many of the given items, from the first, are in it. */
export type Packed = {
  readonly encoding: Encoding;
  readonly body: Uint8Array;
  readonly taken: number;
};

/** Plain JSON of events or results in one body; leaves room below BATCH_BYTES_MAX uncompressed. */
export const TEXT_BYTES_MAX = 128 * 1024;
/** Strings longer than this are cut in an event that is too large as a whole. */
const CUT_CHARS = 500;

const seriesKey = (sample: Sample): string => `${sample.name}\0${JSON.stringify(sample.labels)}`;

function seriesFit(snapshots: readonly Snapshot[]): boolean {
  const samples = snapshots.reduce((sum, snapshot) => sum + snapshot.samples.length, 0);
  if (samples <= limits.SERIES_PER_BODY_MAX) return true;
  if (samples > limits.SAMPLES_PER_BODY_MAX) return false;
  const keys = new Set(snapshots.flatMap((snapshot) => snapshot.samples.map(seriesKey)));
  return keys.size <= limits.SERIES_PER_BODY_MAX;
}

/** @param snapshots at least one; a single one is taken whatever its size (see splitSnapshot). */
export function packSnapshots(snapshots: readonly Snapshot[]): Packed {
  let taken = Math.min(snapshots.length, limits.INSTANTS_PER_BODY_MAX);
  for (;;) {
    const chosen = snapshots.slice(0, taken);
    if (taken === 1 || seriesFit(chosen)) {
      const raw = encodeMetricBody(chosen);
      if (taken === 1 || raw.length <= limits.SEAL_BYTES) return { ...packBody(raw), taken };
    }
    taken = Math.ceil(taken / 2);
  }
}

/** Snapshots of one instant, each small enough to be a batch by itself; nothing is left out. */
export function splitSnapshot(snapshot: Snapshot): Snapshot[] {
  const { timeMs, samples } = snapshot;
  if (samples.length === 0) return [];
  const small = samples.length === 1 || encodeMetricBody([snapshot]).length <= limits.SEAL_BYTES;
  if (small && samples.length <= limits.SERIES_PER_BODY_MAX) return [snapshot];
  const middle = samples.length >>> 1;
  return [
    ...splitSnapshot({ timeMs, samples: samples.slice(0, middle) }),
    ...splitSnapshot({ timeMs, samples: samples.slice(middle) }),
  ];
}

/** How many of the texts, from the first, go into one body: at least one. */
export function fitTexts(texts: readonly { readonly length: number }[], countMax: number): number {
  let bytes = 0;
  let taken = 0;
  for (const text of texts.slice(0, countMax)) {
    // A character of JSON is at most three bytes of UTF-8 per UTF-16 unit.
    bytes += text.length * 3;
    if (taken > 0 && bytes > TEXT_BYTES_MAX) break;
    taken += 1;
  }
  return taken;
}

export const packEvents = (events: readonly TerminalEvent[]): Packed => ({
  ...packBody(encodeEventBody(events)),
  taken: events.length,
});

export const packResults = (results: readonly CommandResult[]): Packed => ({
  ...packBody(encodeResultBody(results)),
  taken: results.length,
});

type Fields = Readonly<Record<string, unknown>>;

function toJson(fields: Fields): string | undefined {
  try {
    return JSON.stringify(fields);
  } catch {
    // A cycle or a bigint: the caller's bug must not take the till's watchdog down.
    return undefined;
  }
}

const cutText = (value: unknown): unknown =>
  typeof value === 'string' && value.length > CUT_CHARS ? `${value.slice(0, CUT_CHARS)}...` : value;

/**
 * Fields that fit on the wire: evidence goes first, then long strings are cut; what was left out is
 * said in the field `omitted`.
 */
export function fitFields(fields: Fields, charsMax: number): Result<Fields> {
  const plain = toJson(fields);
  if (plain === undefined) return fail('fields are not JSON');
  if (plain.length <= charsMax) return ok(fields);
  const { evidence: _left, ...rest } = fields;
  const bare = { ...rest, omitted: 'evidence' };
  if ((toJson(bare)?.length ?? Infinity) <= charsMax) return ok(bare);
  const cut = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, cutText(value)]));
  const short = { ...cut, omitted: 'evidence and the ends of long texts' };
  if ((toJson(short)?.length ?? Infinity) <= charsMax) return ok(short);
  return fail('fields are too large even when shortened');
}
