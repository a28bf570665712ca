// What a request for logs becomes on the terminal: which blocks of the journal answer it and how much of them is left out,
// settled once by a search and written down, so that whatever process asks later makes the very same bytes. Of a window
// that holds more than was asked for, the newest records are taken: whoever asks for the last ten minutes means now.

import * as v from 'valibot';
import { LOG_LEVELS } from '../../../protocol/catalogue.ts';
import { CUTS } from '../../../protocol/logs.ts';

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Neighbouring blocks of one segment: the places of the first and of the last, and how many. */
const runSchema = v.tuple([count, count, count, count]);
export type Run = v.InferOutput<typeof runSchema>;

export const wishSchema = v.object({
  components: v.array(v.string()),
  /** By the terminal's own clock, as records are. */
  sinceMs: v.number(),
  untilMs: v.number(),
  bytesMax: count,
  level: v.optional(v.picklist(LOG_LEVELS)),
  text: v.optional(v.string()),
  pattern: v.optional(v.string()),
  last: v.optional(count),
  context: v.optional(count, 0),
  searchMs: count,
  /** More was printed than is in the journal yet: the answer says so. */
  behind: v.optional(v.boolean()),
});
/** Which records somebody wants; everything that decides about the answer. */
export type Wish = v.InferOutput<typeof wishSchema>;

export const partSchema = v.object({
  component: v.string(),
  runs: v.array(runSchema),
  /** So many of its first matches are left out: newer ones were enough. */
  skipMatches: count,
});
export type Part = v.InferOutput<typeof partSchema>;

export const planSchema = v.object({
  redactor: v.string(),
  parts: v.array(partSchema),
  /** Records of the merged answer that are left out at its beginning, so that the rest fits. */
  skipRecords: count,
  truncated: v.boolean(),
  cutBy: v.picklist(CUTS),
  /** From when on it is complete; by the terminal's own clock, 0 where it always was. */
  fromMs: v.number(),
  searchedBytes: count,
  searchBytes: count,
});
export type Plan = v.InferOutput<typeof planSchema>;

/** Scattered blocks make many runs: the smallest gaps between them are taken in until so many are left. */
export const RUNS_MAX = 1_000;
