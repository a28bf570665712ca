// The building blocks of the configuration's schemas: each checks one kind of value and says, when it is wrong, what
// it must be, in the words of whoever writes the file. Kept apart from the schemas so that those read as a list of keys.

import * as v from 'valibot';
import { ID_PATTERN, ID_RULE } from '../protocol/ids.ts';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const ARGUMENTS_MAX = 64;

export const TEXT_CHARS_MAX = 4_096;

export const text = (what: string, max = TEXT_CHARS_MAX) =>
  v.pipe(
    v.string(`must be ${what}, as text (in quotes when it looks like a number)`),
    v.minLength(1, `must be ${what}, not empty`),
    v.maxLength(max, `must be ${what} of at most ${max} characters`),
  );

export function whole(min: number, max: number, what: string) {
  const sentence = `must be ${what} from ${min} to ${max}`;
  return v.pipe(
    v.number(sentence),
    v.integer(sentence),
    v.minValue(min, sentence),
    v.maxValue(max, sentence),
  );
}

export const ms = (min: number, max: number) => whole(min, max, 'a whole number of milliseconds');
export const oneOf = <const T extends readonly string[]>(...words: T) =>
  v.picklist(words, `must be one of: ${words.join(', ')}`);
export const list = <T extends v.GenericSchema>(item: T, max: number) =>
  v.pipe(v.array(item, 'must be a list'), v.maxLength(max, `must have at most ${max} entries`));
export const truth = v.boolean('must be true or false');

/** Not valibot's strictObject: that names only the first of several keys it does not know. */
export const strict = <T extends v.ObjectEntries>(entries: T) =>
  v.pipe(
    v.objectWithRest(
      entries,
      v.never(`is not a key that belongs here; known are: ${Object.keys(entries).join(', ')}`),
    ),
    v.transform((value) => value as v.InferOutput<v.ObjectSchema<T, undefined>>),
  );

export const id = v.pipe(text('a name', 64), v.regex(ID_PATTERN, ID_RULE));
export const port = whole(1, 65_535, 'a port: a whole number');

/** @returns whether the name can only mean this machine. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' ||
  host === '::1' ||
  host === '[::1]' ||
  /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);

export const localHost = v.pipe(
  text('a host', 255),
  v.check(
    isLoopback,
    'must be on this machine (127.0.0.1, ::1 or localhost): a remote that does not answer is no sign of a hung component',
  ),
);

export function isLoopbackUrl(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed?.protocol === 'http:' && isLoopback(parsed.hostname);
}

export const localUrl = v.pipe(
  text('a URL'),
  v.check(isLoopbackUrl, 'must be an http:// URL on this machine (127.0.0.1, ::1 or localhost)'),
);

export const command = v.pipe(
  list(v.string('must be text (in quotes when it looks like a number)'), ARGUMENTS_MAX),
  v.check((words) => (words[0] ?? '') !== '', 'must begin with the program to run'),
);
