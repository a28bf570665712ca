// What operators are called and what they show: a token, which a person keeps and signs in with, and a session, which
// signing in gives and which ends. Both begin with a word of their own, so that a secret which ended up in a log or a
// repository is recognised, by people and by scanners. The last dot of a token is the one before its secret: names may have dots.

import { fail, ok, type Result } from './result.ts';

/** Small letters only, so that Kim and kim are not two people. Also fits the audit log, a URL and a file of contexts. */
export const OPERATOR_PATTERN = /^[a-z0-9][a-z0-9._@+-]{0,63}$/;
export const OPERATOR_RULE =
  'use 1 to 64 of a-z, 0-9 and "._@+-", beginning with a letter or a digit';
/** They stand in the audit log for who is no person. */
const RESERVED = ['api-token', 'broker', 'tillwatch', 'unknown', 'anyone', 'nobody'];

/** Each ends in 256 random bits in base64url. */
const TOKEN = /^two1\.(.{1,64})\.([A-Za-z0-9_-]{43})$/;
const SESSION = /^tws1\.[A-Za-z0-9_-]{43}$/;

export const isOperatorName = (text: string): boolean =>
  OPERATOR_PATTERN.test(text) && !RESERVED.includes(text);

/** @returns the name itself, or a sentence that says what one looks like. */
export function parseOperatorName(text: string): Result<string> {
  if (RESERVED.includes(text)) return fail(`"${text}" is nobody's name: it is kept for records`);
  if (OPERATOR_PATTERN.test(text)) return ok(text);
  return fail(`${JSON.stringify(text.slice(0, 64))} is not a name: ${OPERATOR_RULE}`);
}

export type OperatorToken = { readonly name: string; readonly secret: string };

export const formatOperatorToken = ({ name, secret }: OperatorToken): string =>
  `two1.${name}.${secret}`;

/** @returns undefined for anything else, also for a token whose name nobody can have. */
export function parseOperatorToken(text: string): OperatorToken | undefined {
  const [, name, secret] = TOKEN.exec(text) ?? [];
  if (name === undefined || secret === undefined || !isOperatorName(name)) return undefined;
  return { name, secret };
}

export const formatSession = (secret: string): string => `tws1.${secret}`;
export const isSession = (text: string): boolean => SESSION.test(text);
