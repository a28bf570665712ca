// When each component was restarted, and which ended for good, kept for the next agent of the same boot:
// without it, every new agent would give a crash loop a fresh budget and start again what is done. Times are kept since boot, because the monotonic clock of one
// process means nothing to the next; on tmpfs, because a reboot is meant to forget.

import * as v from 'valibot';
import { CAUSES } from '../protocol/events.ts';
import type { Component } from './component.ts';
import type { BootClock, Files, Log } from './ports.ts';
import type { Restart } from './watchdog/machine.ts';

const schema = v.object({
  bootId: v.string(),
  restarts: v.record(v.string(), v.array(v.object({ at: v.number(), cause: v.picklist(CAUSES) }))),
  /** With the version that ended: a new one is started. */
  rested: v.optional(v.record(v.string(), v.string()), {}),
});
type Kept = Pick<v.InferOutput<typeof schema>, 'restarts' | 'rested'>;
const FILE_BYTES_MAX = 256 * 1024;

export type BudgetsOptions = {
  readonly path: string;
  readonly clock: BootClock;
  readonly files: Files;
  readonly log: Log;
};

/** What is to be known of one component later. */
export type Remains = {
  readonly restarts: readonly Restart[];
  readonly rested?: string | undefined;
};

/** @param rested the names of those that ended for good. */
export const remainsOf = (
  components: Iterable<Pick<Component, 'name' | 'model' | 'config'>>,
  rested: ReadonlySet<string>,
): Map<string, Remains> =>
  new Map(
    [...components].map(({ name, model, config }) => [
      name,
      { restarts: model.restarts, rested: rested.has(name) ? config.version : undefined },
    ]),
  );

export type Budgets = {
  /** On this process's monotonic clock; may be negative. */
  readonly restored: (component: string) => readonly Restart[];
  /** The version of it that ended for good, if one did. */
  readonly rested: (component: string) => string | undefined;
  readonly save: (kept: ReadonlyMap<string, Remains>) => void;
};

const NOTHING: Kept = { restarts: {}, rested: {} };

function read({ path, clock, files, log }: BudgetsOptions): Kept {
  const text = files.read(path, FILE_BYTES_MAX);
  if (text === undefined) return NOTHING;
  try {
    const parsed = v.safeParse(schema, JSON.parse(text));
    if (parsed.success) {
      return parsed.output.bootId === clock.bootId() ? parsed.output : NOTHING;
    }
  } catch {
    // Said below: not JSON and of a wrong shape are the same to whoever reads it.
  }
  log.warn(`${path} cannot be read: budgets begin anew`);
  return NOTHING;
}

export function openBudgets(options: BudgetsOptions): Budgets {
  const { path, clock, files, log } = options;
  const { restarts, rested } = read(options);
  const aheadMs = (): number => clock.bootMs() - clock.monotonicMs();
  const offsetMs = aheadMs();
  return {
    restored: (component) =>
      Object.hasOwn(restarts, component)
        ? (restarts[component] ?? []).map(({ at, cause }) => ({ at: at - offsetMs, cause }))
        : [],
    rested: (component) => (Object.hasOwn(rested, component) ? rested[component] : undefined),
    save: (kept) => {
      const ahead = aheadMs();
      const state: Kept & { bootId: string } = { bootId: clock.bootId(), restarts: {}, rested: {} };
      for (const [name, remains] of kept) {
        state.restarts[name] = remains.restarts.map(({ at, cause }) => ({ at: at + ahead, cause }));
        if (remains.rested !== undefined) state.rested[name] = remains.rested;
      }
      const written = files.replace(path, JSON.stringify(state), 0o600);
      if (!written.ok) log.error(`budgets: ${written.reason}`);
    },
  };
}
