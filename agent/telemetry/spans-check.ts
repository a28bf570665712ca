// Which spans can be sent at all: one that the broker cannot read would take a whole body of them to its dead
// letters. Pure; what is left out is counted by whoever asked.

import { SPAN_BYTES_MAX } from '../../protocol/limits.ts';
import { faultOf, type Span, spanBytes } from '../../protocol/traces.ts';

export type Sendable = {
  readonly spans: readonly Span[];
  readonly left: readonly {
    readonly reason: 'unencodable' | 'too_large';
    readonly count: number;
  }[];
};

export function sendableSpans(all: readonly Span[]): Sendable {
  const sound = all.filter((span) => faultOf(span) === undefined);
  const spans = sound.filter((span) => spanBytes(span) <= SPAN_BYTES_MAX);
  const left = [
    { reason: 'unencodable' as const, count: all.length - sound.length },
    { reason: 'too_large' as const, count: sound.length - spans.length },
  ];
  return { spans, left: left.filter(({ count }) => count > 0) };
}
