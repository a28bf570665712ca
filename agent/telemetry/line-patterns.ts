// The patterns of counters, compiled: which lines they count, and which words of a line become labels. RE2's syntax in
// linear time, loaded only where something is to be counted (watchdog/patterns.ts says what it costs). What a
// component prints can hold card data, so a word that leaves the terminal as a label is redacted like everything else.

import type { LineCounter } from '../../configuration/metrics.ts';
import { redactString } from '../../redact/index.ts';
import { optimiseFromNow } from '../system/compilers.ts';

/** @returns the values of its labels where the line is one to count. */
export type LinePattern = (line: string) => readonly string[] | undefined;

const LABEL_CHARS_MAX = 64;

/** @throws when the pattern is none, or has no group of a label's name. */
export async function compileCounter(counter: LineCounter): Promise<LinePattern> {
  const { RE2JS } = await import('re2js');
  optimiseFromNow();
  const { pattern, labels } = counter;
  const compiled = RE2JS.compile(pattern);
  const groups = compiled.namedGroups();
  const missing = labels.find((label) => !Object.hasOwn(groups, label));
  if (missing !== undefined) throw new Error(`it has no group (?P<${missing}>...)`);
  return (line) => {
    const matcher = compiled.matcher(line);
    if (!matcher.find()) return undefined;
    return labels.map((label) =>
      redactString(matcher.group(label) ?? '').value.slice(0, LABEL_CHARS_MAX),
    );
  };
}
