// The operator's own rules: keys whose values go, patterns of texts that go, and numbers under a key that
// stay although they look like cards. They are data, read strictly: what is wrong is refused with its path and
// a sentence, all of it at once, because a rule that is half understood is a leak. Patterns are of a
// language of their own (pattern.ts), as a regular expression could be given that never ends.

import { type Pattern, readPattern } from './pattern.ts';

export type RuleProblem = { readonly path: string; readonly sentence: string };
export type Rule =
  | { readonly kind: 'key'; readonly name: string; readonly keys: readonly string[] }
  | { readonly kind: 'pattern'; readonly name: string; readonly source: string }
  | {
      readonly kind: 'allow';
      readonly name: string;
      readonly keys: readonly string[];
      /** Of a whole value. */
      readonly form: string;
    };
/** As readRules made them; plain data, so that they can be given to another process. */
export type Rules = { readonly rules: readonly Rule[]; readonly version: string };
export type ReadRules =
  | { readonly ok: true; readonly rules: Rules }
  | { readonly ok: false; readonly problems: readonly RuleProblem[] };

export const NO_RULES: Rules = { rules: [], version: '' };

export const RULES_MAX = 64;
export const RULE_KEYS_MAX = 64;

/** No digits: a number could hide in the mark. */
const NAME = /^[a-z][a-z-]{0,31}$/;
const KEY = /^[a-z][a-z0-9_.-]{0,63}\*?$/i;
const KINDS_OF_RULES = ['key', 'pattern', 'allow'] as const;
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  key: ['name', 'kind', 'keys'],
  pattern: ['name', 'kind', 'pattern', 'ignoreCase'],
  allow: ['name', 'kind', 'keys', 'form'],
};
/** A card of the commonest length is one whatever it is called (R5); allowed.ts holds to it. */
export const NEVER_ALLOWED_DIGITS = 16;

const isOfSixteen = ({ source, charsMin, charsMax }: Pattern): boolean =>
  charsMin === NEVER_ALLOWED_DIGITS &&
  charsMax === NEVER_ALLOWED_DIGITS &&
  [...'0123456789'].some((digit) =>
    new RegExp(`^(?:${source})$`).test(digit.repeat(NEVER_ALLOWED_DIGITS)),
  );

type Told = (path: string, sentence: string) => void;

function readKeys(value: unknown, tell: Told): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > RULE_KEYS_MAX) {
    tell('.keys', `must be a list of 1 to ${RULE_KEYS_MAX} keys`);
    return [];
  }
  value.forEach((key, index) => {
    if (typeof key === 'string' && KEY.test(key)) return;
    tell(
      `.keys[${index}]`,
      'must be a key: a letter, then letters, digits, _ . - and a * at the end for any ending',
    );
  });
  return value.filter((key) => typeof key === 'string').map((key) => key.toLowerCase());
}

function readForm(field: string, value: unknown, ignoreCase: unknown, tell: Told) {
  if (ignoreCase !== undefined && typeof ignoreCase !== 'boolean') {
    tell('.ignoreCase', 'must be true or false');
  }
  if (typeof value !== 'string') {
    tell(`.${field}`, 'must be a pattern, such as BADGE-[0-9]{6}');
    return undefined;
  }
  const read = readPattern(value, ignoreCase === true);
  if (read.ok) return read.pattern;
  tell(`.${field}`, read.sentence);
  return undefined;
}

function readRule(raw: Record<string, unknown>, name: string, tell: Told): Rule | undefined {
  const { kind } = raw;
  const known = FIELDS[String(kind)];
  if (known === undefined) {
    tell('.kind', `must be one of: ${KINDS_OF_RULES.join(', ')}`);
    return undefined;
  }
  for (const field of Object.keys(raw)) {
    if (!known.includes(field)) {
      tell(`.${field}`, `is not known here: a rule of kind ${kind} has ${known.join(', ')}`);
    }
  }
  if (kind === 'key') return { kind, name, keys: readKeys(raw['keys'], tell) };
  if (kind === 'pattern') {
    const pattern = readForm('pattern', raw['pattern'], raw['ignoreCase'], tell);
    return { kind, name, source: pattern?.source ?? '' };
  }
  const keys = readKeys(raw['keys'], tell);
  const form = readForm('form', raw['form'], undefined, tell);
  if (form !== undefined && isOfSixteen(form)) {
    tell('.form', 'could allow nothing: a card number of 16 digits is never let through');
  }
  return { kind: 'allow', name, keys, form: `^(?:${form?.source ?? ''})$` };
}

/** FNV-1a: tells sets of rules apart, no more. */
function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @param value the list as YAML or JSON gave it. Paths begin at the list: `[0].pattern`. */
export function readRules(value: unknown): ReadRules {
  const problems: RuleProblem[] = [];
  if (!Array.isArray(value)) {
    return { ok: false, problems: [{ path: '', sentence: 'must be a list of rules' }] };
  }
  if (value.length > RULES_MAX) {
    const sentence = `has ${value.length} rules, at most ${RULES_MAX} are possible`;
    return { ok: false, problems: [{ path: '', sentence }] };
  }
  const names = new Map<string, number>();
  const rules = value.flatMap((raw: unknown, index): Rule[] => {
    const tell: Told = (path, sentence) => {
      problems.push({ path: `[${index}]${path}`, sentence });
    };
    if (!isRecord(raw)) {
      tell(
        '',
        'must be a rule: keys with their values, as in { name: badge, kind: key, keys: [badge] }',
      );
      return [];
    }
    const name = String(raw['name'] ?? '');
    if (!NAME.test(name)) {
      tell(
        '.name',
        'must be a name: small letters and hyphens, at most 32, as it stands in the mark',
      );
    } else if (names.has(name)) tell('.name', `is the name of rule [${names.get(name)}] already`);
    else names.set(name, index);
    const rule = readRule(raw, name, tell);
    return rule === undefined ? [] : [rule];
  });
  if (problems.length > 0) return { ok: false, problems };
  if (rules.length === 0) return { ok: true, rules: NO_RULES };
  return { ok: true, rules: { rules, version: hashOf(JSON.stringify(value)) } };
}
