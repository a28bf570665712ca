// The newest lines of a component in memory, for evidence: redacted, and bounded in bytes, because each component of a
// till has some and the agent is small.

import type { JournalRecord, Place } from '../journal/types.ts';
import { LAST_BYTES_MAX } from './types.ts';

/** Of one line; a stack trace is several. */
const LINE_CHARS_MAX = 1_000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const CONTROLS = /[\u0000-\u001f\u007f]+/g;

export class LastLines {
  /** Oldest first, each with the file that it stood in. */
  #lines: { readonly path: string; readonly text: string }[] = [];
  #chars = 0;

  /** @param text of one record, which may have several lines. */
  add(path: string, text: string): void {
    const lines = text.includes('\n') ? text.split('\n') : [text];
    for (const line of lines) {
      const clean = line.slice(0, LINE_CHARS_MAX).replace(CONTROLS, ' ');
      if (clean.trim() === '') continue;
      this.#lines.push({ path, text: clean });
      this.#chars += clean.length;
    }
    let gone = 0;
    while (this.#chars > LAST_BYTES_MAX && gone < this.#lines.length) {
      this.#chars -= this.#lines[gone]?.text.length ?? 0;
      gone += 1;
    }
    if (gone > 0) this.#lines.splice(0, gone);
  }

  /**
   * What an agent before has taken, so that a crash right after a start has last words.
   * @param records of the component's newest block; of other files as well, whose records stand before.
   * @param place of the file that is written.
   */
  recall({ path, to }: Place, records: readonly JournalRecord[], redact: (text: string) => string) {
    let from = records.length;
    for (let chars = 0; from > 0; from -= 1) {
      chars += (records[from - 1]?.text.length ?? 0) + 1;
      if (chars > to || chars > 2 * LAST_BYTES_MAX) break;
    }
    // By rules that may be other ones than then.
    for (const { text } of records.slice(from)) this.add(path, redact(text));
  }

  /** @param path of one file only. */
  list(linesMax: number, path?: string): string[] {
    const all = this.#lines.filter((line) => path === undefined || line.path === path);
    return all.slice(-linesMax).map(({ text }) => text);
  }
}
