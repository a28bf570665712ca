// What an answer to a push means. Loki takes what is well in a request and answers 400 for the rest, with the reason of
// one entry and, where age is the reason, the oldest time that it would take: from there on nobody has to ask again
// one by one. Total over status and text; the text is read, because the status says little.

import type { Answer } from './verdict.ts';
import { systemWords } from './words.ts';

/** Words for the label `reason`; a closed list. */
export type LokiBad =
  | 'too_old'
  | 'too_far_behind'
  | 'future'
  | 'too_large'
  | 'invalid'
  | 'limit'
  | 'refused';

export type LokiVerdict =
  | { readonly kind: 'taken' }
  | {
      readonly kind: 'bad';
      readonly reason: LokiBad;
      readonly sentence: string;
      /** Older than that is not taken, as far as it says. */
      readonly oldestMs?: number;
    }
  | {
      readonly kind: 'again';
      readonly result: 'unavailable' | 'throttled' | 'unauthorised' | 'no_receiver';
      readonly sentence: string;
      readonly afterMs?: number;
    };

/** Where a person must do something, hurry helps nobody. */
const PERSON_MS = 5_000;

const WORDS: readonly (readonly [RegExp, LokiBad])[] = [
  [/too far behind|too_far_behind|out of order/i, 'too_far_behind'],
  [/too old|greater_than_max_sample_age/i, 'too_old'],
  [/too new|too_far_in_future|in the future/i, 'future'],
  [/max entry size|line_too_long|line too long|structured metadata.*(?:too|larg)/i, 'too_large'],
  [/label|stream.*invalid|parse|invalid/i, 'invalid'],
  [/limit/i, 'limit'],
];
const OLDEST = /oldest acceptable timestamp is:? (\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d))/i;

function oldestOf(text: string): number | undefined {
  const ms = Date.parse(OLDEST.exec(text)?.[1] ?? '');
  return Number.isFinite(ms) ? ms : undefined;
}

/** @param where the address, without credentials. */
export function judgePush({ status, text, retryAfterMs }: Answer, where: string): LokiVerdict {
  if (status >= 200 && status < 300) return { kind: 'taken' };
  const said = `${where} answered ${status}: ${systemWords(text)}`;
  const asked = retryAfterMs === undefined ? {} : { afterMs: retryAfterMs };
  const person = { afterMs: retryAfterMs ?? PERSON_MS };
  if (status === 429) return { kind: 'again', result: 'throttled', sentence: said, ...asked };
  if (status === 413) return { kind: 'bad', reason: 'too_large', sentence: said };
  if (status === 404 || status === 405) {
    const path = 'set path (Loki: /loki/api/v1/push, VictoriaLogs: /insert/loki/api/v1/push)';
    const sentence = `${where} takes no logs (${status}): ${path}`;
    return { kind: 'again', result: 'no_receiver', sentence, ...person };
  }
  if (status === 401 || status === 403) {
    const sentence = `${where} does not let the broker in (${status}): set tenant or bearerTokenFile`;
    return { kind: 'again', result: 'unauthorised', sentence, ...person };
  }
  if (status === 400 || status === 422) {
    const reason = WORDS.find(([pattern]) => pattern.test(text))?.[1] ?? 'refused';
    const oldestMs = oldestOf(text);
    return { kind: 'bad', reason, sentence: said, ...(oldestMs !== undefined && { oldestMs }) };
  }
  const isServer = status >= 500 || status === 408;
  return { kind: 'again', result: 'unavailable', sentence: said, ...(isServer ? asked : person) };
}
