// What a drill is and what it reports: the view that a person at the till watches, the result of the command that
// asked for it, and the detail of its event are one shape. Here and not in agent/, because the command line and the
// broker read it; it is checked when it is read, because the two may be of different versions. Times are
// milliseconds since the fault.

import * as v from 'valibot';
import { DRILL_FAULTS, type DrillFault } from './commands.ts';
import { CAUSES } from './events.ts';

/** The component that is made for a drill. No configured one may be called so. */
export const DRILL_COMPONENT = 'drill';

/** One line for each, as `tillwatch drill --list` tells them. */
export const DRILL_LINES: Readonly<Record<DrillFault, string>> = {
  hang: 'its main thread spins for ever',
  stop: 'a signal stops it, as somebody in a shell does (SIGSTOP)',
  deadlock: 'its main thread waits for ever for what never comes',
  leak: 'it grows past its memory ceiling and is restarted when idle',
  'crash-loop': 'it dies after each start until its budget is spent',
  fork: 'it starts 200 children, some in sessions of their own, and hangs',
  'log-flood': 'it prints 50 MB a second: not blocked, and the disk keeps its bound',
  'port-held': 'an escaped child keeps its port after the kill, for a while',
  'disk-full': "the till's disk fills: old output, evidence and metrics are given up",
};

export const DRILL_PHASES = [
  'suspected',
  'confirmed',
  'evidence',
  'killed',
  'started',
  'ready',
] as const;
export type DrillPhase = (typeof DRILL_PHASES)[number];

const ms = v.number();
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const phases = v.object({
  suspected: v.optional(ms),
  confirmed: v.optional(ms),
  evidence: v.optional(ms),
  killed: v.optional(ms),
  started: v.optional(ms),
  ready: v.optional(ms),
});

export const drillReportSchema = v.object({
  drill: v.string(),
  fault: v.picklist(DRILL_FAULTS),
  component: v.string(),
  /** refused: it was not begun after all; nothing was done. */
  state: v.picklist(['waiting', 'running', 'passed', 'failed', 'refused']),
  /** One sentence. */
  verdict: v.string(),
  /** Why the watchdog was only to say what it would have done. */
  passive: v.optional(v.picklist(['observe', 'hold'])),
  /** In the order in which they happened; what was before the fault is negative. */
  steps: v.array(v.object({ atMs: ms, text: v.string() })),
  phases,
  /** What it takes at p95 on a machine that is not loaded; a slow machine is no failure. */
  target: v.optional(v.object({ confirmed: ms, ready: ms })),
  cause: v.optional(v.picklist(CAUSES)),
  reason: v.optional(v.string()),
  evidence: v.optional(
    v.object({
      processes: count,
      state: v.optional(v.string()),
      wchan: v.optional(v.string()),
      threads: v.optional(v.string()),
      topFrame: v.optional(v.string()),
      logLines: count,
    }),
  ),
  leftBehind: v.object({ processes: v.array(count), held: v.array(v.string()) }),
  budget: v.optional(v.object({ used: count, of: count })),
  /** What is right for one fault only, units in their names: printedBytes, keptBytes, children. */
  numbers: v.record(v.string(), v.number()),
  expectations: v.array(v.object({ what: v.string(), met: v.boolean() })),
});
export type DrillReport = v.InferOutput<typeof drillReportSchema>;
export type DrillExpectation = DrillReport['expectations'][number];

export const isDrillOver = ({ state }: Pick<DrillReport, 'state'>): boolean =>
  state !== 'waiting' && state !== 'running';

/** What the till answers to the requests `drill` and `drill_view`. */
export const isDrillFault = (value: unknown): value is DrillFault =>
  (DRILL_FAULTS as readonly unknown[]).includes(value);
