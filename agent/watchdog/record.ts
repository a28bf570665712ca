// What must outlive the agent about each component: one small file that says which instance runs, under
// which pids of which boot. It is written before the process is started and again once its pids are known,
// so that an agent killed at any point in between leaves a trace by which the next one finds the process.
// On tmpfs: a reboot is meant to forget it. Mode 0600, because it holds the instance's token.

import * as v from 'valibot';
import type { Result } from '../../protocol/result.ts';
import type { Files } from '../ports.ts';

const id = v.pipe(v.string(), v.minLength(1), v.maxLength(128));
const pid = v.pipe(v.number(), v.integer(), v.minValue(2));
const ticks = v.pipe(v.number(), v.integer(), v.minValue(-1));

const schema = v.object({
  v: v.literal(1),
  /** `ended`: its end was reported; only leftovers of it may still live. */
  phase: v.picklist(['spawning', 'running', 'ended']),
  component: id,
  instance: id,
  token: id,
  bootId: v.string(),
  logFile: v.string(),
  startedMs: v.number(),
  /** Of the program that was started: what runs is not always what is configured by now. */
  version: v.optional(v.string()),
  /** What it was started with (configuration/difference.ts). */
  launch: v.optional(v.string()),
  ready: v.boolean(),
  /** Its main thread was seen to wake by itself. */
  turns: v.optional(v.boolean()),
  /** It was asked to stop: its end is no failure, whoever sees it. */
  asked: v.optional(v.boolean()),
  pids: v.optional(
    v.object({ main: pid, mainStartTicks: ticks, shim: pid, shimStartTicks: ticks }),
  ),
});

export type ComponentRecord = v.InferOutput<typeof schema>;

const RECORD_BYTES_MAX = 8 * 1024;
export const recordPath = (dir: string): string => `${dir}/record.json`;

/** `damaged` is not `undefined`: something was there, so a copy may run. */
export function readRecord(files: Files, dir: string): ComponentRecord | 'damaged' | undefined {
  const text = files.read(recordPath(dir), RECORD_BYTES_MAX);
  if (text === undefined) return undefined;
  try {
    const checked = v.safeParse(schema, JSON.parse(text));
    return checked.success ? checked.output : 'damaged';
  } catch {
    return 'damaged';
  }
}

export const writeRecord = (files: Files, dir: string, record: ComponentRecord): Result<void> =>
  files.replace(recordPath(dir), `${JSON.stringify(record)}\n`, 0o600);
