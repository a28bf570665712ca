// Messages of protocol/tillwatch.proto as plain typed objects, with `encode` and a total `decode` each:
// whatever bytes come in, the answer is a value or a reason, never an exception. protobufjs does the
// coding (see ARCHITECTURE.md for what was measured); its generated classes do not leave this file.

import { tillwatch } from './generated/tillwatch.js';
import * as limits from './limits.ts';
import { ByteReader } from './metric-bytes.ts';
import { fail, ok, type Result } from './result.ts';

const { v1 } = tillwatch;

/** In the order of their numbers in the schema, from 1. */
export const STREAMS = ['events', 'metrics', 'results', 'logs', 'traces'] as const;
export type Stream = (typeof STREAMS)[number];

/** The order in which an agent drains its outbox (design.md, Delivery). */
export const DRAIN_ORDER: readonly Stream[] = ['results', 'events', 'metrics', 'traces', 'logs'];

export const ENCODINGS = ['identity', 'gzip', 'deflate'] as const;
export type Encoding = (typeof ENCODINGS)[number];

export const EPOCH_BYTES = 16;
/** Of an acknowledgement that acknowledges nothing: the broker's greeting, sent for the time in it. */
export const NO_EPOCH = new Uint8Array(EPOCH_BYTES);

export type Batch = {
  readonly epoch: Uint8Array;
  readonly stream: Stream;
  readonly seq: number;
  readonly createdMs: number;
  readonly clockOffsetMs: number;
  readonly encoding: Encoding;
  readonly body: Uint8Array;
};

export type Range = { readonly first: number; readonly last: number };
export type StreamAck = { readonly stream: Stream; readonly ranges: readonly Range[] };
export type Refusal = { readonly stream: Stream; readonly seq: number; readonly reason: string };

/** How the reason of a refusal begins where the batch's number was committed with other bytes. */
export const CONFLICT_REASON = 'its number was committed with other bytes';

export type Ack = {
  readonly epoch: Uint8Array;
  readonly streams: readonly StreamAck[];
  readonly refused: readonly Refusal[];
  readonly brokerTimeMs: number;
  readonly paceBytesPerSecond: number;
  readonly ledgerGeneration: Uint8Array;
  readonly notice: string;
  /** Samples are wanted this often, because somebody looks at the terminal; 0 or absent: as configured. */
  readonly sendEveryMs?: number;
  /** Chunks of logs that may be on their way; 0 or absent: as many as the terminal thinks right. */
  readonly logCredits?: number;
};

export type SignedCommand = {
  readonly command: Uint8Array;
  readonly keyId: string;
  readonly signature: Uint8Array;
};

/** Decoded fields arrive untyped; these readers make each one exactly what the type says. */
type Raw = Record<string, unknown>;
export const num = (value: unknown): number => (typeof value === 'number' ? value : Number(value));
export const text = (value: unknown): string => (typeof value === 'string' ? value : '');
export const bytes = (value: unknown): Uint8Array =>
  value instanceof Uint8Array ? value : new Uint8Array(0);
export const list = (value: unknown): readonly Raw[] =>
  Array.isArray(value) ? (value as readonly Raw[]) : [];

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** Whether there are more entries of field 1, the one that bodies repeat; told without making any of them. */
function isOverfull(data: Uint8Array, entriesMax: number): boolean {
  const reader = new ByteReader(data);
  let entries = 0;
  while (reader.more() && entries <= entriesMax) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) entries += 1;
    reader.skip(tag & 7);
  }
  return entries > entriesMax;
}

/**
 * Runs a generated decoder; what it throws (truncation, bad tags) is the sender's fault, not a bug.
 * @param entriesMax of a body: a packet can unpack to a million empty ones, and each would become an object.
 */
export function decodeRaw(
  kind: keyof typeof v1,
  data: Uint8Array,
  bytesMax: number,
  entriesMax = Number.POSITIVE_INFINITY,
): Result<Raw> {
  if (data.length > bytesMax) return fail(`${kind} is larger than ${bytesMax} bytes`);
  if (Number.isFinite(entriesMax) && isOverfull(data, entriesMax)) {
    return fail(`${kind} has too many entries`);
  }
  try {
    return ok(v1[kind].decode(data));
  } catch {
    return fail(`${kind} is not a valid protobuf message`);
  }
}

export const encodeRaw = (kind: keyof typeof v1, message: object): Uint8Array =>
  v1[kind].encode(message).finish();

const streamNumber = (stream: Stream): number => STREAMS.indexOf(stream) + 1;

function readStream(value: unknown): Result<Stream> {
  const stream = STREAMS[num(value) - 1];
  return stream === undefined ? fail('batch names no known stream') : ok(stream);
}

export function encodeBatch(batch: Batch): Uint8Array {
  return encodeRaw('Batch', {
    ...batch,
    stream: streamNumber(batch.stream),
    encoding: ENCODINGS.indexOf(batch.encoding) + 1,
  });
}

/** @returns the envelope; its body is still encoded and unchecked. */
export function decodeBatch(data: Uint8Array): Result<Batch> {
  const raw = decodeRaw('Batch', data, limits.BATCH_BYTES_MAX);
  if (!raw.ok) return raw;
  const stream = readStream(raw.value['stream']);
  if (!stream.ok) return stream;
  const encoding = ENCODINGS[num(raw.value['encoding']) - 1];
  const batch = {
    epoch: bytes(raw.value['epoch']),
    stream: stream.value,
    seq: num(raw.value['seq']),
    createdMs: num(raw.value['createdMs']),
    clockOffsetMs: num(raw.value['clockOffsetMs']),
    body: bytes(raw.value['body']),
  };
  if (encoding === undefined) return fail('batch names no known encoding');
  if (batch.epoch.length !== EPOCH_BYTES) return fail(`batch epoch is not ${EPOCH_BYTES} bytes`);
  if (!isCount(batch.seq) || batch.seq === 0) return fail('batch seq does not count from 1');
  if (!isCount(batch.createdMs)) return fail('batch has no valid time');
  if (!Number.isSafeInteger(batch.clockOffsetMs)) return fail('batch has no valid clock offset');
  return ok({ ...batch, encoding });
}

export function encodeAck(ack: Ack): Uint8Array {
  return encodeRaw('Ack', {
    ...ack,
    streams: ack.streams.map((entry) => ({ ...entry, stream: streamNumber(entry.stream) })),
    refused: ack.refused.map((entry) => ({ ...entry, stream: streamNumber(entry.stream) })),
  });
}

function readRanges(value: unknown): Result<Range[]> {
  const ranges: Range[] = [];
  for (const raw of list(value)) {
    const range = { first: num(raw['first']), last: num(raw['last']) };
    if (!isCount(range.first) || !isCount(range.last) || range.first < 1) {
      return fail('acknowledgement holds a range that is no number');
    }
    if (range.last < range.first) return fail('acknowledgement holds a range that runs backwards');
    ranges.push(range);
  }
  if (ranges.length > limits.ACK_RANGES_MAX) return fail('acknowledgement holds too many ranges');
  return ok(ranges);
}

export function decodeAck(data: Uint8Array): Result<Ack> {
  const decoded = decodeRaw('Ack', data, limits.ACK_BYTES_MAX);
  if (!decoded.ok) return decoded;
  const raw = decoded.value;
  const streams: StreamAck[] = [];
  for (const entry of list(raw['streams'])) {
    const stream = readStream(entry['stream']);
    const ranges = readRanges(entry['ranges']);
    if (!stream.ok) return stream;
    if (!ranges.ok) return ranges;
    streams.push({ stream: stream.value, ranges: ranges.value });
  }
  const refused: Refusal[] = [];
  for (const entry of list(raw['refused'])) {
    const stream = readStream(entry['stream']);
    if (!stream.ok) return stream;
    refused.push({ stream: stream.value, seq: num(entry['seq']), reason: text(entry['reason']) });
  }
  const epoch = bytes(raw['epoch']);
  if (epoch.length !== EPOCH_BYTES) return fail(`ack epoch is not ${EPOCH_BYTES} bytes`);
  return ok({
    epoch,
    streams,
    refused,
    brokerTimeMs: num(raw['brokerTimeMs']),
    paceBytesPerSecond: num(raw['paceBytesPerSecond']),
    ledgerGeneration: bytes(raw['ledgerGeneration']),
    notice: text(raw['notice']),
    sendEveryMs: num(raw['sendEveryMs']),
    logCredits: num(raw['logCredits']),
  });
}
