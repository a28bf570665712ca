// A customer display to test against (CD5220): two lines of twenty characters, no answers.

import { Emulator, type Send, type Session } from './emulator.ts';

const COLUMNS = 20;
const HELD_CHARS_MAX = 200;
const ESC = '\x1b';
const BLANK = ' '.repeat(COLUMNS);

export class DisplayEmulator extends Emulator {
  lines: [string, string] = [BLANK, BLANK];

  protected connect(_send: Send): Session {
    let held = '';
    return {
      receive: (bytes) => {
        held += Buffer.from(bytes).toString('latin1');
        for (let used = this.#run(held); used > 0; used = this.#run(held)) held = held.slice(used);
        held = held.slice(-HELD_CHARS_MAX);
      },
      end: () => undefined,
    };
  }

  /** @returns how many characters the first command has; 0 when it is not whole yet. */
  #run(held: string): number {
    const [first, second, third] = held;
    if (first === undefined) return 0;
    if (first === '\x0c') this.lines = [BLANK, BLANK];
    // CAN, and text outside a command, which is not played here.
    if (first !== ESC) return 1;
    if (second === undefined) return 0;
    if (second === '@') {
      this.lines = [BLANK, BLANK];
      return 2;
    }
    if (second !== 'Q') return held.length < 3 ? 0 : 3;
    const end = held.indexOf('\r');
    if (end < 0) return 0;
    const text = held.slice(3, end).slice(0, COLUMNS).padEnd(COLUMNS);
    const [upper, lower] = this.lines;
    this.lines = third === 'A' ? [text, lower] : [upper, text];
    return end + 1;
  }
}
