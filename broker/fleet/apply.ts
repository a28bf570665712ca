// What one ledger row does to the registry, within the follower's transaction: new event rows, the
// terminal's model, a dead letter, results for the command queue. Counters wait for the commit.

import type { CommandResult } from '../../protocol/commands.ts';
import type { TerminalEvent } from '../../protocol/events.ts';
import type { Snapshot } from '../../protocol/metric-body.ts';
import type { LedgerRow } from '../ledger.ts';
import type { Metrics } from '../metrics.ts';
import type { Log } from '../ports.ts';
import type { Database } from './database.ts';
import { type Decoded, decodeRow } from './decode.ts';
import type { BatchContent, FleetEffect } from './model.ts';
import { type Models, UNASSIGNED } from './models.ts';
import type { FleetStore } from './store.ts';
import { isCause } from './troubles.ts';

/** Takes results within the follower's transaction. */
export type ResultHandler = (terminal: string, results: readonly CommandResult[]) => void;

/** Of one batch. */
export type SampleListener = (
  terminal: string,
  snapshots: readonly Snapshot[],
  receivedMs: number,
) => void;

/** Of one event that was not known before. */
export type NewsListener = (terminal: string, event: TerminalEvent) => void;

export type ApplyOptions = {
  readonly database: Database;
  readonly models: Models;
  readonly store: FleetStore;
  readonly metrics: Pick<Metrics, 'samples' | 'events' | 'failures' | 'deadLetters' | 'dropped'>;
  readonly log: Log;
  /** When a row was received, on the monotonic clock of this run. */
  readonly arrivalMs: (receivedMs: number) => number;
  readonly tell: (terminal: string, effects: readonly FleetEffect[]) => void;
  readonly handlers: readonly ResultHandler[];
  /** What live and late samples go to, once they are in the registry. */
  readonly sampled: SampleListener;
  /** What new events go to, within the transaction. */
  readonly happened: NewsListener;
};

export function createApply(options: ApplyOptions) {
  const { database, models, store, metrics, log } = options;

  /** Writes the rows of new events; what the table has already was applied already. */
  function keepNew(row: LedgerRow, content: BatchContent): BatchContent {
    if (content.stream !== 'events') return content;
    const place = models.get(row.terminal)?.store ?? UNASSIGNED;
    const events = content.events.filter((event) => store.addEvent(row, place, event));
    for (const event of events) options.happened(row.terminal, event);
    return { ...content, events };
  }

  function count(terminal: string, content: BatchContent, receivedMs: number): void {
    if (content.stream === 'events') {
      metrics.events(content.events.length);
      for (const event of content.events) {
        const { cause } = event.fields;
        if (event.kind === 'incident_opened' && isCause(cause)) metrics.failures(cause);
      }
    }
    if (content.stream !== 'metrics') return;
    metrics.samples(content.snapshots.reduce((sum, { samples }) => sum + samples.length, 0));
    options.sampled(terminal, content.snapshots, receivedMs);
  }

  function bury(row: LedgerRow, decoded: Extract<Decoded, { ok: false }>): void {
    const { terminal, stream, seq } = row;
    store.addDeadLetter(row, decoded.class, decoded.reason);
    database.afterCommit(() => {
      metrics.deadLetters(stream, decoded.class);
      log.warn('a batch cannot be read', { terminal, stream, seq, reason: decoded.reason });
    });
  }

  return {
    apply: (row: LedgerRow): void => {
      const { terminal, epoch, seq, receivedMs } = row;
      const decoded = decodeRow(row);
      if (!decoded.ok) bury(row, decoded);
      const content: BatchContent = decoded.ok
        ? keepNew(row, decoded.content)
        : { stream: 'undecodable' };
      const { createdMs = 0, clockOffsetMs = 0 } = decoded.batch ?? {};
      const arrivedMs = options.arrivalMs(receivedMs);
      const facts = { epoch, seq, receivedMs, arrivedMs, createdMs, clockOffsetMs, content };
      const effects = models.stage(terminal, { kind: 'batch', ...facts });
      database.afterCommit(() => {
        options.tell(terminal, effects ?? []);
        count(terminal, content, receivedMs);
      });
      if (!decoded.ok || decoded.results.length === 0) return;
      for (const handler of options.handlers) handler(terminal, decoded.results);
    },
    /** The end of a turn: saves what changed and trims what is too old. */
    settle: (): void => {
      for (const model of models.staged()) store.saveTerminal(model);
      const events = store.trimEvents();
      const letters = store.trimDeadLetters();
      database.afterCommit(() => {
        models.keep();
        if (events > 0) metrics.dropped('events', events);
        if (letters > 0) metrics.dropped('dead_letters', letters);
      });
    },
    /** After every turn, also a failed one: what is still staged never happened. */
    end: models.forget,
  };
}
