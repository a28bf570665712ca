// What an answer to a remote write request means. The status alone does not say: Prometheus 2.42 answers
// "too old sample" with 500, which the specification says to repeat, for ever (research/mqtt.md 0.9). So
// the text is read first. Total over status and text; whoever asks decides what to do.

import { systemWords } from './words.ts';

/** Words for the label `reason`; a closed list. */
export type BadReason =
  | 'too_old'
  | 'out_of_order'
  | 'out_of_bounds'
  | 'duplicate'
  | 'future'
  | 'limit'
  | 'invalid'
  | 'too_large'
  | 'refused';

export type Answer = {
  readonly status: number;
  /** The beginning of the body. */
  readonly text: string;
  readonly retryAfterMs?: number;
};

export type Verdict =
  | { readonly kind: 'taken' }
  /** Something in it will never be taken. */
  | { readonly kind: 'bad'; readonly reason: BadReason; readonly sentence: string }
  /** Not now. `result`: for tillwatch_sink_requests_total. */
  | {
      readonly kind: 'again';
      readonly result: 'unavailable' | 'throttled' | 'unauthorised' | 'no_receiver';
      readonly sentence: string;
      readonly afterMs?: number;
      /** There was no answer. */
      readonly lost?: boolean;
    };

/** Where a person must do something, hurry helps nobody. */
const PERSON_MS = 5_000;

/** In this order: Mimir's sentence on old samples says "out of order", too. */
const WORDS: readonly (readonly [RegExp, BadReason])[] = [
  [/too old|too-old/i, 'too_old'],
  [/too far in (the )?future|too-far-in-future/i, 'future'],
  [/out of bounds|out-of-bounds/i, 'out_of_bounds'],
  [/out of order|out-of-order/i, 'out_of_order'],
  [/duplicate (sample|timestamp)|new-value-for-timestamp/i, 'duplicate'],
  [/limit|max-series|too many/i, 'limit'],
  [/label|metric name|invalid|utf-?8/i, 'invalid'],
];
const reasonOf = (text: string): BadReason | undefined =>
  WORDS.find(([pattern]) => pattern.test(text))?.[1];

const bad = (reason: BadReason, answer: Answer): Verdict => ({
  kind: 'bad',
  reason,
  sentence: `answered ${answer.status}: ${systemWords(answer.text)}`,
});

/** @param where the address, without credentials. */
export function judge(answer: Answer, where: string): Verdict {
  const { status, text, retryAfterMs } = answer;
  if (status >= 200 && status < 300) return { kind: 'taken' };
  const said = `${where} answered ${status}: ${systemWords(text)}`;
  const later = (
    result: Extract<Verdict, { kind: 'again' }>['result'],
    sentence: string,
  ): Verdict => ({
    kind: 'again',
    result,
    sentence,
    ...(retryAfterMs !== undefined && { afterMs: retryAfterMs }),
  });
  const person = (
    result: 'unauthorised' | 'no_receiver' | 'unavailable',
    sentence: string,
  ): Verdict => ({
    kind: 'again',
    result,
    sentence,
    afterMs: retryAfterMs ?? PERSON_MS,
  });
  if (status === 429) return later('throttled', said);
  if (status === 408) return later('unavailable', said);
  if (status === 404 || status === 405) {
    const flag = 'start Prometheus with --web.enable-remote-write-receiver, or set the right path';
    return person('no_receiver', `${where} has no remote write receiver (${status}): ${flag}`);
  }
  if (status === 401 || status === 403) {
    const token = 'set bearerTokenFile, or another token in it';
    return person('unauthorised', `${where} does not let the broker in (${status}): ${token}`);
  }
  if (status === 413) return bad('too_large', answer);
  if (status >= 500) {
    // Only what no repetition changes; "limit" in a 500 is about its own memory.
    const reason = reasonOf(text);
    const final = reason === 'too_old' || reason === 'out_of_order' || reason === 'out_of_bounds';
    return final ? bad(reason, answer) : later('unavailable', said);
  }
  if (status === 400 || status === 422) return bad(reasonOf(text) ?? 'refused', answer);
  return person('unavailable', said);
}
