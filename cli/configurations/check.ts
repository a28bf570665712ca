// `tillwatch config check` and `config schema`: what can be said of a document without asking a broker, by the very code
// that the centre and the tills read it with.

import { readFile, stat } from 'node:fs/promises';
import { formatProblem } from '../../configuration/yaml.ts';
import { CONFIGURATION_BYTES_MAX } from '../../protocol/limits.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { plural } from '../screen.ts';

/** @returns the text, or why it is none; a device that never ends is not read. */
export async function readFileText(file: string): Promise<Result<string>> {
  try {
    const { size } = await stat(file);
    if (size > CONFIGURATION_BYTES_MAX) {
      return fail(`${file} has ${size} bytes, at most ${CONFIGURATION_BYTES_MAX} are read`);
    }
    const bytes = await readFile(file);
    if (bytes.length > CONFIGURATION_BYTES_MAX) return fail(`${file} is too large`);
    return ok(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return fail(`${file} is not text in UTF-8`);
    return fail(`${file} cannot be read (${code ?? 'no reason given'})`);
  }
}

/** What the centre would take, and most tills would not. */
async function noticesOf(text: string): Promise<readonly string[]> {
  const { readDocument } = await import('../../configuration/fleet.ts');
  const read = readDocument(text);
  return read.ok ? read.notices.map(formatProblem) : [];
}

/** @returns every problem that the centre would find. */
export async function problemsOf(text: string): Promise<readonly string[]> {
  const { readDocument } = await import('../../configuration/fleet.ts');
  const read = readDocument(text);
  if (!read.ok) return read.problems.map(formatProblem);
  const { patternProblems } = await import('../../configuration/patterns.ts');
  const components = [...(read.value.components ?? [])];
  return (await patternProblems({ components })).map(formatProblem);
}

export async function runCheck(
  file: string,
  { print, json }: { print: (line: string) => unknown; json: boolean },
): Promise<Outcome> {
  const text = await readFileText(file);
  if (!text.ok) return ended(EXIT.usage, text.reason);
  const problems = await problemsOf(text.value);
  const isGood = problems.length === 0;
  const notices = await noticesOf(text.value);
  if (json) print(JSON.stringify({ file, ok: isGood, problems, notices }, undefined, 2));
  else if (isGood) print(`ok: ${file} is a good configuration for a fleet`);
  else for (const problem of problems) print(problem);
  if (!json) for (const notice of notices) print(`note: ${notice}`);
  if (isGood) return done;
  return ended(EXIT.usage, `${file} has ${plural(problems.length, 'problem')}`);
}

export async function runSchema(print: (line: string) => unknown): Promise<Outcome> {
  const { default: schema } = await import('../../configuration/fleet.schema.json', {
    with: { type: 'json' },
  });
  print(JSON.stringify(schema, undefined, 2));
  return done;
}
