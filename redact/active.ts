// Which finders are asked in this process: ours, and those of the operator's rules once they are known. Module
// state on purpose, as the finders are asked from places that know of no configuration (a logger's format,
// words of a channel); it is set once, at the start, and changes the stamp.

import { type Allow, allowsOf, findersOf, isAllowedBy, ruleOfKey } from './custom.ts';
import { FINDERS } from './finders.ts';
import { NO_RULES, type Rules } from './rules.ts';
import type { Finder, Span } from './span.ts';

/** Changes with what is found. */
const REDACTOR = 'tillwatch-redact/2';
const STAMP = /^tillwatch-redact\/\d{1,4}(?:\+[0-9a-f]{8})?$/;

type Active = {
  readonly rules: Rules;
  readonly stamp: string;
  readonly finders: readonly Finder[];
  readonly allows: readonly Allow[];
  /** The triggers of `finders`, with `g`: whoever asks sets lastIndex. */
  readonly triggers: readonly RegExp[];
};

function activate(rules: Rules): Active {
  const finders = [...findersOf(rules), ...FINDERS];
  const { version } = rules;
  return {
    allows: allowsOf(rules),
    ...{ rules, finders, stamp: version === '' ? REDACTOR : `${REDACTOR}+${version}` },
    // Each by itself: V8 finds the rare characters of one, and of all together there is none.
    triggers: finders.map(({ trigger }) => new RegExp(trigger.source, `${trigger.flags}g`)),
  };
}

let active = activate(NO_RULES);

export const activeFinders = (): Active => active;

/** Once, before anything is redacted: what was stamped before is another redactor's. */
export function useRules(rules: Rules): void {
  active = activate(rules);
}

/** Travels with everything exported; what carries no mark is not let out (R1). */
export const stamp = (): string => active.stamp;

/** Whether a text is the stamp of some version of this redactor. */
export const isStamp = (text: string): boolean => STAMP.test(text);

/** Whether the operator lets a find stay. */
export const isAllowed = (line: string, span: Span): boolean =>
  isAllowedBy(active.allows, line, span);

/** The operator's rule that takes the values of a key. */
export const customOfKey = (key: string): string | undefined => ruleOfKey(active.rules, key);
