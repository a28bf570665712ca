// Patterns that a configuration's author wrote, matched in time that grows with the text and not with the pattern:
// RE2's automaton instead of V8's backtracking, which takes five seconds for (.*a){20}. Loaded only where a pattern
// is configured, because it costs 6 MB; so a pattern is compiled when its probe begins, and checked beforehand by
// whoever reads the configuration.

import { optimiseFromNow } from '../system/compilers.ts';

export type Pattern = { readonly matches: (line: string) => boolean };
/** @throws when it is no pattern of RE2's syntax. */
export async function compilePattern(text: string): Promise<Pattern> {
  const { RE2JS } = await import('re2js');
  optimiseFromNow();
  const compiled = RE2JS.compile(text);
  return { matches: (line) => compiled.matcher(line).find() };
}
