// A customer display by CD5220: two lines of twenty characters. It never answers, so its health is that a
// write completes and otherwise unknown. The newest text wins: an older one that was never shown is of no use.

import type { Driver, Health, Tools, Work } from '../device/device.ts';
import type { Look } from '../device/machine.ts';
import { plainText } from '../escpos.ts';
import type { Conversation, Reader } from '../transports/conversation.ts';

export const COLUMNS = 20;
const IDLE_POLL_MS = 2_000;
const INIT = Buffer.from([0x1b, 0x40]);
/** CAN: leaves the mode of ESC Q, in which nothing else is understood. */
const CANCEL = Buffer.from([0x18]);

/** @param lines the upper and the lower one; what does not fit is cut */
export function encodeLines(lines: readonly [string, string]): Buffer {
  const line = (text: string): string =>
    plainText(text).replaceAll('\n', ' ').slice(0, COLUMNS).padEnd(COLUMNS);
  const [upper, lower] = lines;
  return Buffer.concat([
    CANCEL,
    Buffer.from(`\x1bQA${line(upper)}\r`),
    CANCEL,
    Buffer.from(`\x1bQB${line(lower)}\r`),
  ]);
}

type Talk = Conversation<never>;

export class DisplayDriver implements Driver<never> {
  readonly class = 'LineDisplay';
  readonly idlePollMs = IDLE_POLL_MS;
  /** What is to be seen; shown again after each reconnection. */
  #lines: readonly [string, string] | undefined;
  #isShown = false;

  show(lines: readonly [string, string]): void {
    this.#lines = lines;
    this.#isShown = false;
  }

  shown = (): boolean => this.#isShown;

  reader = (): Reader<never> => ({ push: () => [] });
  heard = (): void => undefined;

  attached = async (talk: Talk): Promise<void> => {
    this.#isShown = false;
    await talk.write(INIT);
  };

  look = (talk: Talk): Promise<Look> =>
    Promise.resolve(talk.stuck ? { kind: 'probe', fault: 'stuck' } : { kind: 'unknown' });

  work = async (talk: Talk, _tools: Tools): Promise<Work> => {
    if (this.#isShown || this.#lines === undefined) return { did: false };
    const lines = this.#lines;
    if (!(await talk.write(encodeLines(lines)))) {
      return talk.stuck ? { did: true, look: { kind: 'probe', fault: 'stuck' } } : { did: true };
    }
    this.#isShown = this.#lines === lines;
    return { did: true };
  };

  exercise = (): Promise<Health> => {
    this.show(['Test 12345678901234', 'Tillwatch']);
    return Promise.resolve({ level: 'EXTERNAL', ok: true, text: 'the display shows a test text' });
  };
}
