// Backups that the broker makes by itself: how often, how many it keeps, where, and the file with their passphrase. None
// unless the configuration asks for them: only a person knows a place on another machine.

import { resolve } from 'node:path';
import * as v from 'valibot';
import { whole } from './config-parts.ts';

const HOUR_MS = 3_600_000;
const EVERY = 'must be a time such as 24h, 90m or 7d, from 10m to 31d';
const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: HOUR_MS, d: 24 * HOUR_MS };
const EVERY_MS_MIN = 10 * 60_000;
const EVERY_MS_MAX = 31 * 24 * HOUR_MS;

function timeOf(text: string): number {
  const [, count, unit = ''] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? [];
  return Number(count) * (UNITS[unit] ?? Number.NaN);
}

const place = (what: string) => v.pipe(v.string(what), v.nonEmpty(what));

export const backupSettings = v.optional(
  v.strictObject(
    {
      every: v.optional(
        v.pipe(
          v.string(EVERY),
          v.check((text) => timeOf(text) >= EVERY_MS_MIN && timeOf(text) <= EVERY_MS_MAX, EVERY),
        ),
        '24h',
      ),
      keep: v.optional(whole(1, 1_000), 7),
      // Best on another machine: what burns with the broker is no backup.
      to: place('must be a folder'),
      passphraseFile: place('must be a file'),
      history: v.optional(v.boolean('must be true or false'), true),
      logs: v.optional(v.boolean('must be true or false'), true),
    },
    'must be a group of settings: to and passphraseFile, every and keep',
  ),
);

export type BackupSettings = {
  readonly everyMs: number;
  readonly keep: number;
  readonly to: string;
  readonly passphraseFile: string;
  readonly without: ('history' | 'logs')[];
};

/** @param folder where the configuration lies: relative places are meant from there. */
export function settleBackup(
  written: v.InferOutput<typeof backupSettings>,
  folder: string,
): BackupSettings | undefined {
  if (written === undefined) return undefined;
  const { every, keep, history, logs } = written;
  return {
    ...{ everyMs: timeOf(every), keep },
    ...{ to: resolve(folder, written.to), passphraseFile: resolve(folder, written.passphraseFile) },
    without: [...(history ? [] : (['history'] as const)), ...(logs ? [] : (['logs'] as const))],
  };
}
