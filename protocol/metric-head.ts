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

type Kept = { readonly bytes: Uint8Array; readonly head: Head };
const kept: (Kept | undefined)[] = Array.from({ length: PLACES }, () => undefined);
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** FNV-1a over the bytes. */
function placeOf(data: Uint8Array, from: number, until: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < until; i += 1) hash = Math.imul(hash ^ (data[i] as number), 0x01000193);
  return (hash ^ (hash >>> 15)) & (PLACES - 1);
}

function isAt(bytes: Uint8Array, data: Uint8Array, from: number): boolean {
  for (let i = 0; i < bytes.length; i += 1) if (bytes[i] !== data[from + i]) return false;
  return true;
}

/** The head that exactly these bytes are, when it is known. */
export function knownHead(data: Uint8Array, from: number, until: number): Head | undefined {
  const found = kept[placeOf(data, from, until)];
  if (found === undefined || found.bytes.length !== until - from) return undefined;
  return isAt(found.bytes, data, from) ? found.head : undefined;
}

export function keepHead(data: Uint8Array, from: number, until: number, head: Head): void {
  if (until - from > KEPT_BYTES_MAX) return;
  kept[placeOf(data, from, until)] = { bytes: data.slice(from, until), head };
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
