// Backups that the broker makes by itself, and what it tells of all of them, also of those that somebody made by hand
// beside it (last.ts): in the audit log, in its own log and as an age. When the next one is due follows from the newest
// one that is whole, so that a broker that is started each hour still makes one a day, and one that was off makes one
// soon after its start. One that failed is tried again within the hour.

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { fail, type Result } from '../../protocol/result.ts';
import type { Audit } from '../audit.ts';
import type { Cancel, Clock, Timers } from '../clock.ts';
import type { BrokerConfig } from '../config.ts';
import type { Metrics } from '../metrics.ts';
import type { Log } from '../ports.ts';
import { workerUrl } from '../worker.ts';
import {
  type GoodBackup,
  type LastBackups,
  noteBad,
  noteTold,
  readLast,
  readTold,
} from './last.ts';
import type { BackupJob } from './worker-main.ts';
import { sweepWork } from './write.ts';

const LOOK_MS = 15_000;
/** Not in the first minutes of a broker: terminals come back then. */
const FIRST_MS = 5 * 60_000;
const RETRY_MS = 60 * 60_000;
const DRAFT = /^tillwatch-\d{8}T\d{6}Z\.age\.\d+\.part$/;
const NAME = /^tillwatch-\d{8}T\d{6}Z\.age$/;

export const nameOf = (ms: number): string =>
  `tillwatch-${new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, '')}.age`;

/** When the next one is due; pure. A clock that was set back does not put it off for longer than `everyMs`. */
export function dueMs(
  { good, bad }: Pick<LastBackups, 'good' | 'bad'>,
  everyMs: number,
  startedMs: number,
  nowMs: number,
): number {
  const soonest = startedMs + FIRST_MS;
  const goodMs = good === undefined || good.atMs > nowMs ? 0 : good.atMs;
  const failedMs = bad !== undefined && bad.endedMs <= nowMs ? bad.endedMs : 0;
  const retryMs = failedMs > goodMs ? failedMs + Math.min(RETRY_MS, everyMs) : 0;
  return Math.max(soonest, goodMs + everyMs, retryMs);
}

/** The oldest beyond those that are kept; others in the folder are not ours. */
export function surplus(names: readonly string[], keep: number): readonly string[] {
  return names
    .filter((name) => NAME.test(name))
    .sort()
    .slice(0, -keep);
}

type Running = { readonly done: Promise<Result<GoodBackup>>; readonly stop: () => void };

/** Of brokers that were killed; one that is made by hand at this moment has another name. */
function sweepDrafts(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (DRAFT.test(name)) rmSync(join(folder, name), { force: true });
  }
}

export type AutomaticOptions = {
  readonly config: BrokerConfig;
  readonly configText: string;
  readonly audit: Pick<Audit, 'write'>;
  readonly metrics: Pick<Metrics, 'watch' | 'backups'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly timers: Timers;
  readonly log: Log;
  /** Another way to do it in tests. */
  readonly run?: (job: BackupJob) => Running;
};

function runWorker(job: BackupJob): Running {
  const worker = new Worker(workerUrl('backup/worker-main.ts'), {
    ...{ name: 'backup', workerData: job },
    resourceLimits: { maxOldGenerationSizeMb: 256 },
  });
  const done = new Promise<Result<GoodBackup>>((resolve) => {
    worker.once('message', resolve);
    worker.once('error', (error) => resolve(fail(`a bug: ${String(error)}`)));
    worker.once('exit', () => resolve(fail('it was stopped')));
  });
  return { done, stop: () => void worker.terminate() };
}

/** Tells what is new in the file since it was told last, also by a broker before. */
function createTeller({ config, audit, metrics, log }: AutomaticOptions) {
  let told = readTold(config.dataDir);
  const entry = { action: 'broker.backup', reason: '' };
  return (last: LastBackups): void => {
    if (last.made > told.made && last.good !== undefined) {
      const { by, file, ...detail } = last.good;
      metrics.backups('ok', last.made - told.made);
      audit.write({
        ...entry,
        operator: by,
        subject: config.dataDir,
        outcome: 'ok',
        detail: { file, ...detail },
      });
      log.info('a backup was made', { file, by, bytes: detail.bytes });
    }
    if (last.failed > told.failed && last.bad !== undefined) {
      const { by, file, reason } = last.bad;
      metrics.backups('failed', last.failed - told.failed);
      audit.write({
        ...entry,
        operator: by,
        subject: config.dataDir,
        outcome: reason,
        detail: { file },
      });
      log.error('a backup could not be made', { file, by, reason });
    }
    if (last.made !== told.made || last.failed !== told.failed) noteTold(config.dataDir, last);
    told = last;
  };
}

/** @returns what ends it. */
export function openBackups(options: AutomaticOptions): Cancel {
  const { config, configText, metrics, clock, timers, log, run = runWorker } = options;
  const { dataDir, backup: settings } = config;
  let last = readLast(dataDir);
  const tell = createTeller(options);
  const startedMs = clock.wallMs();
  let running: Running | undefined;
  let stopped = false;
  sweepWork(dataDir);
  metrics.watch({ backupMs: () => last.good?.atMs });

  function tidy(): void {
    if (settings === undefined) return;
    for (const name of surplus(readdirSync(settings.to), settings.keep)) {
      rmSync(join(settings.to, name), { force: true });
    }
  }

  async function make(): Promise<void> {
    if (settings === undefined) return;
    const { to, passphraseFile, without } = settings;
    const file = join(to, nameOf(clock.wallMs()));
    const { dataDir: data, keysDir, plainText, names } = config;
    const places = { dataDir: data, keysDir, plainText, names };
    const job = { config: places, configText, file, passphraseFile, without };
    const before = readLast(dataDir);
    sweepDrafts(to);
    const started = run({ ...job, verify: true, by: 'broker' });
    running = started;
    const done = await started.done;
    running = undefined;
    if (stopped) return;
    const after = readLast(dataDir);
    // What failed before it could write anything down.
    const isNoted = after.failed > before.failed || after.made > before.made;
    if (!done.ok && !isNoted) {
      noteBad(dataDir, { endedMs: clock.wallMs(), file, by: 'broker', reason: done.reason });
    }
    if (done.ok) tidy();
  }

  function look(): void {
    if (stopped) return;
    last = readLast(dataDir);
    tell(last);
    if (settings === undefined || running !== undefined) return;
    if (clock.wallMs() < dueMs(last, settings.everyMs, startedMs, clock.wallMs())) return;
    make().then(look, (cause: Error) => {
      log.error('backups of before could not be tidied', { reason: cause.message });
    });
  }
  const cancel = timers.every(LOOK_MS, look);
  return () => {
    stopped = true;
    cancel();
    running?.stop();
  };
}
