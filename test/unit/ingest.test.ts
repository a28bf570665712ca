import { describe, expect, test } from 'vitest';
import {
  createAckBox,
  EPOCHS_WAITING_MAX,
  type Outcome,
  RANGES_SENT_MAX,
} from '../../broker/ingest/acknowledge.ts';
import { COMMIT_BATCHES_MAX, createIngest } from '../../broker/ingest/ingest.ts';
import type { AppendResult, NewBatch } from '../../broker/ledger.ts';
import { ACK_BYTES_MAX } from '../../protocol/limits.ts';
import { addSeq, type Ranges } from '../../protocol/ranges.ts';
import { fail, ok } from '../../protocol/result.ts';
import { decodeAck, encodeAck, encodeBatch, STREAMS, type Stream } from '../../protocol/wire.ts';

const EPOCH = new Uint8Array(16).fill(7);
const batch = (seq: number, stream: Stream = 'events'): Uint8Array =>
  encodeBatch({
    epoch: EPOCH,
    stream,
    seq,
    createdMs: 1,
    clockOffsetMs: 0,
    encoding: 'identity',
    body: new Uint8Array(3),
  });

/** An ingest with a timer that is fired by hand and a ledger that answers as told. */
function setUp(answer: (batch: NewBatch) => AppendResult = () => 'new') {
  let timer: (() => void) | undefined;
  let broken = false;
  let lane: Ranges = [];
  const commits: number[] = [];
  const outcomes: Outcome[] = [];
  const said: string[] = [];
  const ingest = createIngest({
    ledger: {
      append: (batches) => {
        commits.push(batches.length);
        if (broken) return fail('the disk is full');
        const results = batches.map((entry) => {
          const result = answer(entry);
          if (result === 'new') lane = addSeq(lane, entry.batch.seq);
          return result;
        });
        return ok(results);
      },
      ranges: () => lane,
    },
    clock: { monotonicMs: () => 0, wallMs: () => 0 },
    timers: {
      after: (_ms, run) => {
        timer = run;
        return () => {
          timer = undefined;
        };
      },
    },
    log: {
      info: (message) => said.push(message),
      warn: () => {},
      error: (message) => said.push(message),
    },
    metrics: {
      batches: (stream, result) => said.push(`${stream} ${result}`),
      commitSeconds: () => {},
    },
    onOutcome: (outcome) => {
      said.push('outcome');
      outcomes.push(outcome);
    },
    onNotice: (terminal, sentence) => said.push(`${terminal}: ${sentence}`),
  });
  return {
    commits,
    outcomes,
    said,
    ingest,
    fire: () => timer?.(),
    armed: () => timer !== undefined,
    breakDisk: (isBroken = true) => {
      broken = isBroken;
    },
    publish: (payload: Uint8Array, name: string, stream: Stream = 'events') =>
      ingest.publish({ terminal: 'lane-1', stream }, payload, () => said.push(name)),
  };
}

describe('ingest', () => {
  test('answers in the order of arrival, after one commit, also what carries no batch', () => {
    const rig = setUp();
    rig.publish(batch(1), 'first');
    rig.publish(new Uint8Array([255]), 'second');
    rig.ingest.pass(() => rig.said.push('third'));
    rig.publish(batch(2, 'metrics'), 'fourth');
    rig.publish(batch(2), 'fifth');
    expect(rig.commits).toEqual([]);
    rig.fire();
    expect(rig.commits).toEqual([2]);
    const order = rig.said.filter((line) =>
      /^(first|second|third|fourth|fifth|outcome)$/.test(line),
    );
    expect(order).toEqual(['first', 'second', 'third', 'fourth', 'fifth', 'outcome']);
    expect(rig.outcomes).toEqual([
      {
        terminal: 'lane-1',
        epochHex: '07'.repeat(16),
        refused: [
          { stream: 'metrics', seq: 2, reason: 'it says metrics and was published on events' },
        ],
        streams: [{ stream: 'events', ranges: [{ first: 1, last: 2 }] }],
      },
    ]);
  });

  test('acknowledges nothing of a commit that failed, but answers, counts and goes on', () => {
    const rig = setUp();
    rig.breakDisk();
    rig.publish(batch(1), 'first');
    rig.fire();
    expect(rig.said).toEqual([
      'nothing is acknowledged: a commit failed',
      'events failed',
      'first',
    ]);
    expect(rig.outcomes).toEqual([]);
  });

  test('says once that commits fail and once that they succeed again', () => {
    const rig = setUp();
    const commit = (seq: number): void => {
      rig.publish(batch(seq), 'answered');
      rig.fire();
    };
    commit(1);
    rig.breakDisk();
    for (const seq of [2, 3, 4]) commit(seq);
    rig.breakDisk(false);
    commit(5);
    commit(6);
    expect(rig.said.filter((line) => / commit|commits /.test(line))).toEqual([
      'nothing is acknowledged: a commit failed',
      'commits succeed again',
    ]);
  });

  test('refuses a number that has other bytes, and does not answer what could not be checked', () => {
    const rig = setUp(({ batch: { seq } }) => (seq === 1 ? 'conflict' : 'unchecked'));
    rig.publish(batch(1), 'first');
    rig.publish(batch(2), 'second');
    rig.fire();
    expect(rig.said).toContain('second');
    expect(rig.outcomes).toMatchObject([
      {
        streams: [],
        refused: [{ stream: 'events', seq: 1, reason: expect.stringMatching(/other bytes/) }],
      },
    ]);
    expect(rig.said).toEqual(expect.arrayContaining(['events conflict', 'events failed']));
  });

  test('commits at once when the queue is full, and no timer is left behind', () => {
    const rig = setUp();
    for (let seq = 1; seq <= COMMIT_BATCHES_MAX; seq += 1) rig.publish(batch(seq), 'x');
    expect(rig.commits).toEqual([COMMIT_BATCHES_MAX]);
    expect(rig.armed()).toBe(false);
  });

  test('refuses what its lane cannot remember, and streams that have no place yet', () => {
    const rig = setUp(() => 'crowded');
    rig.publish(batch(9), 'first');
    rig.publish(batch(1, 'logs'), 'second', 'logs');
    rig.fire();
    const refused = rig.outcomes[0]?.refused.map(({ stream, seq }) => `${stream} ${seq}`);
    expect(refused?.sort()).toEqual(['events 9', 'logs 1']);
    expect(rig.said).toContain('events crowded');
    expect(rig.said).toContain('logs refused');
  });
});

describe('acknowledgements that wait', () => {
  const now = {
    brokerTimeMs: 5,
    ledgerGeneration: EPOCH,
    paceBytesPerSecond: 64,
    notice: 'mind the gap',
  };
  const outcome = (n: number, ranges: Ranges, stream: Stream = 'events'): Outcome => ({
    terminal: 'lane-1',
    epochHex: n.toString(16).padStart(32, '0'),
    streams: [{ stream, ranges }],
    refused: [],
  });

  test('melt together by epoch and stream, and the notice travels once', () => {
    const box = createAckBox();
    box.add(outcome(1, [{ first: 1, last: 2 }]));
    box.add(outcome(1, [{ first: 3, last: 3 }]));
    box.add(outcome(2, [{ first: 9, last: 9 }]));
    const acks = box.take(now);
    expect(acks.map((ack) => ack.streams[0]?.ranges)).toEqual([
      [{ first: 1, last: 3 }],
      [{ first: 9, last: 9 }],
    ]);
    expect(acks.map((ack) => ack.notice)).toEqual(['mind the gap', '']);
    expect(box.isEmpty()).toBe(true);
  });

  test('never grow beyond what a terminal may read, whatever it sent', () => {
    const box = createAckBox();
    const gappy = (base: number): Ranges =>
      Array.from({ length: 600 }, (_, index) => {
        const first = base + 2 * index;
        return { first, last: first };
      });
    for (let epoch = 0; epoch < 20; epoch += 1) {
      for (const stream of STREAMS) box.add(outcome(epoch, gappy(2 ** 50), stream));
    }
    const refused = Array.from({ length: 500 }, (_, seq) => ({
      stream: 'events' as const,
      seq: 2 ** 50 + seq,
      reason: 'x'.repeat(500),
    }));
    box.add({ ...outcome(19, []), refused });
    const acks = box.take(now);
    expect(acks).toHaveLength(EPOCHS_WAITING_MAX);
    for (const ack of acks) {
      const encoded = encodeAck(ack);
      expect(encoded.length).toBeLessThanOrEqual(ACK_BYTES_MAX);
      const decoded = decodeAck(encoded);
      expect(decoded.ok && decoded.value.streams[0]?.ranges.length).toBe(RANGES_SENT_MAX);
    }
  });
});
