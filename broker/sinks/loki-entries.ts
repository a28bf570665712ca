// Records of one answer as entries of Loki's push API. Labels are few and bounded (a terminal is one, a request is not);
// what is different with each entry is structured metadata. The same bytes give the same entries, whenever they are
// sent: time to the nanosecond is the record's millisecond and digits of its offset, so that Loki, which keeps once
// what is the same in stream, time, line and metadata [pkg/chunkenc/unordered.go], gains nothing by a replay. Pure.

import type { LogRecord } from '../../protocol/log-lines.ts';

export const SOURCES = ['pull', 'tail', 'incident'] as const;
export type Source = (typeof SOURCES)[number];

/** What an answer is, as far as its entries tell. Kept as it was when its first bytes came: a replay has to say the same. */
export type Origin = {
  readonly request: string;
  readonly terminal: string;
  readonly store: string;
  readonly source: Source;
  /** When its first bytes came. */
  readonly anchorMs: number;
};

export type Entry = {
  readonly labels: Readonly<Record<string, string>>;
  /** Decimal, because a number of JSON is too short for it. */
  readonly ns: string;
  readonly line: string;
  readonly metadata: Readonly<Record<string, string>>;
};

/**
 * Loki takes what is at most an hour older than the newest line of its stream (half of max_chunk_age). What is older
 * than half of that when it arrives gets a stream of its own, so that two answers that arrive together fit as well.
 */
export const RECENT_MS = 30 * 60_000;
/** Loki's max_line_size is 256 KB; what is left out is said. */
export const LINE_BYTES_MAX = 255 * 1024;
const NS_DIGITS = 6;
const SHORT_CHARS = 8;

/** Cut between two characters. */
function fitted(text: string): string {
  const bytes = Buffer.byteLength(text);
  if (bytes <= LINE_BYTES_MAX) return text;
  const kept = Buffer.from(text)
    .subarray(0, LINE_BYTES_MAX)
    .toString()
    .replace(/\uFFFD+$/, '');
  return `${kept} [tillwatch: ${bytes - Buffer.byteLength(kept)} bytes more]`;
}

const shortOf = (request: string): string => request.slice(0, SHORT_CHARS);

/** @param offset of the record's first byte in the answer. */
export function entryOf(
  { request, terminal, store, source, anchorMs }: Origin,
  { timeMs, guessed, level, component, text }: LogRecord,
  offset: number,
): Entry {
  const isOld = timeMs < anchorMs - RECENT_MS;
  const digits = String(offset % 10 ** NS_DIGITS).padStart(NS_DIGITS, '0');
  return {
    labels: {
      ...{ job: 'tillwatch', store, terminal, component, source },
      ...(isOld && { pull: shortOf(request) }),
    },
    ns: `${Math.max(0, timeMs)}${digits}`,
    line: fitted(text),
    metadata: {
      ...{ request, offset: String(offset) },
      ...(level !== undefined && { level }),
      ...(guessed && { guessed: 'true' }),
    },
  };
}

/** In a stream of this request alone, which is behind nobody. */
export const alone = (entry: Entry): Entry => ({
  ...entry,
  labels: { ...entry.labels, pull: shortOf(entry.metadata['request'] ?? '') },
});

export const isAlone = ({ labels }: Entry): boolean => labels['pull'] !== undefined;

export const streamOf = ({ labels }: Entry): string => JSON.stringify(labels);

/** Ascending within a stream: one that goes back and forth costs Loki chunks. */
const byTime = (one: Entry, other: Entry): number =>
  one.ns.length - other.ns.length || (one.ns < other.ns ? -1 : Number(one.ns > other.ns));

/** The body of a push, before it is packed. */
export function bodyOf(entries: readonly Entry[]): string {
  const streams = new Map<string, Entry[]>();
  for (const entry of entries) {
    const key = streamOf(entry);
    const known = streams.get(key);
    if (known === undefined) streams.set(key, [entry]);
    else known.push(entry);
  }
  return JSON.stringify({
    streams: [...streams.values()].map((all) => ({
      stream: all[0]?.labels ?? {},
      values: all.sort(byTime).map(({ ns, line, metadata }) => [ns, line, metadata]),
    })),
  });
}
