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
