// What makes two error records the same kind: their words, without everything that differs from one time to the next.
// Numbers, identifiers, addresses, paths, quoted values and marks of the redactor become `*`, and of a stack the
// record's first line and the first frame of it stay. Pure and linear; the same on every terminal, so that the
// centre can add kinds up by their id alone.

import { createHash } from 'node:crypto';
import { SIGNATURE_CHARS_MAX } from './limits.ts';

const ID_CHARS = 16;
/** Of a record, as much is looked at. */
const LOOKED_AT_CHARS = 2_000;

/** In this order: what is more telling first. None has nested repetition. */
const MASKS: readonly RegExp[] = [
  /\[(?:[A-Z]+(?: [a-z]+)?(?: \.{4}\d{4})?)\]/g,
  /\b[a-z][a-z0-9+.-]{0,15}:\/\/[^\s"'<>]+/gi,
  /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi,
  /"[^"\n]{0,200}"|'[^'\n]{0,200}'/g,
  /(?:[A-Za-z]:)?(?:[\\/][\w.@+-]+){2,}[\\/]?/g,
  /\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+/g,
];
/** A number, or a word with one in it: looked for word by word, so that a long row of hyphens costs its length. */
const WORD = /\w[\w-]*/g;
const FRAME = /^\s*at [^\n]*$|^\s*File "[^\n]*$/m;

export type Signature = { readonly id: string; readonly pattern: string };

const mask = (text: string): string =>
  MASKS.reduce((masked, pattern) => masked.replace(pattern, '*'), text)
    .replace(WORD, (word) => (/\d/.test(word) ? '*' : word))
    .replace(/\*(?:[\s,.:;/-]*\*)+/g, '*')
    .replace(/\s+/g, ' ')
    .trim();

/** @param text of one record, redacted, without its time, level and component. */
export function signatureOf(component: string, level: 'error' | 'warn', text: string): Signature {
  const looked = text.slice(0, LOOKED_AT_CHARS);
  const [first = ''] = looked.split('\n', 1);
  const frame = FRAME.exec(looked.slice(first.length))?.[0] ?? '';
  const pattern = mask(frame === '' ? first : `${first} ${frame.trim()}`).slice(
    0,
    SIGNATURE_CHARS_MAX,
  );
  const id = createHash('sha256').update(`${component}\0${level}\0${pattern}`).digest('hex');
  return { id: id.slice(0, ID_CHARS), pattern };
}
