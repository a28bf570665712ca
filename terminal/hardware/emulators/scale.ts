// A checkout scale to test against, in two dialects: Mettler-Toledo 8217 and NCI SCP-01. It rests or moves,
// bears too much, has lost its zero or its calibration, falls silent. Both dialects answer and never speak
// first.

import { Emulator, type Send, type Session } from './emulator.ts';

export const PANS = ['stable', 'moving', 'over', 'under', 'uncalibrated'] as const;
export type Pan = (typeof PANS)[number];
export type Dialect = 'mettler-8217' | 'nci';

const REQUEST_CHARS_MAX = 16;
const E = 0x45;
const F = 0x46;

export class ScaleEmulator extends Emulator {
  readonly #dialect: Dialect;
  #grams = 0;
  #pan: Pan = 'stable';
  #isSilent = false;

  constructor(dialect: Dialect = 'mettler-8217') {
    super();
    this.#dialect = dialect;
  }

  /** Whole grams, up to 15 kg. */
  setWeight(grams: number): void {
    this.#grams = grams;
  }

  setPan(pan: Pan): void {
    this.#pan = pan;
  }

  setSilent(isSilent: boolean): void {
    this.#isSilent = isSilent;
  }

  protected connect(send: Send): Session {
    const answer = (text: string): void => {
      if (!this.#isSilent) send(Buffer.from(text, 'latin1'));
    };
    const receive = this.#dialect === 'nci' ? this.#nci(answer) : this.#mettler(answer);
    return { receive, end: () => undefined };
  }

  #mettler(answer: (text: string) => void): (bytes: Uint8Array) => void {
    let isEchoing = false;
    return (bytes) => {
      for (const byte of bytes) {
        const char = String.fromCharCode(byte & 0x7f);
        if (isEchoing && byte !== F) answer(char);
        else if (isEchoing) isEchoing = false;
        else if (byte === E) {
          isEchoing = true;
          answer('\x02E\r');
        } else if (char === 'W') answer(this.#mettlerWeight());
        else if (char === 'Z') this.#zero();
        else if (char !== '\r' && char !== '\n') answer('\x02?\x40\r');
      }
    };
  }

  #mettlerWeight(): string {
    const status = { stable: 0, moving: 1, over: 2, under: 4, uncalibrated: 0x08 }[this.#pan];
    if (status !== 0) return `\x02?${String.fromCharCode(status)}\r`;
    return `\x02${(this.#grams / 1_000).toFixed(3).padStart(6, '0')}\r`;
  }

  #nci(answer: (text: string) => void): (bytes: Uint8Array) => void {
    let held = '';
    return (bytes) => {
      for (const byte of bytes) {
        if (byte !== 0x0d) held = (held + String.fromCharCode(byte)).slice(-REQUEST_CHARS_MAX);
        else {
          answer(this.#nciAnswer(held));
          held = '';
        }
      }
    };
  }

  #nciAnswer(request: string): string {
    const one = 0x30 | (this.#pan === 'moving' ? 0x01 : 0) | (this.#grams === 0 ? 0x02 : 0);
    const two =
      0x30 | { stable: 0, moving: 0, over: 0x02, under: 0x01, uncalibrated: 0x08 }[this.#pan];
    const status = `${String.fromCharCode(one, two)}\r\x03`;
    if (request === 'Z') this.#zero();
    if (request === 'S' || request === 'Z') return `\n${status}`;
    if (request !== 'W') return '\n?\r\x03';
    // Without a valid weight there is only the status.
    if (this.#pan !== 'stable' && this.#pan !== 'moving') return `\n${status}`;
    return `\n${(this.#grams / 1_000).toFixed(3).padStart(8, ' ')}KG\r\n${status}`;
  }

  #zero(): void {
    this.#grams = 0;
    if (this.#pan === 'under') this.#pan = 'stable';
  }
}
