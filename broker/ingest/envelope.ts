// Reads the envelope of a batch by hand, with the same checks and the same answers as protocol/wire.ts: of
// a fleet's packets nothing is read as often, and the general decoder costs four times as much (it makes
// an object of each 64-bit number where that library is installed). Total: whatever bytes come, the answer
// is a batch or a reason.

import { BATCH_BYTES_MAX } from '../../protocol/limits.ts';
import { ByteReader, WIRE } from '../../protocol/metric-bytes.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { type Batch, ENCODINGS, EPOCH_BYTES, STREAMS } from '../../protocol/wire.ts';

const NO_MESSAGE = fail('Batch is not a valid protobuf message');
const CONTINUES = 0x80;
const VARINT_BYTES_MAX = 10;
const NONE = new Uint8Array(0);

/** A uint64; NaN beyond what a double can count, undefined when it does not end. */
function readVarint(reader: ByteReader): number | undefined {
  const { data, end } = reader;
  let value = 0;
  let factor = 1;
  for (let i = 0; i < VARINT_BYTES_MAX && reader.at < end; i += 1) {
    const byte = data[reader.at] as number;
    reader.at += 1;
    value += (byte & 0x7f) * factor;
    if (byte < CONTINUES) return Number.isSafeInteger(value) ? value : Number.NaN;
    factor *= 128;
  }
  // Also when the same field follows once more: what cannot be read is no message.
  reader.bad = true;
  return undefined;
}

function readBytes(reader: ByteReader): Uint8Array | undefined {
  const until = reader.span();
  if (reader.bad) return undefined;
  const bytes = reader.data.subarray(reader.at, until);
  reader.at = until;
  return bytes;
}

/** Field numbers and wire types of message Batch (protocol/tillwatch.proto). */
const TAG = {
  epoch: (1 << 3) | WIRE.bytes,
  stream: (2 << 3) | WIRE.varint,
  seq: (3 << 3) | WIRE.varint,
  createdMs: (4 << 3) | WIRE.varint,
  clockOffsetMs: (5 << 3) | WIRE.varint,
  encoding: (6 << 3) | WIRE.varint,
  body: (7 << 3) | WIRE.bytes,
} as const;
const FIELD_MAX = 7;

/** @returns the envelope; its body is still encoded and unchecked. */
export function readEnvelope(data: Uint8Array): Result<Batch> {
  if (data.length > BATCH_BYTES_MAX) return fail(`Batch is larger than ${BATCH_BYTES_MAX} bytes`);
  const reader = new ByteReader(data);
  let [epoch, body]: [Uint8Array | undefined, Uint8Array | undefined] = [NONE, NONE];
  let [stream, seq, createdMs, encoding]: (number | undefined)[] = [0, 0, 0, 0];
  let clockOffsetMs = 0;
  while (reader.more()) {
    const tag = reader.small();
    if (tag === TAG.epoch) epoch = readBytes(reader);
    else if (tag === TAG.stream) stream = readVarint(reader);
    else if (tag === TAG.seq) seq = readVarint(reader);
    else if (tag === TAG.createdMs) createdMs = readVarint(reader);
    else if (tag === TAG.clockOffsetMs) clockOffsetMs = reader.signed();
    else if (tag === TAG.encoding) encoding = readVarint(reader);
    else if (tag === TAG.body) body = readBytes(reader);
    else if (tag >>> 3 <= FIELD_MAX) return NO_MESSAGE;
    else reader.skip(tag & 7);
  }
  if (reader.bad || epoch === undefined || body === undefined) return NO_MESSAGE;
  if (stream === undefined || seq === undefined || createdMs === undefined) return NO_MESSAGE;
  if (encoding === undefined) return NO_MESSAGE;
  return check({ epoch, seq, createdMs, clockOffsetMs, body }, stream, encoding);
}

function check(
  batch: Omit<Batch, 'stream' | 'encoding'>,
  streamNumber: number,
  encodingNumber: number,
): Result<Batch> {
  const { epoch, seq, createdMs, clockOffsetMs, body } = batch;
  const stream = STREAMS[streamNumber - 1];
  if (stream === undefined) return fail('batch names no known stream');
  const encoding = ENCODINGS[encodingNumber - 1];
  if (encoding === undefined) return fail('batch names no known encoding');
  if (epoch.length !== EPOCH_BYTES) return fail(`batch epoch is not ${EPOCH_BYTES} bytes`);
  if (!(seq > 0)) return fail('batch seq does not count from 1');
  if (Number.isNaN(createdMs)) return fail('batch has no valid time');
  if (Number.isNaN(clockOffsetMs)) return fail('batch has no valid clock offset');
  return ok({ epoch, stream, seq, createdMs, clockOffsetMs, encoding, body });
}
