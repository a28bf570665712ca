// `tillwatch broker restore`: makes folders and a configuration from a backup and says what nobody can know: what was
// done between the backup and the end of the broker before. Each sentence says what to look at and with what.

import { readFileSync } from 'node:fs';
import type { RestoreDone } from '../../broker/backup/restore.ts';
import { isId } from '../../protocol/ids.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Options } from '../command.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { plural } from '../screen.ts';
import { backupPassphrase } from './broker-backup.ts';

type Print = (line: string) => unknown;

/** Terminals, one a line; what stands behind one is a person's remark. */
function readRevoked(file: unknown): Result<readonly string[]> {
  if (typeof file !== 'string') return ok([]);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    return fail(`${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`);
  }
  const named: string[] = [];
  for (const [at, line] of text.split('\n').entries()) {
    const [word = ''] = line
      .replace(/#.*/, '')
      .trim()
      .split(/[\s,]+/);
    if (word !== '' && !isId(word))
      return fail(`${file}, line ${at + 1}: "${word}" is no terminal`);
    if (word !== '') named.push(word);
  }
  return ok([...new Set(named)]);
}

const stamp = (ms: number): string => new Date(ms).toISOString();

/** What goes on by itself, and what somebody has to look at. */
export function sentencesOf(
  { restored, changes, config, manifest }: RestoreDone,
  named: readonly string[],
): readonly string[] {
  const since = stamp(restored.backupMs);
  const unknown = named.filter((one) => !changes.revoked.includes(one));
  const { without } = manifest;
  const { http } = config;
  return [
    'Terminals keep their identities. What they told since the backup, they tell again: events and results of 72 hours.',
    'Samples from between are in your metrics database, if it got them, and not in the history here.',
    changes.commandsOpen === 0
      ? ''
      : `Going on under their own ids, also if somebody cancelled one since: ${plural(changes.commandsOpen, 'open command')}; no till runs one twice.`,
    changes.commandsEnded.length === 0
      ? ''
      : `Taken back: ${plural(changes.commandsEnded.length, 'open command')} that can stop a till or that only an admin may give, done or cancelled since, perhaps: ask again for what is still wanted (tillwatch commands).`,
    changes.bulksPaused === 0
      ? ''
      : `Paused: ${plural(changes.bulksPaused, 'running bulk action')}; look which tills did it since (tillwatch bulk).`,
    'Who was signed in has to sign in again; the tokens of operators are those of the backup.',
    changes.tokensEnded === 0
      ? ''
      : `${plural(changes.tokensEnded, 'unused enrolment token')} ended, because they may have been used since: make new ones.`,
    `Not known: who was revoked, suspended, moved or retired since ${since}, and which operators were added or lost their role.`,
    'A till that runs a newer version of a configuration than the backup knows keeps it and is shown as ahead; a document that is new since is not known: apply it again first (tillwatch config).',
    named.length === 0
      ? 'A terminal that was revoked since is let in again: revoke it now (tillwatch terminal revoke), or restore with --revoked FILE.'
      : `Revoked as you named them: ${changes.revoked.join(', ') || 'none'}.`,
    unknown.length === 0 ? '' : `Named and not enrolled, or revoked before: ${unknown.join(', ')}.`,
    'A terminal that was enrolled since is refused until it enrols again; a renewed one renews by itself. Both are named by: tillwatch audit --action connection.refuse',
    without.length === 0 ? '' : `The backup was made without ${without.join(' and ')}.`,
    http.certificate === undefined
      ? ''
      : `http.certificate and http.key are not in a backup: put them to ${http.certificate} and ${http.key}.`,
    'The broker of before must never start again: tills would meet two.',
  ].filter((line) => line !== '');
}

export async function runBrokerRestore(
  file: string,
  options: Options,
  print: Print,
): Promise<Outcome> {
  const revoked = readRevoked(options['revoked']);
  if (!revoked.ok) return ended(EXIT.usage, revoked.reason);
  const names = String(options['name'] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const passphrase = await backupPassphrase(options, false);
  if (!passphrase.ok) return ended(EXIT.usage, passphrase.reason);
  const { restoreBroker } = await import('../../broker/backup/restore.ts');
  const made = await restoreBroker({
    ...{ file, passphrase: passphrase.value, names, revoked: revoked.value, nowMs: Date.now },
    resumeCommands: options['resumeCommands'] === true,
    dataDir: String(options['data']),
    keysDir: String(options['keys']),
    configFile: String(options['config']),
  });
  if (!made.ok) return ended(EXIT.failed, made.reason);
  const { restored, changes, config } = made.value;
  const told = sentencesOf(made.value, revoked.value);
  if (options['json'] === true) {
    const places = { dataDir: config.dataDir, keysDir: config.keysDir, names: config.names };
    print(JSON.stringify({ ...places, ...restored, ...changes, told }, undefined, 2));
    return done;
  }
  print(`restored: everything to ${stamp(restored.backupMs)}, of ${restored.from}`);
  print(`  data  ${config.dataDir}`);
  print(`  keys  ${config.keysDir}`);
  if (config.names.length > 0) print(`  names ${config.names.join(', ')}`);
  print('');
  for (const line of told) print(line);
  print('');
  print(
    `Look at its ports and addresses, then: tillwatch broker --config ${String(options['config'])}`,
  );
  return done;
}
