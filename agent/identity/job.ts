// What the agent and the program that enrols say to each other: one line of JSON each way. The token and the proxy's
// password travel on the program's standard input, because arguments and environment are there for everybody to read.

import * as v from 'valibot';

const common = {
  folder: v.string(),
  terminal: v.string(),
  /** protocol/hello.ts */
  machine: v.string(),
  proxy: v.optional(v.string()),
  /** It is later than this for certain, and what time it is where that is known. */
  floorMs: v.number(),
  nowMs: v.optional(v.number()),
};

export const jobSchema = v.variant('kind', [
  v.object({ kind: v.literal('enrol'), ...common, token: v.string() }),
  v.object({ kind: v.literal('renew'), ...common }),
]);
export type Job = v.InferOutput<typeof jobSchema>;

export const doneSchema = v.variant('ok', [
  v.object({ ok: v.literal(true), expiresMs: v.number(), store: v.string(), url: v.string() }),
  v.object({
    ok: v.literal(false),
    reason: v.string(),
    /** The broker itself said no, over a connection that was believed: asking again changes nothing. */
    final: v.boolean(),
  }),
]);
export type Done = v.InferOutput<typeof doneSchema>;

export const LINE_BYTES_MAX = 64 * 1024;
/** All addresses together; the program ends by itself. */
export const JOB_MS_MAX = 90_000;
