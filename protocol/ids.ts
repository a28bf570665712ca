// Identifiers of the wire. A terminal id is unique in the fleet and is the MQTT client id; component
// and store names follow the same rule, so that each is safe in a topic, a file name and a label.

import { fail, ok, type Result } from './result.ts';

export const ID_PATTERN = /^[a-z0-9][a-z0-9-]{0,31}$/;
export const ID_RULE = 'use 1 to 32 of a-z, 0-9 and "-", beginning with a letter or a digit';
export const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const isId = (text: string): boolean => ID_PATTERN.test(text);

/** @returns the text itself, or a sentence that says what an identifier looks like. */
export function parseId(what: string, text: string): Result<string> {
  return isId(text) ? ok(text) : fail(`"${text.slice(0, 64)}" is not a ${what} id: ${ID_RULE}`);
}
