// Regular expressions of operators: by RE2, whose time grows with the text and with nothing else, and only loaded when
// somebody uses one. A wrong one is refused here, with its place, before any terminal hears of it.

import { fail, ok, type Result } from '../../protocol/result.ts';

/** Of a longer record so much is looked at: the slowest expressions take some 100 ms for it. */
const TEXT_CHARS_MAX = 64 * 1024;

/** Steps that an expression is made of: with more, a long record holds up the broker for seconds. */
const PROGRAM_STEPS_MAX = 5_000;
const TOO_LARGE = 'pattern: its repetitions make it too large: say fewer, or look for a text';

/** Whether it is found in a text. */
export type Finds = (text: string) => boolean;

type Told = { readonly error?: unknown; readonly input?: unknown; readonly message?: unknown };

function sentenceOf(pattern: string, cause: unknown): string {
  const { error, input, message } = cause as Told;
  const why = typeof error === 'string' ? error : String(message);
  if (typeof input !== 'string' || input === '') return `pattern: ${why}`;
  const at = pattern.indexOf(input);
  const place = at < 0 ? '' : ` at character ${at + 1}`;
  return `pattern: ${why}${place}: ${input.slice(0, 100)}`;
}

export async function readPattern(pattern: string): Promise<Result<Finds>> {
  const { RE2JS } = await import('re2js');
  try {
    const compiled = RE2JS.compile(pattern);
    if (compiled.programSize() > PROGRAM_STEPS_MAX) return fail(TOO_LARGE);
    // Not a matcher: that one looks for groups as well, which takes a hundred times as long where they are nested.
    return ok((text) => compiled.test(text.slice(0, TEXT_CHARS_MAX)));
  } catch (cause) {
    return fail(sentenceOf(pattern, cause));
  }
}
