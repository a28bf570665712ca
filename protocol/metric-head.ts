// What a series is called, read from the bytes of its message. The same names come with every body of
// every terminal, so that those that were read and checked are kept by their very bytes: a known one costs
// a look instead of ten strings, and whoever keeps series holds one array of labels for all of them. This
// is no state that decoding depends on: without it everything is only slower.

import * as limits from './limits.ts';
import type { ByteReader } from './metric-bytes.ts';
import { fail, ok, type Result } from './result.ts';

export type Head = {
  readonly name: string;
  /** name, value, name, value ... sorted by name, each name once. */
  readonly labels: readonly string[];
  /** The label by which it says whose it is: `store` or `terminal`. */
  readonly own: string | undefined;
};

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** Two hundred series in forty mixes of versions; of two that meet in one place the later one stays. */
const PLACES = 8_192;
/** Longer ones are read each time: they are somebody's nonsense and would only take memory. */
const KEPT_BYTES_MAX = 384;

/** The numbers of one body or of one series, as they came. */
export type Numbers = number[];
/** One series as its message says. */
export type Entry = {
  readonly head: Head;
  readonly at: Numbers;
  readonly whole: Numbers;
  readonly scaled: Numbers;
  readonly plain: Numbers;
  readonly decimals: number;
};

/**
 * `next`: what came behind it the last time, which is nearly always what comes behind it again. `gone`: its place was
 * taken; then it leads nowhere, or what is gone would hold on to all that went before.
 */
type Kept = {
  readonly bytes: Uint8Array;
  readonly entry: Entry;
  next: Kept | undefined;
  gone: boolean;
};
const kept: (Kept | undefined)[] = Array.from({ length: PLACES }, () => undefined);
let last: Kept | undefined;
/** Of an entry that is nothing but its head; never written to. */
const NONE: Numbers = [];
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** FNV-1a over the bytes. */
function placeOf(data: Uint8Array, from: number, until: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < until; i += 1) hash = Math.imul(hash ^ (data[i] as number), 0x01000193);
  return (hash ^ (hash >>> 15)) & (PLACES - 1);
}

function isAt({ bytes }: Kept, data: Uint8Array, from: number, until: number): boolean {
  if (bytes.length !== until - from) return false;
  // From behind: what differs is mostly the last label.
  for (let i = bytes.length - 1; i >= 0; i -= 1) if (bytes[i] !== data[from + i]) return false;
  return true;
}

/** The series that exactly these bytes are, without values of its own, when it is known. */
export function knownEntry(data: Uint8Array, from: number, until: number): Entry | undefined {
  const guess = last?.next;
  if (guess !== undefined && !guess.gone && isAt(guess, data, from, until)) {
    last = guess;
    return guess.entry;
  }
  const found = kept[placeOf(data, from, until)];
  if (found === undefined || !isAt(found, data, from, until)) return undefined;
  if (last !== undefined && !last.gone) last.next = found;
  last = found;
  return found.entry;
}

export function keepHead(data: Uint8Array, from: number, until: number, head: Head): void {
  if (until - from > KEPT_BYTES_MAX) return;
  const entry = { head, at: NONE, whole: NONE, scaled: NONE, plain: NONE, decimals: 0 };
  const place = placeOf(data, from, until);
  const before = kept[place];
  if (before !== undefined) Object.assign(before, { gone: true, next: undefined });
  kept[place] = { bytes: data.slice(from, until), entry, next: undefined, gone: false };
}

export function readText(reader: ByteReader): string {
  const until = reader.span();
  if (reader.bad) return '';
  const { data, at } = reader;
  reader.at = until;
  try {
    return utf8.decode(data.subarray(at, until));
  } catch {
    reader.fail();
    return '';
  }
}

function sortedLabels(flat: readonly string[]): Result<readonly string[]> {
  const pairs: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i] ?? '', flat[i + 1] ?? '']);
  pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  return pairs.some(([name], i) => name === pairs[i + 1]?.[0])
    ? fail('series has a label twice')
    : ok(pairs.flat());
}

/** @param flat labels as they came. @returns what may be kept, or what is wrong with it. */
export function checkHead(name: string, flat: readonly string[]): Result<Head> {
  if (name.length > limits.NAME_CHARS_MAX || !NAME.test(name)) {
    return fail('series has an invalid name');
  }
  if (flat.length % 2 !== 0) return fail('series has a label without a value');
  if (flat.length / 2 > limits.LABELS_PER_SERIES_MAX) return fail('series has too many labels');
  let own: string | undefined;
  for (let i = 0; i < flat.length; i += 2) {
    const [label = '', value = ''] = [flat[i], flat[i + 1]];
    if (!LABEL_NAME.test(label)) return fail('series has an invalid label name');
    if (value.length > limits.LABEL_CHARS_MAX) return fail('series has a label that is too long');
    if (label === 'store' || label === 'terminal') own = label;
  }
  const labels = sortedLabels(flat);
  return labels.ok ? ok({ name, labels: labels.value, own }) : labels;
}
