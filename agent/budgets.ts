// When each component was restarted, kept for the next agent of the same boot: without it, every new agent
// would give a crash loop a fresh budget. Times are kept since boot, because the monotonic clock of one
// process means nothing to the next; on tmpfs, because a reboot is meant to forget.

import * as v from 'valibot';
import type { BootClock, Files, Log } from './ports.ts';

const schema = v.object({
  bootId: v.string(),
  restarts: v.record(v.string(), v.array(v.number())),
});
const FILE_BYTES_MAX = 256 * 1024;

export type BudgetsOptions = {
  readonly path: string;
  readonly clock: BootClock;
  readonly files: Files;
  readonly log: Log;
};

export type Budgets = {
  /** On this process's monotonic clock; may be negative. */
  readonly restored: (component: string) => readonly number[];
  readonly save: (restarts: ReadonlyMap<string, readonly number[]>) => void;
};

function read({ path, clock, files, log }: BudgetsOptions): Record<string, number[]> {
  const text = files.read(path, FILE_BYTES_MAX);
  if (text === undefined) return {};
  try {
    const parsed = v.safeParse(schema, JSON.parse(text));
    if (parsed.success) {
      return parsed.output.bootId === clock.bootId() ? parsed.output.restarts : {};
    }
  } catch {
    // Said below: not JSON and of a wrong shape are the same to whoever reads it.
  }
  log.warn(`${path} cannot be read: budgets begin anew`);
  return {};
}

export function openBudgets(options: BudgetsOptions): Budgets {
  const { path, clock, files, log } = options;
  const sinceBoot = read(options);
  const aheadMs = (): number => clock.bootMs() - clock.monotonicMs();
  const offsetMs = aheadMs();
  return {
    restored: (component) =>
      Object.hasOwn(sinceBoot, component)
        ? (sinceBoot[component] ?? []).map((at) => at - offsetMs)
        : [],
    save: (restarts) => {
      const ahead = aheadMs();
      const entries = [...restarts].map(([name, times]) => [name, times.map((at) => at + ahead)]);
      const state = { bootId: clock.bootId(), restarts: Object.fromEntries(entries) };
      const written = files.replace(path, JSON.stringify(state), 0o600);
      if (!written.ok) log.error(`budgets: ${written.reason}`);
    },
  };
}
