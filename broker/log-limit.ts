// Keeps strangers from writing the broker's log: of lines with the same message at most a few a second
// are written, and the next one says how many were not. Counters count all of them; the log is for
// seeing what they look like. What they say of themselves is masked (masked.ts).

import type { Clock } from './clock.ts';
import { masked } from './masked.ts';
import type { Log } from './ports.ts';

export const LINES_PER_SECOND_MAX = 20;

/** Messages are constants of this program, so the number of them is bounded by its source. */
type Window = { startMs: number; lines: number; unsaid: number };

export function limitLog(log: Log, clock: Pick<Clock, 'monotonicMs'>): Log {
  const windows = new Map<string, Window>();
  const at =
    (level: keyof Log) =>
    (message: string, fields: Record<string, unknown> = {}): void => {
      const now = clock.monotonicMs();
      const window = windows.get(message) ?? { startMs: now, lines: 0, unsaid: 0 };
      windows.set(message, window);
      if (now - window.startMs >= 1_000) {
        window.startMs = now;
        window.lines = 0;
      }
      if (window.lines >= LINES_PER_SECOND_MAX) {
        window.unsaid += 1;
        return;
      }
      window.lines += 1;
      const safe = masked(fields);
      log[level](message, window.unsaid > 0 ? { ...safe, unsaidBefore: window.unsaid } : safe);
      window.unsaid = 0;
    };
  return { info: at('info'), warn: at('warn'), error: at('error') };
}
