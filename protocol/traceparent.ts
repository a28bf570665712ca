// W3C Trace Context: how one process tells the next which trace its work belongs to, as a text of 55
// characters. It travels in HTTP headers, in signed commands and between the components of a till. What
// is not valid is as good as absent (Trace Context 3.2.2.3), so that a caller's slip never fails a sale.

import { isSpanId, isTraceId } from './traces.ts';

export type TraceContext = {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
};

/** Version 00, or a later one that may say more behind a hyphen (Trace Context 4.3). */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** Version ff is invalid for ever. */
const VERSION_INVALID = 'ff';
const CHARS_MAX = 256;
const SAMPLED = 1;

export function parseTraceparent(header: string | undefined): TraceContext | undefined {
  if (header === undefined || header.length > CHARS_MAX) return undefined;
  const match = TRACEPARENT.exec(header.trim());
  if (match === null) return undefined;
  const [, version, traceId = '', spanId = '', flags = '', more] = match;
  if (version === VERSION_INVALID || (version === '00' && more !== undefined)) return undefined;
  if (!isTraceId(traceId) || !isSpanId(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED };
}

export const traceparentOf = ({ traceId, spanId, sampled }: TraceContext): string =>
  `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;

/**
 * The trace of something that a uuid names (an incident, a command) is that uuid without its hyphens: whoever has
 * one has the other, and a program that was restarted in the middle goes on with the same trace.
 */
export const traceOfUuid = (uuid: string): string => uuid.replaceAll('-', '');
