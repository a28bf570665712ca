// Whether a record is one that somebody looks for, and which of a component's records go into the answer with it. A
// pattern is RE2's: linear in the text whatever it says, where (.*a){20} takes V8 seconds for one line. Its engine is
// loaded only when a request has a pattern. A text is looked for with case ignored, in the whole record.

import type { LogLevel } from '../../../protocol/catalogue.ts';
import { isAtLeast } from '../../../protocol/log-lines.ts';
import { fail, ok, type Result } from '../../../protocol/result.ts';
import type { BlockRef, JournalRecord, Window } from '../journal/types.ts';
import type { Wish } from './plan.ts';

export type Finds = (text: string) => boolean;
type Words = Pick<Wish, 'text' | 'pattern'>;

/** @returns undefined: every text fits. */
export async function finderOf({ text, pattern }: Words): Promise<Result<Finds | undefined>> {
  if (text !== undefined) {
    const wanted = text.toLowerCase();
    return ok((has) => has.toLowerCase().includes(wanted));
  }
  if (pattern === undefined) return ok(undefined);
  const { RE2JS } = await import('re2js');
  try {
    // As in every tool that looks through lines: ^ and $ are ends of a line of the record.
    const compiled = RE2JS.compile(pattern, RE2JS.MULTILINE);
    return ok((has) => compiled.test(has));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return fail(`this is no pattern: ${why.replace(/^error parsing regexp: /, '')}`);
  }
}

/** Whether a block can hold a record of this level or worse. */
export const hasLevel = ({ levels }: Pick<BlockRef, 'levels'>, least: LogLevel | undefined) =>
  least === undefined ||
  [...levels].some((level) => isAtLeast(level === 'none' ? undefined : level, least));

export const isWithin = ({ timeMs }: JournalRecord, { sinceMs, untilMs }: Window): boolean =>
  timeMs >= sinceMs && timeMs <= untilMs;

export const fits = (
  { level, text }: JournalRecord,
  least: LogLevel | undefined,
  finds: Finds | undefined,
): boolean =>
  (least === undefined || isAtLeast(level, least)) && (finds === undefined || finds(text));

export type Picked = { readonly record: JournalRecord; readonly isMatch: boolean };

/** Goes along the records of one component: those that fit, with their neighbours, each once. */
export class Selector {
  readonly #context: number;
  #skip: number;
  #before: JournalRecord[] = [];
  #behind = 0;

  /** @param skip so many that fit are taken for others. */
  constructor(context: number, skip: number) {
    this.#context = context;
    this.#skip = skip;
  }

  add(record: JournalRecord, isFit: boolean, to: Picked[]): void {
    const isMatch = isFit && this.#skip === 0;
    if (isFit && !isMatch) this.#skip -= 1;
    if (isMatch) {
      for (const one of this.#before) to.push({ record: one, isMatch: false });
      this.#before = [];
      to.push({ record, isMatch });
      this.#behind = this.#context;
    } else if (this.#behind > 0) {
      this.#behind -= 1;
      to.push({ record, isMatch });
    } else if (this.#context > 0) {
      this.#before.push(record);
      if (this.#before.length > this.#context) this.#before.shift();
    }
  }
}
