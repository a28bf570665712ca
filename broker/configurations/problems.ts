// What is wrong with a text, by the reader that the till has and the engine that runs its patterns there. Apart from
// read.ts, because a long text is read in a thread of its own: see there.

import { readDocument } from '../../configuration/fleet.ts';
import { patternProblems } from '../../configuration/patterns.ts';
import { formatProblem } from '../../configuration/yaml.ts';

export async function problemsIn(text: string): Promise<readonly string[]> {
  const read = readDocument(text);
  if (!read.ok) return read.problems.map(formatProblem);
  const patterns = await patternProblems({ components: [...(read.value.components ?? [])] });
  return patterns.map(formatProblem);
}
