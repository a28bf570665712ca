// Writes a commit's batches: for each, whether its lane knows the number already, and if not, a row behind
// the newest and the number in the lane's ranges. A number that is known is compared with the bytes that
// lie under it, so that what is acknowledged is what is on disk (ledger-chain.ts).

import type { DatabaseSync } from 'node:sqlite';
import { addSeq, hasSeq } from '../protocol/ranges.ts';
import type { Batch, Stream } from '../protocol/wire.ts';
import { openChain } from './ledger-chain.ts';
import type { Lane, Lanes } from './ledger-lanes.ts';

/** Holes that a lane may have; an honest one has a few, and the row is written at every commit. */
export const LANE_RANGES_MAX = 2_000;

export type NewBatch = {
  readonly terminal: string;
  readonly batch: Pick<Batch, 'epoch' | 'stream' | 'seq'>;
  /** Of its epoch, where somebody has it at hand: 32 hexadecimal digits. */
  readonly epochHex?: string;
  /** The encoded `Batch`, as it came. */
  readonly bytes: Uint8Array;
};
/**
 * `crowded`: not taken, because its lane has too many holes, or its terminal too many lanes. `conflict`:
 * not taken, because its number was committed with other bytes. `unchecked`: known, but whether with the
 * same bytes takes longer to find out than this commit may; it is answered when it comes again.
 */
export type AppendResult = 'new' | 'duplicate' | 'crowded' | 'conflict' | 'unchecked';

/** Writes batches behind row `newestId`, within the open transaction. */
export function openWriter(db: DatabaseSync, lanes: Lanes) {
  const insert = db.prepare(
    'INSERT INTO batch (id, lane, seq, received_ms, prev, body) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const chain = openChain(db);
  const conflicts: Partial<Record<Stream, number>> = {};

  function known(lane: Lane, { batch: { stream, seq }, bytes }: NewBatch): AppendResult {
    const compared = chain.compare(lane, seq, bytes);
    if (compared === 'later') return 'unchecked';
    if (compared !== 'other') return 'duplicate';
    conflicts[stream] = (conflicts[stream] ?? 0) + 1;
    return 'conflict';
  }

  return {
    /** Since the start. */
    conflicts,
    write: (batches: readonly NewBatch[], newestId: number, receivedMs: number) => {
      let lastId = newestId;
      let size = 0;
      chain.begin();
      const results = batches.map((entry): AppendResult => {
        const { terminal, batch, bytes } = entry;
        const epochHex = entry.epochHex ?? Buffer.from(batch.epoch).toString('hex');
        const lane = lanes.take(terminal, epochHex, batch.stream);
        if (lane === undefined) return 'crowded';
        if (hasSeq(lane.ranges, batch.seq)) return known(lane, entry);
        const ranges = addSeq(lane.ranges, batch.seq);
        if (ranges.length > LANE_RANGES_MAX) return 'crowded';
        lane.ranges = ranges;
        lastId += 1;
        size += bytes.length;
        insert.run(lastId, lane.id, batch.seq, receivedMs, lane.newest, bytes);
        lane.newest = lastId;
        return 'new';
      });
      lanes.write();
      return { results, lastId, bytes: size };
    },
    /** The transaction failed. */
    forget: (): void => {
      lanes.forget();
      chain.forget();
    },
  };
}
