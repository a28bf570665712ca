// `tillwatch check-config FILE`: "ok", or every problem at once, by the very code that the program itself
// reads its configuration with. Whether it is an agent's or a broker's is seen from its keys, which have
// only `dataDir` in common.

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { plural } from '../screen.ts';

type Problem = { readonly path: string; readonly sentence: string };
export type ProgramName = 'agent' | 'broker';

const KEYS: Readonly<Record<ProgramName, readonly string[]>> = {
  agent: [
    'terminal',
    'components',
    'runDir',
    'trust',
    'broker',
    'sampling',
    'onExit',
    'logDir',
    'output',
  ],
  broker: [
    'terminals',
    'mqtt',
    'http',
    'presence',
    'acceptUnknown',
    'ledger',
    'limits',
    'retention',
    'sinks',
  ],
};
const UNDECIDED =
  'this is neither an agent’s configuration (it has "terminal" and "components") ' +
  'nor a broker’s (it has "terminals", "mqtt" or "http")';

/** @returns undefined when the keys speak for neither, or for both alike */
export function recognise(text: string): ProgramName | undefined {
  let value: unknown;
  try {
    value = parse(text, { logLevel: 'silent', maxAliasCount: 100 });
  } catch {
    // The broken line is for the reader of that program to tell: look at the text instead.
    value = Object.fromEntries([...text.matchAll(/^([A-Za-z]+):/gm)].map(([, key]) => [key, 1]));
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const present = Object.keys(value);
  const votes = (name: ProgramName) => KEYS[name].filter((key) => present.includes(key)).length;
  if (votes('agent') === votes('broker')) return undefined;
  return votes('agent') > votes('broker') ? 'agent' : 'broker';
}

function isYaml(text: string): boolean {
  try {
    parse(text, { logLevel: 'silent', maxAliasCount: 100 });
    return true;
  } catch {
    return false;
  }
}

async function problemsOf(name: ProgramName, text: string, folder: string) {
  if (name === 'broker') {
    const { loadConfig } = await import('../../broker/config.ts');
    const loaded = loadConfig(text, folder);
    return loaded.ok ? [] : loaded.problems;
  }
  const { loadConfig } = await import('../../configuration/config.ts');
  const { patternProblems } = await import('../../configuration/patterns.ts');
  const loaded = loadConfig(text, folder);
  return loaded.ok ? patternProblems(loaded.config) : loaded.problems;
}

const lineOf = ({ path, sentence }: Problem): string =>
  path === '' ? sentence : `${path}: ${sentence}`;

export async function runCheckConfig(
  file: string,
  { print, json }: { print: (line: string) => unknown; json: boolean },
): Promise<Outcome> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return ended(EXIT.usage, `${file} cannot be read (${code ?? 'no reason given'})`);
  }
  const kind = recognise(text);
  // What is no YAML at all is told by either reader.
  const reader = kind ?? (isYaml(text) ? undefined : 'agent');
  const problems: readonly Problem[] =
    reader === undefined
      ? [{ path: '', sentence: UNDECIDED }]
      : await problemsOf(reader, text, dirname(resolve(file)));
  if (json)
    print(JSON.stringify({ file, kind, ok: problems.length === 0, problems }, undefined, 2));
  else if (problems.length === 0) print(`ok: ${file} is a good ${kind} configuration`);
  else for (const problem of problems) print(lineOf(problem));
  if (problems.length === 0) return done;
  return ended(EXIT.usage, `${file} has ${plural(problems.length, 'problem')}`);
}
