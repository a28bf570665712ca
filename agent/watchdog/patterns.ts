// Patterns that a configuration's author wrote, matched in time that grows with the text and not with the pattern:
// RE2's automaton instead of V8's backtracking, which takes five seconds for (.*a){20}. Loaded only where a pattern
// is configured, because it costs 6 MB; so a pattern is compiled when its probe begins, and checked beforehand by
// whoever reads the configuration.

import type { AgentConfig } from '../config.ts';
import { optimiseFromNow } from '../system/compilers.ts';
import { counterProblems } from '../telemetry/line-patterns.ts';

export type Pattern = { readonly matches: (line: string) => boolean };
export type PatternProblem = { readonly path: string; readonly sentence: string };

const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/^error parsing regexp: /, '');

/** @throws when it is no pattern of RE2's syntax. */
export async function compilePattern(text: string): Promise<Pattern> {
  const { RE2JS } = await import('re2js');
  optimiseFromNow();
  const compiled = RE2JS.compile(text);
  return { matches: (line) => compiled.matcher(line).find() };
}

/** @returns every pattern of the configuration that is none, with its path. */
export async function patternProblems(
  config: Pick<AgentConfig, 'components'>,
): Promise<PatternProblem[]> {
  const problems: PatternProblem[] = [];
  for (const [index, { probes }] of config.components.entries()) {
    for (const [at, probe] of probes.entries()) {
      if (probe.kind !== 'log') continue;
      for (const key of ['failOn', 'expect'] as const) {
        const text = probe[key];
        if (text === undefined) continue;
        try {
          await compilePattern(text);
        } catch (error) {
          const path = `components[${index}].probes[${at}].${key}`;
          problems.push({ path, sentence: `is not a pattern: ${messageOf(error)}` });
        }
      }
    }
  }
  return [...problems, ...(await counterProblems(config))];
}
