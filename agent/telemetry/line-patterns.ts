// The patterns of counters, compiled: which lines they count, and which words of a line become labels. RE2's syntax in
// linear time, loaded only where something is to be counted (watchdog/patterns.ts says what it costs). What a
// component prints can hold card data, so a word that leaves the terminal as a label is redacted like everything else.

import { redactString } from '../../redact/index.ts';
import type { AgentConfig } from '../config.ts';
import type { LineCounter } from '../config-metrics.ts';
import { optimiseFromNow } from '../system/compilers.ts';

/** @returns the values of its labels where the line is one to count. */
export type LinePattern = (line: string) => readonly string[] | undefined;
export type CounterProblem = { readonly path: string; readonly sentence: string };

const LABEL_CHARS_MAX = 64;

const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/^error parsing regexp: /, '');

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

/** @returns every counter of the configuration that cannot count, with its path. */
export async function counterProblems(
  config: Pick<AgentConfig, 'components'>,
): Promise<CounterProblem[]> {
  const problems: CounterProblem[] = [];
  for (const [index, { counters = [] }] of config.components.entries()) {
    for (const [at, counter] of counters.entries()) {
      try {
        await compileCounter(counter);
      } catch (error) {
        const path = `components[${index}].counters[${at}].pattern`;
        problems.push({ path, sentence: `is not a pattern that counts: ${messageOf(error)}` });
      }
    }
  }
  return problems;
}
