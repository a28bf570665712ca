// Whether the patterns in a configuration are patterns at all: RE2's syntax, and for counters a group for each label.
// Asked by whoever reads a configuration, on a till and at the centre, before anything depends on it; re2js is loaded
// only where there is a pattern, because it costs 6 MB.

import type { AgentConfig } from './config.ts';
import type { LineCounter } from './metrics.ts';

export type PatternProblem = { readonly path: string; readonly sentence: string };

const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/^error parsing regexp: /, '');

async function probeProblem(text: string): Promise<string | undefined> {
  const { RE2JS } = await import('re2js');
  try {
    RE2JS.compile(text);
    return undefined;
  } catch (error) {
    return `is not a pattern: ${messageOf(error)}`;
  }
}

async function counterProblem({ pattern, labels }: LineCounter): Promise<string | undefined> {
  const { RE2JS } = await import('re2js');
  try {
    const groups = RE2JS.compile(pattern).namedGroups();
    const missing = labels.find((label) => !Object.hasOwn(groups, label));
    return missing === undefined
      ? undefined
      : `is not a pattern that counts: it has no group (?P<${missing}>...)`;
  } catch (error) {
    return `is not a pattern that counts: ${messageOf(error)}`;
  }
}

/** @returns every pattern of the configuration that is none, with its path. */
export async function patternProblems(
  config: Pick<AgentConfig, 'components'>,
): Promise<PatternProblem[]> {
  const problems: PatternProblem[] = [];
  const add = (path: string, sentence: string | undefined): void => {
    if (sentence !== undefined) problems.push({ path, sentence });
  };
  for (const [index, { probes, counters = [] }] of config.components.entries()) {
    for (const [at, probe] of probes.entries()) {
      if (probe.kind !== 'log') continue;
      for (const key of ['failOn', 'expect'] as const) {
        const text = probe[key];
        if (text === undefined) continue;
        add(`components[${index}].probes[${at}].${key}`, await probeProblem(text));
      }
    }
    for (const [at, counter] of counters.entries()) {
      add(`components[${index}].counters[${at}].pattern`, await counterProblem(counter));
    }
  }
  return problems;
}
