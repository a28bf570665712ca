// Writes the broker's own spans into its ledger, where they are as safe as what terminals send and go to the same
// sinks. A finished command waits here until its spans are in the ledger, and carries in its own record that they
// are: a ledger that is full, or a broker that is killed in between, costs no trace, and one that is recorded twice
// has the same ids.

import type { Result } from '../../protocol/result.ts';
import { encodeTraces, type Span } from '../../protocol/traces.ts';
import type { Clock } from '../clock.ts';
import type { CommandStore } from '../commands/store.ts';
import type { Database } from '../fleet/database.ts';
import { limitLog } from '../log-limit.ts';
import type { Log } from '../ports.ts';
import { BROKER_VERSION } from '../version.ts';
import { commandSpans, correctionSpan } from './command-spans.ts';

/** Finished commands whose spans the ledger did not take yet; more are left to the next start. */
const WAITING_MAX = 1_000;
/** Finished without its spans for longer: it was so before there were any. */
const RECALL_MS_MAX = 24 * 3_600_000;
/** Commands in one body: at most six spans each (SPANS_PER_BODY_MAX). */
const BODY_COMMANDS = 40;

const RESOURCE = { 'service.name': 'tillwatch-broker', 'service.version': BROKER_VERSION };

export type CommandTraces = {
  /** Call it when it is on disk. @param assumedMs when the broker had assumed an end that was corrected now. */
  readonly finished: (id: string, assumedMs?: number) => void;
  /** To be called again and again: what the ledger did not take is offered again. */
  readonly flush: () => void;
};

export type CommandTracesOptions = {
  readonly store: CommandStore;
  readonly database: Pick<Database, 'transact'>;
  readonly clock: Pick<Clock, 'wallMs' | 'monotonicMs'>;
  readonly log: Log;
  /** On disk when it returns ok (Ledger.appendOwn). */
  readonly record: (stream: 'traces', body: Uint8Array) => Result<unknown>;
};

export function openCommandTraces(options: CommandTracesOptions): CommandTraces {
  const { store, database, clock, record } = options;
  const limited = limitLog(options.log, clock);
  const waiting = new Map<string, number | undefined>();

  const spansFor = (id: string, assumedMs: number | undefined): readonly Span[] => {
    const queued = store.get(id);
    if (queued === undefined) return [];
    if (assumedMs !== undefined && queued.traced) return correctionSpan(queued, assumedMs);
    return commandSpans(queued, queued.origin ?? { requestedMs: queued.command.issuedMs });
  };

  function flush(): void {
    while (waiting.size > 0) {
      const some = [...waiting].slice(0, BODY_COMMANDS);
      const spans = some.flatMap(([id, assumedMs]) => spansFor(id, assumedMs));
      if (spans.length > 0) {
        const done = record('traces', encodeTraces([{ resource: RESOURCE, spans }]));
        if (!done.ok) {
          limited.warn('traces of commands wait for the ledger', { reason: done.reason });
          return;
        }
      }
      for (const [id] of some) waiting.delete(id);
      database.transact(() => {
        for (const [id] of some) {
          const queued = store.get(id);
          if (queued !== undefined) store.save({ ...queued, traced: true });
        }
      });
    }
  }

  for (const { command } of store.untraced(clock.wallMs() - RECALL_MS_MAX, WAITING_MAX)) {
    waiting.set(command.id, undefined);
  }
  return {
    finished: (id, assumedMs) => {
      if (waiting.size < WAITING_MAX) waiting.set(id, assumedMs);
      flush();
    },
    flush,
  };
}
