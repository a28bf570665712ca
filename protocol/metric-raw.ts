// The fields of a metric body as they stand on the wire, before anything is made of them: names with their
// labels, and all numbers. Bounded while it reads, so that a body of two megabytes of nothing does not
// become sixteen of an array; what its numbers mean is metric-columns.ts's.

import * as limits from './limits.ts';
import { ByteReader } from './metric-bytes.ts';
import {
  checkHead,
  type Entry,
  keepHead,
  knownEntry,
  type Numbers,
  readText,
} from './metric-head.ts';
import { fail, ok, type Result } from './result.ts';

export type RawBody = {
  readonly timeDeltas: Numbers;
  readonly entries: Entry[];
  readonly forms: Numbers;
  readonly deltas: Numbers;
  readonly doubles: Numbers;
};

const NO_MESSAGE = 'MetricBody is not a valid protobuf message';
const signed = (reader: ByteReader): number => reader.signed();
const small = (reader: ByteReader): number => reader.small();
const double = (reader: ByteReader): number => reader.double();

/** A packed field: as many numbers as fit into its length, and no more than a body may have. */
function readPacked(into: Numbers, reader: ByteReader, read: (from: ByteReader) => number): void {
  const until = reader.span();
  const { end } = reader;
  reader.end = until;
  while (reader.at < until && into.length <= limits.SAMPLES_PER_BODY_MAX) into.push(read(reader));
  if (reader.at < until) reader.bad = true;
  reader.end = end;
  if (reader.bad) reader.fail();
}

/** Fields of `Series` by tag; each number also unpacked, as every parser must accept [protobuf.dev]. */
function readEntryField(entry: Entry, reader: ByteReader, tag: number): void {
  switch (tag) {
    case 26:
      readPacked(entry.at, reader, small);
      return;
    case 24:
      entry.at.push(reader.small());
      return;
    case 34:
      readPacked(entry.whole, reader, signed);
      return;
    case 32:
      entry.whole.push(reader.signed());
      return;
    case 42:
      readPacked(entry.plain, reader, double);
      return;
    case 41:
      entry.plain.push(reader.double());
      return;
    case 50:
      readPacked(entry.scaled, reader, signed);
      return;
    case 48:
      entry.scaled.push(reader.signed());
      return;
    default:
      reader.skip(tag & 7);
  }
}

function readEntry(reader: ByteReader): Result<Entry> {
  const { data, at: from, end: until } = reader;
  const known = knownEntry(data, from, until);
  if (known !== undefined) {
    reader.at = until;
    return ok(known);
  }
  let name = '';
  let decimals = 0;
  let isBare = true;
  const flat: string[] = [];
  const numbers = { at: [], whole: [], scaled: [], plain: [] };
  const entry = { head: { name, labels: flat, own: undefined }, ...numbers, decimals };
  while (reader.more()) {
    const tag = reader.tag();
    isBare &&= tag === 10 || tag === 18;
    if (tag === 10) name = readText(reader);
    else if (tag === 18) flat.push(readText(reader));
    else if (tag === 56) decimals = reader.small();
    else readEntryField(entry, reader, tag);
    if (flat.length > limits.LABELS_PER_SERIES_MAX * 2) return fail('series has too many labels');
  }
  if (reader.bad) return fail(NO_MESSAGE);
  const head = checkHead(name, flat);
  if (!head.ok) return head;
  if (isBare) keepHead(data, from, until, head.value);
  return ok({ ...entry, head: head.value, decimals });
}

function readSeries(body: RawBody, reader: ByteReader): Result<true> {
  if (body.entries.length >= limits.SERIES_PER_BODY_MAX) return fail('body has too many series');
  const until = reader.span();
  const { end } = reader;
  reader.end = until;
  const entry = readEntry(reader);
  if (!entry.ok) return entry;
  reader.end = end;
  body.entries.push(entry.value);
  return ok(true);
}

export function readRawBody(data: Uint8Array): Result<RawBody> {
  const reader = new ByteReader(data);
  const body: RawBody = { timeDeltas: [], entries: [], forms: [], deltas: [], doubles: [] };
  while (reader.more()) {
    const tag = reader.tag();
    if (tag === 18) {
      const series = readSeries(body, reader);
      if (!series.ok) return series;
    } else if (tag === 10) readPacked(body.timeDeltas, reader, signed);
    else if (tag === 8) body.timeDeltas.push(reader.signed());
    else if (tag === 26) readPacked(body.forms, reader, small);
    else if (tag === 24) body.forms.push(reader.small());
    else if (tag === 34) readPacked(body.deltas, reader, signed);
    else if (tag === 32) body.deltas.push(reader.signed());
    else if (tag === 42) readPacked(body.doubles, reader, double);
    else if (tag === 41) body.doubles.push(reader.double());
    else reader.skip(tag & 7);
  }
  return reader.bad ? fail(NO_MESSAGE) : ok(body);
}
