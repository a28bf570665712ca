// The terminal's part of a command's trace: receiving it (until it is judged and written down) and carrying it out.
// Made from two states of its journal entry, so that an agent that was killed in the middle ends in the next one what
// it began; ids follow from the command, so that what is told twice is the same span.

import { createHash } from 'node:crypto';
import { type CommandState, FINAL_STATES } from '../../protocol/commands.ts';
import { parseTraceparent } from '../../protocol/traceparent.ts';
import type { Span } from '../../protocol/traces.ts';

/** What the journal of commands keeps of one, as far as a trace needs it. */
export type TracedEntry = {
  readonly id: string;
  readonly state: CommandState;
  readonly reason: string;
  readonly timeMs: number;
  readonly kind?: string | undefined;
  readonly traceparent?: string | undefined;
};

/** Told at each change. @param sinceMs when that began. */
export type TraceCommand = (
  before: TracedEntry | undefined,
  entry: TracedEntry,
  sinceMs: number,
) => void;

const spanIdOf = (command: string, name: string): string =>
  createHash('sha256').update(`${command}/${name}`).digest('hex').slice(0, 16);

const isFinal = (state: CommandState): boolean => FINAL_STATES.includes(state);

const statusOf = ({ state, reason }: TracedEntry): Span['status'] => {
  if (state === 'accepted' || state === 'succeeded') return { code: 'ok' };
  return { code: 'error', message: reason === '' ? state : `${state}: ${reason}` };
};

/** @param sinceMs when it arrived. @returns a span that ended with this entry, if one did. */
export function commandSpan(
  before: TracedEntry | undefined,
  entry: TracedEntry,
  sinceMs: number,
  nowMs: number,
): Span | undefined {
  const context = parseTraceparent(entry.traceparent);
  if (context === undefined || (before !== undefined && isFinal(before.state))) return undefined;
  const name = before === undefined ? 'receive' : 'execute';
  if (before !== undefined && !isFinal(entry.state)) return undefined;
  const startMs = before?.timeMs ?? sinceMs;
  const status = statusOf(entry);
  return {
    traceId: context.traceId,
    spanId: spanIdOf(entry.id, name),
    parentSpanId: context.spanId,
    name,
    kind: name === 'receive' ? 'consumer' : 'internal',
    startMs,
    endMs: Math.max(startMs, before === undefined ? nowMs : entry.timeMs),
    attributes: {
      'tillwatch.command': entry.id,
      ...(entry.kind === undefined ? {} : { 'tillwatch.command.kind': entry.kind }),
      'tillwatch.state': entry.state,
    },
    events: [],
    ...(status && { status }),
  };
}
