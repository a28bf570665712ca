// From a ledger row to what it says. A body that cannot be read is no reason to stop: the terminal has
// its acknowledgement and will not send it again, so the row becomes a dead letter with the reason.

import { unpackBody } from '../../protocol/body.ts';
import { type CommandResult, decodeResultBody } from '../../protocol/commands.ts';
import { decodeEventBody } from '../../protocol/events.ts';
import { decodeMetricBody } from '../../protocol/metric-body.ts';
import { type Batch, decodeBatch } from '../../protocol/wire.ts';
import type { LedgerRow } from '../ledger.ts';
import type { BatchContent } from './model.ts';

/** A few words, because it is a label; the sentence stands in the dead letter. */
export type Unreadable = 'envelope' | 'encoding' | 'content';

export type Decoded =
  | {
      readonly ok: true;
      readonly batch: Batch;
      readonly content: BatchContent;
      readonly results: readonly CommandResult[];
    }
  | {
      readonly ok: false;
      /** Undefined when not even the envelope could be read. */
      readonly batch: Batch | undefined;
      readonly class: Unreadable;
      readonly reason: string;
    };

export function decodeRow(row: Pick<LedgerRow, 'bytes'>): Decoded {
  const decoded = decodeBatch(row.bytes);
  if (!decoded.ok) {
    return { ok: false, batch: undefined, class: 'envelope', reason: decoded.reason };
  }
  const batch = decoded.value;
  const { stream } = batch;
  // Logs and traces have readers of their own, and nothing here to tell the registry.
  if (stream === 'logs' || stream === 'traces') {
    return { ok: true, batch, content: { stream }, results: [] };
  }
  const body = unpackBody(batch);
  if (!body.ok) return { ok: false, batch, class: 'encoding', reason: body.reason };
  if (stream === 'events') {
    const events = decodeEventBody(body.value);
    if (!events.ok) return { ok: false, batch, class: 'content', reason: events.reason };
    const placed = events.value.map((event, index) => ({ ...event, index }));
    return { ok: true, batch, content: { stream, events: placed }, results: [] };
  }
  if (stream === 'metrics') {
    const snapshots = decodeMetricBody(body.value);
    if (!snapshots.ok) return { ok: false, batch, class: 'content', reason: snapshots.reason };
    return { ok: true, batch, content: { stream, snapshots: snapshots.value }, results: [] };
  }
  const results = decodeResultBody(body.value);
  if (!results.ok) return { ok: false, batch, class: 'content', reason: results.reason };
  return { ok: true, batch, content: { stream }, results: results.value };
}
