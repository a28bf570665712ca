// The newest lines of a component in memory, for evidence: redacted, and bounded in bytes, because each component of a
// till has some and the agent is small.

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

  /** @param path of one file only. */
  list(linesMax: number, path?: string): string[] {
    const all = this.#lines.filter((line) => path === undefined || line.path === path);
    return all.slice(-linesMax).map(({ text }) => text);
  }
}
