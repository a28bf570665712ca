// trust.json: which authorities and command keys the fleet believes, which of them are used, and the version that
// terminals compare. It is written last and whole, so a key that is not named in it does not count yet, whatever
// killed the process that made it. Keys lie beside it, numbered; a number is never used twice.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { AUTHORITIES_MAX, COMMAND_KEYS_MAX } from '../../protocol/limits.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { SECRET_MODE, writeWhole } from '../files.ts';
import { checkMode, readSecret } from './key-files.ts';

const name = (kind: string) => v.pipe(v.string(), v.regex(new RegExp(`^${kind}-[1-9]\\d{0,5}$`)));
/** `next`: believed, not used yet. `used`: signs. `last`: still believed, until its rotation is finished. */
const stage = v.picklist(['next', 'used', 'last']);
export type Stage = v.InferOutput<typeof stage>;

const schema = v.strictObject({
  format: v.literal(1),
  version: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  authorities: v.pipe(
    v.array(v.strictObject({ name: name('authority'), stage })),
    v.maxLength(AUTHORITIES_MAX),
  ),
  commandKeys: v.pipe(
    v.array(v.strictObject({ name: name('command'), stage, key: v.string() })),
    v.maxLength(COMMAND_KEYS_MAX),
  ),
  /** Since which version the present ones are believed: who knows less cannot follow a switch. */
  since: v.strictObject({ authority: v.number(), command: v.number() }),
});
export type TrustState = v.InferOutput<typeof schema>;
export type NamedAuthority = TrustState['authorities'][number];
export type NamedKey = TrustState['commandKeys'][number];

export const paths = {
  state: (keysDir: string): string => join(keysDir, 'trust.json'),
  certificate: (keysDir: string, authority: string): string => join(keysDir, `${authority}.pem`),
  key: (keysDir: string, of: string): string => join(keysDir, `${of}.key`),
  /** Certificate and key in one file: two could be of different ages after a crash. */
  server: (keysDir: string): string => join(keysDir, 'server.pem'),
} as const;
export const AUDIT = 'audit';

const hasOneUsed = (list: readonly { stage: Stage }[]): boolean =>
  list.filter((one) => one.stage === 'used').length === 1;

export function parseState(text: string, path: string): Result<TrustState> {
  try {
    const read = v.safeParse(schema, JSON.parse(text));
    const good =
      read.success && [read.output.authorities, read.output.commandKeys].every(hasOneUsed);
    if (read.success && good) return ok(read.output);
  } catch {
    // Told below, as everything else that is no state.
  }
  return fail(`${path} is damaged: restore it, and the keys beside it, from your backup of them`);
}

export const hasState = (keysDir: string): boolean => existsSync(paths.state(keysDir));

export function readState(keysDir: string): Result<TrustState> {
  const path = paths.state(keysDir);
  try {
    if (!existsSync(path)) {
      return fail(`there is no authority in ${keysDir} yet: make one with "tillwatch broker init"`);
    }
    const folder = checkMode(keysDir);
    if (!folder.ok) return folder;
  } catch (cause) {
    return fail(`${keysDir} cannot be read: ${(cause as NodeJS.ErrnoException).code}`);
  }
  const text = readSecret(path);
  return text.ok ? parseState(text.value, path) : text;
}

export const writeState = (keysDir: string, state: TrustState): void =>
  writeWhole(paths.state(keysDir), `${JSON.stringify(state, undefined, 2)}\n`, SECRET_MODE);

export const usedOf = <T extends { stage: Stage }>(list: readonly T[]): T => {
  const used = list.find((one) => one.stage === 'used');
  if (used === undefined) throw new Error('bug: a trust state without one that is used');
  return used;
};

/** Whoever makes or rotates keys holds it; a running broker does not. */
export const lockPath = (keysDir: string): string => join(keysDir, 'lock.db');
