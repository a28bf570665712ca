// Turns outside data into typed values with valibot and says everything that is wrong with it at once,
// each problem with its path and a sentence. Bodies of requests, answers of servers, files and the
// environment all come in through here.

import * as v from 'valibot';
import { fail, ok, type Result } from './result.ts';

type Schema<T> = v.GenericSchema<unknown, T>;
/** More problems than this help nobody, and a hostile body must not write a novel. */
const PROBLEMS_MAX = 10;

/** @returns the checked value, or every problem as `path: sentence`, joined by '; '. */
export function check<T>(schema: Schema<T>, value: unknown): Result<T> {
  const checked = v.safeParse(schema, value, { abortEarly: false, abortPipeEarly: true });
  if (checked.success) return ok(checked.output);
  const problems = checked.issues
    .slice(0, PROBLEMS_MAX)
    .map((issue) => `${v.getDotPath(issue) ?? 'body'}: ${sentence(issue)}`);
  return fail(problems.join('; '));
}

/** valibot speaks of keys in its own words; a cashier's integrator reads ours. */
function sentence(issue: v.BaseIssue<unknown>): string {
  const isKey = issue.type.endsWith('object') && issue.message.startsWith('Invalid key');
  if (isKey) return issue.expected === 'never' ? 'this field is not known' : 'this is missing';
  return issue.message.slice(0, 200);
}

export function checkJson<T>(schema: Schema<T>, text: string): Result<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fail('body: this is not JSON');
  }
  return check(schema, value);
}

export const identifier = v.pipe(
  v.string('give a text'),
  v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'use 1 to 64 of letters, digits, ".", "_" and "-"'),
);
export const uuid = v.pipe(v.string('give a text'), v.uuid('give a UUID'));
export const sku = v.pipe(
  v.string('give a text'),
  v.regex(/^[0-9A-Za-z-]{1,32}$/, 'use 1 to 32 of letters, digits and "-"'),
);
/** Amounts are whole minor units (cents): floating point never touches money. */
export const minor = v.pipe(
  v.number('give a number of minor units'),
  v.integer('give a whole number of minor units'),
  v.minValue(0, 'an amount is not negative'),
  v.maxValue(100_000_000, 'an amount is at most 100000000 minor units'),
);
export const count = v.pipe(
  v.number('give a number'),
  v.integer('give a whole number'),
  v.minValue(0, 'a count is not negative'),
);
