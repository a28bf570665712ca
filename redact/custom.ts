// What an operator's rules do once they are read: finders for keys and for patterns, and the question whether
// a find may stay. An allow-list is asked last and of few kinds: no track, no security code, no chip data and
// no card number of 16 digits is ever let through, whatever somebody writes (R5, R11).

import { NEVER_ALLOWED_DIGITS, type Rule, type Rules } from './rules.ts';
import { type Finder, type Kind, MARKED, type Span } from './span.ts';

/** More than a value has; what is longer is cut here, and the rest searched like all text. */
const VALUE_CHARS_MAX = 256;
const KEY_CHARS_MAX = 80;

const escaped = (key: string): string => key.replace(/[.*\\-]/g, (one) => `\\${one}`);

const keySource = (keys: readonly string[]): string =>
  keys
    .map((key) => (key.endsWith('*') ? `${escaped(key.slice(0, -1))}[\\w.-]{0,64}` : escaped(key)))
    .join('|');

/** After a key: `=`, `: `, `":"`, `\":\"` and `>`, with the quotation mark that opens the value. */
const SEPARATOR = '\\\\{0,3}["\']?[ ]?[:=>][ ]?(\\\\{0,3}["\'])?';

function valueEnd(line: string, at: number, quote: string): number {
  const last = Math.min(line.length, at + VALUE_CHARS_MAX);
  if (quote !== '') {
    for (let next = at; next < last; next += 1) {
      if (line.startsWith(quote, next)) return next;
      if (quote.length === 1 && line[next] === '\\') next += 1;
    }
    return last;
  }
  let end = at;
  while (end < last && !' \t\r\n,;&<>()[]{}"\''.includes(line[end] ?? '')) end += 1;
  return end;
}

const isKept = (value: string): boolean =>
  value === '' || /^(?:true|false|null|undefined)$/.test(value) || MARKED.test(value);

function keyFinder(name: string, keys: readonly string[]): Finder {
  const key = new RegExp(`(?<![\\w.-])(?:${keySource(keys)})${SEPARATOR}`, 'gi');
  return {
    name,
    trigger: new RegExp(keys.map((one) => escaped(one.replace(/\*$/, ''))).join('|'), 'i'),
    find: (line) => {
      const spans: Span[] = [];
      for (const { index, 0: before, 1: quote = '' } of line.matchAll(key)) {
        const start = index + before.length;
        if (start < (spans.at(-1)?.end ?? 0)) continue;
        // A mark begins with a bracket, which ends a plain value.
        if (MARKED.test(line.slice(start, start + KEY_CHARS_MAX))) continue;
        const end = valueEnd(line, start, quote);
        if (isKept(line.slice(start, end))) continue;
        spans.push({ kind: 'custom', start, end, mark: `[CUSTOM ${name}]` });
      }
      return spans;
    },
  };
}

function patternFinder(name: string, source: string): Finder {
  const pattern = new RegExp(source, 'g');
  return {
    name,
    trigger: new RegExp(source),
    find: (line) =>
      [...line.matchAll(pattern)].map(({ index: start, 0: text }) => ({
        ...{ kind: 'custom', start, end: start + text.length },
        mark: `[CUSTOM ${name}]`,
      })),
  };
}

const finderOf = (rule: Rule): Finder[] => {
  if (rule.kind === 'key') return [keyFinder(rule.name, rule.keys)];
  return rule.kind === 'pattern' ? [patternFinder(rule.name, rule.source)] : [];
};

export const findersOf = ({ rules }: Rules): Finder[] => rules.flatMap(finderOf);

const fits = (keys: readonly string[], key: string): boolean =>
  keys.some((one) => (one.endsWith('*') ? key.startsWith(one.slice(0, -1)) : key === one));

/** The rule that takes the values of a key, of a record that is still an object. */
export const ruleOfKey = ({ rules }: Rules, key: string): string | undefined => {
  if (rules.length === 0) return undefined;
  const small = key.toLowerCase();
  return rules.find((rule) => rule.kind === 'key' && fits(rule.keys, small))?.name;
};

const ALLOWABLE: readonly Kind[] = ['pan', 'name', 'email', 'phone'];
const KEY_BEFORE = new RegExp(`([a-z][a-z0-9_.-]{0,63})${SEPARATOR}$`, 'i');

export type Allow = { readonly keys: readonly string[]; readonly form: RegExp };

export const allowsOf = ({ rules }: Rules): Allow[] =>
  rules.flatMap((rule) =>
    rule.kind === 'allow' ? [{ keys: rule.keys, form: new RegExp(rule.form) }] : [],
  );

/** @param span of `line`, which a finder wants to take out. @returns whether it may stay. */
export function isAllowedBy(
  allows: readonly Allow[],
  line: string,
  { kind, start, end }: Span,
): boolean {
  if (allows.length === 0 || !ALLOWABLE.includes(kind)) return false;
  const text = line.slice(start, end);
  if (kind === 'pan' && text.replace(/\D/g, '').length === NEVER_ALLOWED_DIGITS) return false;
  const before = line.slice(Math.max(0, start - KEY_CHARS_MAX), start);
  const key = KEY_BEFORE.exec(before)?.[1]?.toLowerCase();
  return key !== undefined && allows.some(({ keys, form }) => fits(keys, key) && form.test(text));
}
