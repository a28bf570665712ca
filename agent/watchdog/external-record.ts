// What must outlive the agent about a component that something else starts: which process was watched, whether it
// was ready, whether it was asked to end. On tmpfs beside the records of our own components (record.ts), which it
// must not be mixed up with: those name a shim and an instance mark, and such a process has neither.

import * as v from 'valibot';
import type { Files } from '../ports.ts';
import type { Life } from './end-watch.ts';
import type { Identity } from './identity.ts';

const schema = v.object({
  v: v.literal(1),
  phase: v.picklist(['running', 'ended']),
  instance: v.string(),
  bootId: v.string(),
  pid: v.pipe(v.number(), v.integer(), v.minValue(2)),
  startTicks: v.pipe(v.number(), v.integer(), v.minValue(0)),
  /** Of the pid file when it named this process. */
  stamp: v.optional(v.string()),
  logFile: v.string(),
  startedMs: v.number(),
  version: v.optional(v.string()),
  ready: v.boolean(),
  /** It was asked to stop: its end is no failure, whoever sees it. */
  asked: v.boolean(),
});

export type ExternalRecord = v.InferOutput<typeof schema>;

const RECORD_BYTES_MAX = 8 * 1024;
const pathOf = (runDir: string, component: string): string =>
  `${runDir}/external/${component}.json`;

export const identityOf = ({ bootId, pid, startTicks }: ExternalRecord): Identity => ({
  bootId,
  pid,
  startTicks,
});

/** What is noted of a life; what was said of it before stays said. */
export function recordOf(
  { instance, logFile, startedMs, version, main }: Life,
  stamp: string | undefined,
  before: ExternalRecord | undefined,
): ExternalRecord {
  const kept = before?.instance === instance ? before : undefined;
  return {
    ...{ v: 1, phase: 'running', ready: false, asked: false, ...kept },
    ...{ ...main, instance, logFile, startedMs },
    ...(stamp === undefined ? {} : { stamp }),
    ...(version === undefined ? {} : { version }),
  };
}

/** Of this boot only: what an earlier one knew names processes that are gone. */
export function readExternal(
  files: Files,
  runDir: string,
  component: string,
  bootId: string,
): ExternalRecord | undefined {
  const text = files.read(pathOf(runDir, component), RECORD_BYTES_MAX);
  if (text === undefined) return undefined;
  try {
    const checked = v.safeParse(schema, JSON.parse(text));
    return checked.success && checked.output.bootId === bootId ? checked.output : undefined;
  } catch {
    return undefined; // torn or foreign: the process is looked for as if there were none
  }
}

export const writeExternal = (
  files: Files,
  runDir: string,
  component: string,
  record: ExternalRecord,
) => files.replace(pathOf(runDir, component), `${JSON.stringify(record)}\n`, 0o600);
