// The few forms that settings of the broker have, each with the sentence that says what is wrong with a
// value. Apart from config.ts, so that the tables of settings which stand in files of their own (retention,
// sinks) are written in the same words.

import * as v from 'valibot';

export function whole(min: number, max: number) {
  const sentence = `must be a whole number from ${min} to ${max}`;
  return v.pipe(
    v.number(sentence),
    v.integer(sentence),
    v.minValue(min, sentence),
    v.maxValue(max, sentence),
  );
}

/** Settings that a person may leave out, with what they are then. */
export function group<const T extends v.ObjectEntries>(entries: T) {
  return v.optional(v.strictObject(entries, 'must be a group of settings'), {} as never);
}

/** Something wrong with a value, found beside what its own schema says. */
export type Found = { readonly path: readonly (string | number)[]; readonly sentence: string };

/** @returns an empty one where there is something else. */
export const objectAt = (value: unknown, key: string): Record<string, unknown> => {
  const at = (value as Record<string, unknown> | null)?.[key];
  return typeof at === 'object' && at !== null ? (at as Record<string, unknown>) : {};
};
