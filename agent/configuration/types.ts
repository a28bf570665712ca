// What a till writes down of the fleet's documents: which one is tried and how often, and what became of the last one.
// Whatever is here is on disk before the deed that it is about, so that an agent killed at any moment
// leaves enough for the next to go on or to go back.

import * as v from 'valibot';
import { COMPONENTS_MAX } from '../../configuration/component.ts';

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const name = v.pipe(v.string(), v.maxLength(128));
const names = v.pipe(v.array(name), v.maxLength(2 * COMPONENTS_MAX));

export const documentSchema = v.object({ name, version: count, sha256: v.string() });
/** Which text, and what its author calls it. */
export type Document = Readonly<v.InferOutput<typeof documentSchema>>;

const trialSchema = v.object({
  document: documentSchema,
  command: v.string(),
  /** Agents that began under it. */
  attempts: count,
  readyMs: count,
  /** Must be ready: what was when it came, and what is new in it. */
  needed: names,
  /** Stopped for it and started again. */
  restarted: names,
});
export type Trial = Readonly<v.InferOutput<typeof trialSchema>>;

export const RESULTS = ['kept', 'rolled_back', 'refused'] as const;
export type Result = (typeof RESULTS)[number];

const outcomeSchema = v.object({
  document: documentSchema,
  command: v.string(),
  what: v.picklist(['kept', 'rolled_back']),
  reason: v.string(),
  restarted: names,
  needed: v.optional(names),
  /** To the centre; not before that is it forgotten that it was not. */
  isTold: v.boolean(),
});
export type Outcome = Readonly<v.InferOutput<typeof outcomeSchema>>;

export const notesSchema = v.object({
  v: v.literal(1),
  trial: v.optional(trialSchema),
  outcome: v.optional(outcomeSchema),
  /** Of all documents that ever came. */
  counts: v.object({ kept: count, rolled_back: count, refused: count }),
});
export type Notes = Readonly<v.InferOutput<typeof notesSchema>>;

export const NO_NOTES: Notes = { v: 1, counts: { kept: 0, rolled_back: 0, refused: 0 } };

/** Where texts lie, in the order in which they are taken; `own`: the till's own file alone. */
export const SHELVES = ['trial', 'good', 'previous'] as const;
export type Shelf = (typeof SHELVES)[number];
export type Which = Shelf | 'own';
/** What an agent that begins finds in one place. */
export type FoundText = Document | 'damaged' | undefined;
export type Found = {
  readonly notes: Notes | 'damaged' | undefined;
} & { readonly [S in Shelf]: FoundText };
