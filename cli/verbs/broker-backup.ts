// `tillwatch broker backup`: makes the file, or says what is in one. Its passphrase comes from a file or from the
// keyboard, never from an argument; a new one is asked for twice, because nobody opens the file after a slip.

import { resolve } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Options } from '../command.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { plural } from '../screen.ts';
import { readBrokerFile } from './broker-file.ts';

type Print = (line: string) => unknown;
const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB'] as const;

/** As people say it. */
export function sizeText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${UNITS[power]}`;
}

/** @param isNew is asked for twice. */
export async function backupPassphrase(options: Options, isNew: boolean): Promise<Result<string>> {
  const { askPassphrase, findPassphrase } = await import('../../broker/trust/passphrase.ts');
  const named = options['passphraseFile'] ?? process.env['TILLWATCH_BACKUP_PASSPHRASE_FILE'];
  const found = findPassphrase({}, typeof named === 'string' ? named : undefined);
  if (!found.ok) return found;
  if (found.value !== undefined) return ok(found.value);
  const first = await askPassphrase('passphrase of the backup: ');
  if (!first.ok) {
    return fail(`${first.reason}: name a file with it (--passphrase-file)`);
  }
  if (!isNew) return first;
  const again = await askPassphrase('the same again: ');
  if (!again.ok) return again;
  return first.value === again.value ? first : fail('the two passphrases are not the same');
}

async function list(file: string, options: Options, print: Print): Promise<Outcome> {
  const passphrase = await backupPassphrase(options, false);
  if (!passphrase.ok) return ended(EXIT.usage, passphrase.reason);
  const { unpack } = await import('../../broker/backup/unpack.ts');
  const read = await unpack(file, passphrase.value);
  if (!read.ok) return ended(EXIT.failed, read.reason);
  const { manifest, complete } = read.value;
  if (options['json'] === true) {
    print(JSON.stringify({ ...manifest, ...complete }, undefined, 2));
    return done;
  }
  const { version, host, names, by, without, newestBatch, newestAudit } = manifest;
  const called = names.length === 0 ? '' : `, called ${names.join(', ')}`;
  print(`everything to ${new Date(manifest.atMs).toISOString()}, made by ${by}`);
  print(`of the broker on ${host}${called}, Tillwatch ${version}`);
  print(`${plural(manifest.terminals, 'terminal')}, ${manifest.enrolled} enrolled`);
  print(`ledger up to batch ${newestBatch}, audit log up to entry ${newestAudit}`);
  if (without.length > 0) print(`without ${without.join(' and ')}`);
  print('');
  const logs = complete.files.filter(({ name }) => name.startsWith('data/logs/'));
  for (const { name, bytes } of complete.files) {
    if (!name.startsWith('data/logs/')) print(`${sizeText(bytes).padStart(10)}  ${name}`);
  }
  const logBytes = logs.reduce((sum, { bytes }) => sum + bytes, 0);
  if (logs.length > 0) {
    print(
      `${sizeText(logBytes).padStart(10)}  ${plural(logs.length, 'answer')} of terminals in data/logs`,
    );
  }
  print('');
  print('it is whole: every byte is as it was written');
  return done;
}

export async function runBrokerBackup(
  file: string,
  options: Options,
  print: Print,
): Promise<Outcome> {
  if (options['list'] === true) return list(resolve(file), options, print);
  const config = await readBrokerFile(resolve(String(options['config'])));
  if (!config.ok) return ended(EXIT.usage, config.reason);
  const passphrase = await backupPassphrase(options, true);
  if (!passphrase.ok) return ended(EXIT.usage, passphrase.reason);
  const { checkNewPassphrase } = await import('../../broker/trust/passphrase.ts');
  const strong = checkNewPassphrase(passphrase.value);
  if (!strong.ok) return ended(EXIT.usage, strong.reason);
  const { writeBackup } = await import('../../broker/backup/write.ts');
  const { whoAsks } = await import('../../broker/backup/contents.ts');
  const made = await writeBackup({
    ...{ config: config.value.config, configText: config.value.text, file },
    ...{ passphrase: passphrase.value, verify: options['verify'] === true },
    without: (['history', 'logs'] as const).filter(
      (one) => options[one === 'history' ? 'withoutHistory' : 'withoutLogs'] === true,
    ),
    ...{ by: whoAsks(), nowMs: Date.now },
  });
  if (!made.ok) return ended(EXIT.failed, made.reason);
  const { atMs, bytes, verified } = made.value;
  if (options['json'] === true) print(JSON.stringify(made.value, undefined, 2));
  else {
    const isRead = verified ? ', and was read again' : '';
    print(
      `${made.value.file}: ${sizeText(bytes)}, everything to ${new Date(atMs).toISOString()}${isRead}`,
    );
    print('keep its passphrase elsewhere: nobody opens it without');
  }
  return done;
}
