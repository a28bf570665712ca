// One backup in a thread of its own: archiving gigabytes must not take the turns of the loop that acknowledges. The
// passphrase is read here and never told to anybody; the thread ends with its work.

import { parentPort, workerData } from 'node:worker_threads';
import { fail, type Result } from '../../protocol/result.ts';
import { systemClock } from '../clock.ts';
import { findPassphrase } from '../trust/passphrase.ts';
import type { GoodBackup } from './last.ts';
import { type BackupOptions, writeBackup } from './write.ts';

export type BackupJob = Omit<BackupOptions, 'passphrase' | 'nowMs'> & {
  readonly passphraseFile: string;
};

function run({ passphraseFile, ...job }: BackupJob): Promise<Result<GoodBackup>> {
  const passphrase = findPassphrase({}, passphraseFile);
  if (!passphrase.ok) return Promise.resolve(passphrase);
  if (passphrase.value === undefined) {
    return Promise.resolve(fail('there is no passphrase for backups'));
  }
  return writeBackup({ ...job, passphrase: passphrase.value, nowMs: systemClock.wallMs });
}

parentPort?.postMessage(await run(workerData as BackupJob));
