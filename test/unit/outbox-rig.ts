// What outbox tests share: a clock that is moved by hand, an outbox in a folder of its own, and a
// reader that takes batches apart as the broker would. It stands beside the tests, not in agent/.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../agent/ports.ts';
import { openOutbox } from '../../agent/telemetry/outbox.ts';
import type { Outbox, OutboxOptions, Outgoing } from '../../agent/telemetry/types.ts';
import { unpackBody } from '../../protocol/body.ts';
import { decodeEventBody, type NewEvent, type TerminalEvent } from '../../protocol/events.ts';
import { decodeMetricBody, type Snapshot } from '../../protocol/metric-body.ts';
import type { Result } from '../../protocol/result.ts';
import { type Ack, type Batch, decodeBatch } from '../../protocol/wire.ts';

export const START_MS = Date.UTC(2026, 0, 5, 8);

export function fakeClock(wallMs = START_MS) {
  let elapsed = 0;
  let jump = 0;
  return {
    monotonicMs: () => elapsed,
    wallMs: () => wallMs + elapsed + jump,
    pass: (ms: number) => {
      elapsed += ms;
    },
    jump: (ms: number) => {
      jump += ms;
    },
  };
}
export type FakeClock = ReturnType<typeof fakeClock>;

export function quietLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const add = (message: string, fields?: Record<string, unknown>): void => {
    lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  };
  return { lines, info: add, warn: add, error: add };
}

export const need = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(result.reason);
  return result.value;
};

export function makeFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'tw-outbox-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export function open(folder: string, clock: FakeClock, more: Partial<OutboxOptions> = {}): Outbox {
  return openOutbox({
    path: join(folder, 'outbox.db'),
    bytesMax: 4 * 1024 * 1024,
    clock,
    log: quietLog(),
    random: () => 0,
    ...more,
  });
}

export const snapshotAt = (timeMs: number, series = 3, value = timeMs % 997): Snapshot => ({
  timeMs,
  samples: Array.from({ length: series }, (_, index) => ({
    name: 'pos_test',
    labels: { index: String(index) },
    value: value + index,
  })),
});

export const someEvent = (reason: string): NewEvent => ({
  kind: 'agent_stopping',
  component: '',
  fields: { reason, left: [] },
});

export const batchOf = (outgoing: Outgoing): Batch => need(decodeBatch(outgoing.bytes));
export const snapshotsOf = (outgoing: Outgoing): Snapshot[] =>
  need(decodeMetricBody(need(unpackBody(batchOf(outgoing)))));
export const eventsOf = (outgoing: Outgoing): TerminalEvent[] =>
  need(decodeEventBody(need(unpackBody(batchOf(outgoing)))));

export function ackFor(
  epoch: Uint8Array,
  batches: readonly Pick<Outgoing, 'stream' | 'seq'>[],
  more: Partial<Ack> = {},
): Ack {
  const streams = [...new Set(batches.map((batch) => batch.stream))].map((stream) => ({
    stream,
    ranges: batches
      .filter((batch) => batch.stream === stream)
      .map(({ seq }) => ({ first: seq, last: seq })),
  }));
  return {
    epoch,
    streams,
    refused: [],
    brokerTimeMs: START_MS,
    paceBytesPerSecond: 0,
    ledgerGeneration: new Uint8Array(8),
    notice: '',
    ...more,
  };
}

/** Takes and acknowledges until nothing comes any more. @returns everything in the order it came. */
export function drain(outbox: Outbox, roundsMax = 2_000): Outgoing[] {
  const all: Outgoing[] = [];
  for (let round = 0; round < roundsMax; round += 1) {
    const taken = outbox.takeBatches(16);
    if (taken.length === 0) return all;
    all.push(...taken);
    outbox.acknowledge(ackFor(outbox.epoch, taken, { brokerTimeMs: 0 }));
  }
  throw new Error(`still not empty after ${roundsMax} rounds`);
}
