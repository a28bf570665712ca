// What the terminals of the ingest benchmark send: the live batches of the wire benchmark's till, as MQTT
// packets that need nothing but a number and a packet id written into them, so that the loader measures
// the broker and not itself.

import { generate } from 'mqtt-packet';
import { packBody } from '../../../protocol/body.ts';
import { encodeMetricBody } from '../../../protocol/metric-body.ts';
import { upTopic } from '../../../protocol/topics.ts';
import { type Batch, encodeBatch } from '../../../protocol/wire.ts';
import { inBatches, tillSnapshots } from '../wire-till.ts';

/** Samples each 15 s, sent each minute. */
const INSTANTS = 4;
const BODIES = 64;
/** Half past nine in the morning. */
const FROM = 9.5 * 240;
/** A varint of four bytes may be written longer than its number needs [protobuf.dev, Encoding]. */
const SEQ_BYTES = 4;
const SEQ_MAX = 2 ** 28;
/** Needs all four bytes, and is nowhere else in an envelope. */
const SEQ_MARK = 0x0abcdef5;

export const idOf = (n: number): string => `sim-${n}`;

export type Body = Pick<Batch, 'encoding' | 'body'> & { readonly items: number };

/** Bodies of a till's live batches at the busy hour, moved to now: nothing here is a backlog. */
export function makeBodies(): Body[] {
  const count = FROM + BODIES * INSTANTS;
  const day = [...tillSnapshots({ seed: 1, count })].slice(FROM);
  const moveMs = Date.now() - (day.at(-1)?.timeMs ?? 0);
  return inBatches(day, INSTANTS).map((batch) => {
    const moved = batch.map(({ timeMs, samples }) => ({ timeMs: timeMs + moveMs, samples }));
    const items = moved.reduce((sum, { samples }) => sum + samples.length, 0);
    return { ...packBody(encodeMetricBody(moved)), items };
  });
}

export type Template = { readonly bytes: Buffer; readonly idAt: number; readonly seqAt: number };

/** One terminal's packet with room for its numbers. */
export function makeTemplate(n: number, { encoding, body }: Body): Template {
  const epoch = Buffer.alloc(16, n % 251);
  epoch.writeUInt32BE(n, 0);
  const envelope = { epoch, stream: 'metrics', seq: SEQ_MARK, createdMs: Date.now() } as const;
  const payload = Buffer.from(encodeBatch({ ...envelope, clockOffsetMs: 0, encoding, body }));
  const topic = upTopic(idOf(n), 'metrics');
  const head = { cmd: 'publish', qos: 1, dup: false, retain: false, messageId: 1 } as const;
  const bytes = generate({ ...head, topic, payload });
  const mark = Buffer.alloc(SEQ_BYTES);
  writeSeq(mark, 0, SEQ_MARK);
  const seqAt = bytes.indexOf(mark);
  if (seqAt < 0) throw new Error('the envelope has no place for its number');
  return { bytes, seqAt, idAt: bytes.length - payload.length - 2 };
}

function writeSeq(into: Buffer, at: number, seq: number): void {
  if (seq >= SEQ_MAX) throw new Error('the benchmark sends too many batches');
  const more = 0x80;
  into[at] = (seq & 0x7f) | more;
  into[at + 1] = ((seq >>> 7) & 0x7f) | more;
  into[at + 2] = ((seq >>> 14) & 0x7f) | more;
  into[at + 3] = (seq >>> 21) & 0x7f;
}

export function writePacket(template: Template, into: Buffer, at: number, id: number, seq: number) {
  template.bytes.copy(into, at);
  into.writeUInt16BE(id, at + template.idAt);
  writeSeq(into, at + template.seqAt, seq);
}
