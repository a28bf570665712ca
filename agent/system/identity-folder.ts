// The folder that holds a terminal's identity, read and written as a whole. Nothing in it may be read by others, because
// whoever has the key is this terminal to its broker; what was open to others is refused and not repaired, because only a
// person knows whether somebody has read it. Used by the agent and by the program that enrols (enrol-main.ts).

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import {
  FILES,
  formatRecord,
  type IdentityRecord,
  merge,
  otherPair,
  pairFiles,
  parseRecord,
  RECORD_BYTES_MAX,
} from '../identity/record.ts';
import { writeDurably } from './disk.ts';
import { codeOf, makeFolders } from './files.ts';

/** Rights of group and others. */
const OTHERS = 0o077;
const modeText = (mode: number): string => (mode & 0o777).toString(8).padStart(3, '0');

/** Key, certificate and what goes with them, as they belong together. */
export type Loaded = {
  readonly record: IdentityRecord;
  readonly key: string;
  readonly certificate: string;
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
};

function openToOthers(path: string, mode: number): string {
  return (
    `${path} may be read by others (mode ${modeText(mode)}): enrol this terminal anew, ` +
    'or run chmod 600 on it if you know that nobody did'
  );
}

/** @returns undefined when it is not there. Bounded; a link or a FIFO is no secret file [open(2)]. */
export function readSecret(path: string): Result<string | undefined> {
  let descriptor: number;
  try {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    descriptor = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ok(undefined);
    return fail(`${path} cannot be read (${codeOf(error)})`);
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile() || stat.size > RECORD_BYTES_MAX) return fail(`${path} is no file of ours`);
    if ((stat.mode & OTHERS) !== 0) return fail(openToOthers(path, stat.mode));
    return ok(readFileSync(descriptor, 'utf8'));
  } catch (error) {
    return fail(`${path} cannot be read (${codeOf(error)})`);
  } finally {
    closeSync(descriptor);
  }
}

/** Durably, 0600 whatever an old half-written one was. */
export function writeSecret(path: string, text: string): Result<void> {
  drop(`${path}.new`);
  return writeDurably(path, text);
}

export function drop(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // A folder of that name: whoever reads it says so.
  }
}

export function makeIdentityFolder(folder: string): Result<void> {
  try {
    makeFolders(folder, 0o700);
  } catch (error) {
    return fail(`the folder ${folder} cannot be made (${codeOf(error)})`);
  }
  return checkFolder(folder);
}

function checkFolder(folder: string): Result<void> {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined || (stat.mode & OTHERS) === 0) return ok(undefined);
  const what = `the folder ${folder} is open to others (mode ${modeText(stat.mode)})`;
  return fail(`${what}: run chmod 700 on it if you know that nobody changed anything there`);
}

function loadPair(folder: string, record: IdentityRecord): Result<Loaded> {
  const files = pairFiles(record.pair);
  const key = readSecret(join(folder, files.key));
  if (!key.ok) return key;
  const certificate = readSecret(join(folder, files.certificate));
  if (!certificate.ok) return certificate;
  if (key.value === undefined || certificate.value === undefined) {
    return fail(`${folder} lacks ${files.key} or ${files.certificate}: enrol this terminal anew`);
  }
  try {
    const read = new X509Certificate(certificate.value);
    if (!read.checkPrivateKey(createPrivateKey(key.value))) {
      return fail(`key and certificate in ${folder} do not belong together`);
    }
    const { serialNumber, validFromDate, validToDate } = read;
    return ok({
      ...{ record, key: key.value, certificate: certificate.value },
      serial: serialNumber.toLowerCase(),
      notBeforeMs: validFromDate.getTime(),
      notAfterMs: validToDate.getTime(),
    });
  } catch {
    // What OpenSSL says of it helps nobody at a till.
    return fail(`key or certificate in ${folder} cannot be read: enrol this terminal anew`);
  }
}

function loadRecord(folder: string, name: string): Result<Loaded | undefined> {
  const path = join(folder, name);
  const text = readSecret(path);
  if (!text.ok) return text;
  if (text.value === undefined) return ok(undefined);
  const record = parseRecord(text.value, path);
  return record.ok ? loadPair(folder, record.value) : record;
}

/** @returns undefined: there is none. */
export function loadIdentity(folder: string, terminal: string): Result<Loaded | undefined> {
  const safe = checkFolder(folder);
  if (!safe.ok) return safe;
  const loaded = loadRecord(folder, FILES.record);
  if (!loaded.ok || loaded.value === undefined) return loaded;
  const { record } = loaded.value;
  if (record.terminal === terminal) return loaded;
  return fail(`the identity in ${folder} is that of ${record.terminal}, not of ${terminal}`);
}

export const writeRecord = (folder: string, record: IdentityRecord): Result<void> =>
  writeSecret(join(folder, FILES.record), formatRecord(record));

/** What was got, under the names that are not in use, and last of all the record that names it. */
export function offer(
  folder: string,
  record: Omit<IdentityRecord, 'pair' | 'v'>,
  pair: { readonly key: string; readonly certificate: string },
): Result<void> {
  const text = readSecret(join(folder, FILES.record));
  const now = text.ok && text.value !== undefined ? parseRecord(text.value, '') : undefined;
  const number = now?.ok ? otherPair(now.value.pair) : 1;
  const files = pairFiles(number);
  const key = writeSecret(join(folder, files.key), pair.key);
  if (!key.ok) return key;
  const certificate = writeSecret(join(folder, files.certificate), pair.certificate);
  if (!certificate.ok) return certificate;
  return writeSecret(join(folder, FILES.next), formatRecord({ ...record, v: 1, pair: number }));
}

/**
 * Takes over what was offered, by one rename; again and again without harm. Only one process does it at a time: the agent,
 * or its child while there is no identity yet. @returns how it was got; undefined: nothing is offered.
 */
export function takeOver(folder: string): Result<IdentityRecord['how'] | undefined> {
  const next = loadRecord(folder, FILES.next);
  if (!next.ok || next.value === undefined) {
    // Half of something, or somebody else's: what is there already stays.
    drop(join(folder, FILES.next));
    return next.ok ? ok(undefined) : next;
  }
  const { record } = next.value;
  const text = readSecret(join(folder, FILES.record));
  const now = text.ok && text.value !== undefined ? parseRecord(text.value, '') : undefined;
  const merged = merge(now?.ok ? now.value : undefined, record);
  const written = writeRecord(folder, merged);
  if (!written.ok) return written;
  drop(join(folder, FILES.next));
  drop(join(folder, FILES.request));
  const old = pairFiles(otherPair(record.pair));
  drop(join(folder, old.key));
  drop(join(folder, old.certificate));
  return ok(record.how);
}
