// The kinds of errors (model.ts) at work: listens to what the intake reads, tells the centre, and remembers over a
// restart of the agent, so that an upgrade does not make everything new again. The file is written when something
// was told and else seldom, at most each ten seconds: a flood changes counts all the time, and flash wears. What is
// lost with it is counts of some minutes, or one event that is told twice.

import * as v from 'valibot';
import type { NewEvent } from '../../../protocol/events.ts';
import { SIGNATURE_CHARS_MAX, SIGNATURES_MAX } from '../../../protocol/limits.ts';
import type { Result } from '../../../protocol/result.ts';
import type { Clock, Log, Timers } from '../../ports.ts';
import type { BrokerTime } from '../../telemetry/time.ts';
import type { Intake } from '../intake/types.ts';
import { type Kind, type KindLevel, Kinds } from './model.ts';

const LOOK_MS = 1_000;
const WRITTEN_EVERY_MS = 10_000;
/** Where only counts have changed. */
const SELDOM_MS = 10 * 60_000;
const FILE_BYTES_MAX = 256 * 1024;
/** Kinds, and those over the bound. */
const KEPT_MAX = SIGNATURES_MAX * 3;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const word = v.pipe(v.string(), v.maxLength(128));
const schema = v.object({
  kinds: v.pipe(
    v.array(
      v.object({
        signature: word,
        component: word,
        level: v.picklist(['error', 'warn']),
        version: word,
        pattern: v.pipe(v.string(), v.maxLength(SIGNATURE_CHARS_MAX)),
        firstMs: v.number(),
        lastMs: v.number(),
        total: count,
        told: count,
        isNew: v.boolean(),
      }),
    ),
    v.maxLength(KEPT_MAX),
  ),
});

export type ErrorKindsOptions = {
  readonly path: string;
  readonly read: (path: string, bytesMax: number) => string | undefined;
  readonly write: (path: string, text: string) => Promise<Result<void>>;
  readonly intake: Pick<Intake, 'listen'>;
  readonly report: (event: NewEvent) => void;
  readonly time: Pick<BrokerTime, 'nowMs' | 'offsetMs'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timers: Timers;
  readonly log: Log;
};

export type ErrorKinds = {
  readonly size: () => number;
  readonly dropped: () => number;
  /** Resolves when what is known is on disk. */
  readonly stop: () => Promise<void>;
};

function recall({ path, read, log }: ErrorKindsOptions): readonly Kind[] {
  try {
    const checked = v.safeParse(schema, JSON.parse(read(path, FILE_BYTES_MAX) ?? '{"kinds":[]}'));
    if (checked.success) return checked.output.kinds;
  } catch {
    // Cut off, or of somebody else.
  }
  log.warn(`${path} cannot be read: every kind of error counts as new`);
  return [];
}

const isTold = (level: string | undefined): level is KindLevel =>
  level === 'error' || level === 'warn';

function createKeeper(options: ErrorKindsOptions, kinds: Kinds) {
  const { path, write, clock, log } = options;
  let atMs = clock.monotonicMs();
  let written = '';
  let writing: Promise<void> | undefined;
  function save(): Promise<void> {
    const text = JSON.stringify({ kinds: kinds.state() });
    if (text === written) return Promise.resolve();
    return write(path, text).then((done) => {
      if (done.ok) written = text;
      else log.warn(`kinds of errors are not remembered: ${done.reason}`);
    });
  }
  return {
    keep: (isNews: boolean): boolean => {
      const sinceMs = clock.monotonicMs() - atMs;
      if (writing !== undefined || sinceMs < (isNews ? WRITTEN_EVERY_MS : SELDOM_MS)) return false;
      atMs += sinceMs;
      writing = save().finally(() => {
        writing = undefined;
      });
      return true;
    },
    settle: async (): Promise<void> => {
      await writing;
      await save();
    },
  };
}

export function openErrorKinds(options: ErrorKindsOptions): ErrorKinds {
  const { intake, report, time, clock, timers } = options;
  const agoOf = (timeMs: number): number => time.nowMs() - timeMs;
  const kinds = new Kinds(recall(options), clock.monotonicMs(), agoOf);
  const keeper = createKeeper(options, kinds);
  let isNews = false;
  const forget = intake.listen((component, { level, text, version, timeMs }) => {
    if (!isTold(level)) return;
    // Nothing was printed in the future, whatever it says.
    const corrected = Math.min(time.nowMs(), Math.round(timeMs + time.offsetMs()));
    const heard = { component, level, version, text, timeMs: Math.max(0, corrected) };
    kinds.hear(heard, clock.monotonicMs());
  });
  const cancel = timers.every(LOOK_MS, () => {
    for (const { component, fields } of kinds.due(clock.monotonicMs())) {
      isNews = true;
      report({ kind: 'error_signature', component, fields });
    }
    if (keeper.keep(isNews)) isNews = false;
  });
  return {
    size: () => kinds.size(),
    dropped: () => kinds.dropped(),
    stop: () => {
      cancel();
      forget();
      return keeper.settle();
    },
  };
}
