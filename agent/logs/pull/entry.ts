// What is written down of open requests, so that an agent that was killed goes on with them: the request itself before
// anything is done, its plan before the first chunk goes. A live tail is only a name: what it had not sent is gone with
// the agent that listened, and the next one says so. What an earlier version wrote (files in place of blocks) cannot
// be gone on with, but is still ended with a reason.

import * as v from 'valibot';
import { planSchema, wishSchema } from './plan.ts';

const common = { command: v.string(), request: v.string(), expiresMs: v.number() };

const pullSchema = v.object({
  kind: v.literal('pull'),
  ...common,
  /** Of all records, where it is one. */
  component: v.string(),
  wish: wishSchema,
  /** What was added to the terminal's clock when it was asked; records carry corrected times, as samples do. */
  offsetMs: v.number(),
  plan: v.optional(planSchema),
});
/** The answer lies there already, and goes when it was sent. */
const fileSchema = v.object({ kind: v.literal('file'), ...common, file: v.string() });
const tailSchema = v.object({ kind: v.literal('tail'), ...common });
const formerSchema = v.pipe(
  v.object(common),
  v.transform((entry) => ({ kind: 'former' as const, ...entry })),
);

export type PullEntry = v.InferOutput<typeof pullSchema>;
export type FileEntry = v.InferOutput<typeof fileSchema>;
export type TailEntry = v.InferOutput<typeof tailSchema>;
export type Entry = PullEntry | FileEntry | TailEntry;
export type Kept = Entry | v.InferOutput<typeof formerSchema>;

const schema = v.array(v.union([pullSchema, fileSchema, tailSchema, formerSchema]));

/** A few plans of a thousand runs each. */
export const PULLS_FILE_BYTES_MAX = 4 * 1024 * 1024;

/** @throws when it is no list of requests. */
export const parseEntries = (text: string): Kept[] => v.parse(schema, JSON.parse(text));
