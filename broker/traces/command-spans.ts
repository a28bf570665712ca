// One trace for each command, as its queue remembers it: request, queue, delivery and result, under one span of the
// whole; the terminal's spans are children of that, because its signed traceparent names it. Pure, and made when the
// command is finished from what is on disk anyway, so that a broker that was killed in the middle tells the same
// spans with the same ids. A caller's own trace is gone on with; without one, the trace is named after the command.

import { createHash } from 'node:crypto';
import { type Command, componentsOf } from '../../protocol/commands.ts';
import { parseTraceparent, traceOfUuid, traceparentOf } from '../../protocol/traceparent.ts';
import type { Attributes, Span } from '../../protocol/traces.ts';
import { isFinal, type QueuedCommand } from '../commands/queue.ts';

/** What the trace knows beyond the queue. */
export type CommandOrigin = {
  /** The caller's span, where it said one. */
  readonly parentSpanId?: string;
  /** When the request came in. */
  readonly requestedMs: number;
};

const spanIdOf = (command: string, name: string): string =>
  createHash('sha256').update(`${command}/${name}`).digest('hex').slice(0, 16);

/** What goes into the signed command, and what is kept of the caller's. */
export function traceOfCommand(
  command: string,
  callers: string | undefined,
): { readonly traceparent: string; readonly parentSpanId?: string } {
  const caller = parseTraceparent(callers);
  const traceId = caller?.traceId ?? traceOfUuid(command);
  const spanId = spanIdOf(command, 'command');
  return {
    traceparent: traceparentOf({ traceId, spanId, sampled: true }),
    ...(caller === undefined ? {} : { parentSpanId: caller.spanId }),
  };
}

/** Of a command of an earlier broker there may be none. */
export const traceIdOf = ({ traceparent }: Pick<Command, 'traceparent'>): string | undefined =>
  parseTraceparent(traceparent)?.traceId;

type Spell = Pick<Span, 'name' | 'kind' | 'startMs' | 'endMs'> & {
  readonly attributes?: Attributes;
};

const attributesOf = (command: Command): Attributes => ({
  'tillwatch.command': command.id,
  'tillwatch.command.kind': command.kind,
  'tillwatch.terminal': command.terminal,
  'tillwatch.operator': command.operator,
  'tillwatch.reason': command.reason,
  ...(componentsOf(command).length > 0
    ? { 'tillwatch.component': componentsOf(command).join(' ') }
    : {}),
});

/** A terminal's clock is corrected, not perfect: nothing ends before it began. */
const after = (startMs: number, endMs: number): { startMs: number; endMs: number } => ({
  startMs,
  endMs: Math.max(startMs, endMs),
});

function spells({ command, history, sends, changedMs }: QueuedCommand, origin: CommandOrigin) {
  const { issuedMs } = command;
  const sent = history.find(({ state }) => state === 'sent');
  const answered = history.find(({ state }) => state !== 'pending' && state !== 'sent');
  const all: Spell[] = [
    { name: 'request', kind: 'server', ...after(origin.requestedMs, issuedMs) },
    { name: 'queue', kind: 'internal', ...after(issuedMs, sent?.timeMs ?? changedMs) },
  ];
  if (sent !== undefined) {
    const until = answered?.timeMs ?? changedMs;
    const attributes = { 'tillwatch.sends': sends };
    all.push({ name: 'deliver', kind: 'producer', ...after(sent.timeMs, until), attributes });
  }
  return all;
}

/** @param queued is finished. */
export function commandSpans(queued: QueuedCommand, origin: CommandOrigin): readonly Span[] {
  const { command, history, changedMs, assumed, state } = queued;
  const context = parseTraceparent(command.traceparent);
  const last = history.findLast((entry) => isFinal(entry.state));
  if (context === undefined || last === undefined) return [];
  const { traceId, spanId: root } = context;
  const all = spells(queued, origin);
  // The terminal's own word was on its way until the broker had it.
  if (!assumed) all.push({ name: 'result', kind: 'consumer', ...after(last.timeMs, changedMs) });
  const parts = all.map(
    ({ attributes = {}, ...spell }): Span => ({
      ...spell,
      ...{ traceId, spanId: spanIdOf(command.id, spell.name), parentSpanId: root },
      ...{ attributes, events: [] },
    }),
  );
  const status: Span['status'] =
    state === 'succeeded'
      ? { code: 'ok' }
      : { code: 'error', message: last.reason === '' ? state : `${state}: ${last.reason}` };
  const whole: Span = {
    ...{ traceId, spanId: root, name: `command ${command.kind}`, kind: 'server', status },
    ...(origin.parentSpanId === undefined ? {} : { parentSpanId: origin.parentSpanId }),
    ...after(origin.requestedMs, Math.max(changedMs, ...parts.map(({ endMs }) => endMs))),
    attributes: { ...attributesOf(command), 'tillwatch.state': state },
    events: history.map(({ state: name, timeMs, reason }) => ({
      ...{ timeMs, name, attributes: reason === '' ? {} : { 'tillwatch.reason': reason } },
    })),
  };
  return [...parts, whole];
}

/** The terminal's word came after the broker had assumed an end: what was told stays, and this is told beside it. */
export function correctionSpan(queued: QueuedCommand, assumedMs: number): readonly Span[] {
  const { command, changedMs, state } = queued;
  const context = parseTraceparent(command.traceparent);
  if (context === undefined) return [];
  const { traceId, spanId: parentSpanId } = context;
  return [
    {
      ...{ traceId, spanId: spanIdOf(command.id, 'late result'), parentSpanId },
      ...{ name: 'late result', kind: 'consumer', ...after(assumedMs, changedMs) },
      attributes: { 'tillwatch.state': state },
      events: [],
    },
  ];
}
