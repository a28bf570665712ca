// The newest lines of a component for evidence: those that intake has taken, from memory, and behind them what it has
// not taken yet, from the file. At once after a crash, when what was just printed is in memory anyway; later where
// the disk may be what hangs.

import type { IntakeDisk } from '../../system/intake-files.ts';
import { lastLines } from '../../watchdog/evidence.ts';
import { decodeText } from '../formats/index.ts';

/** After a crash, and for the bundle of a hang. */
const NOW = { linesMax: 20, bytesMax: 4 * 1024 };
const SOON = { linesMax: 200, bytesMax: 32 * 1024 };

export type Taken = {
  readonly lines: (linesMax: number) => readonly string[];
  /** What stands before it in the file was taken. */
  readonly to: number;
};

export type LastWords = {
  readonly now: (component: string, path: string) => readonly string[];
  readonly soon: (component: string, path: string) => Promise<readonly string[]>;
};

export function lastWords(
  disk: Pick<IntakeDisk, 'unread' | 'unreadLater'>,
  takenOf: (component: string, path: string) => Taken,
): LastWords {
  const join = (taken: Taken, unread: Buffer, { linesMax, bytesMax }: typeof NOW): string[] => {
    const isCut = unread.length >= bytesMax;
    const fresh = lastLines(decodeText(unread), { linesMax, isCut });
    return [...(isCut ? [] : taken.lines(linesMax)), ...fresh].slice(-linesMax);
  };
  return {
    now: (component, path) => {
      if (path === '') return [];
      const taken = takenOf(component, path);
      return join(taken, disk.unread(path, taken.to, NOW.bytesMax), NOW);
    },
    soon: async (component, path) => {
      if (path === '') return [];
      const taken = takenOf(component, path);
      return join(taken, await disk.unreadLater(path, taken.to, SOON.bytesMax), SOON);
    },
  };
}
