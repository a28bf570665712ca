// How a verb that opens the broker's keys gets their passphrase: from where the broker itself looks, and else, when the
// keys want one and somebody sits there, from the keyboard. Never from an argument, which every process can read.

import { fail, ok, type Result } from '../../protocol/result.ts';
import { type Options, textOf } from '../command.ts';

/** For keys that are there. */
export async function passphraseOf(
  options: Options,
  keysDir: string,
): Promise<Result<string | undefined>> {
  const { findOrAsk } = await import('../../broker/trust/passphrase.ts');
  return findOrAsk(process.env, keysDir, textOf(options['passphraseFile']));
}

/** For keys that are made now: none, unless one is provided or asked for. */
export async function newPassphraseOf(options: Options): Promise<Result<string | undefined>> {
  const { askNewPassphrase, findPassphrase } = await import('../../broker/trust/passphrase.ts');
  const found = findPassphrase(process.env, textOf(options['passphraseFile']));
  if (!found.ok || found.value !== undefined || options['askPassphrase'] !== true) return found;
  return askNewPassphrase();
}

/** An existing authority is two files. */
export function authorityOf(
  options: Options,
): Result<{ certificate: string; key: string } | undefined> {
  const certificate = textOf(options['authorityCert']);
  const key = textOf(options['authorityKey']);
  if (certificate === undefined && key === undefined) return ok(undefined);
  if (certificate !== undefined && key !== undefined) return ok({ certificate, key });
  return fail('--authority-cert and --authority-key go together');
}
