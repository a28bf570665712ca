// What trust.json names, read from its files and ready for use: certificates parsed, the keys that sign now decrypted.
// Kept apart from who uses it, because it is read again when another process rotated something, and then either
// everything is good and replaces what was held, or nothing changes.

import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { publicKeyText } from '../../protocol/commands.ts';
import type { TrustDocument } from '../../protocol/enrolment.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { fingerprintOf, type Issuer } from './certificates.ts';
import { readKey } from './key-files.ts';
import type { Authority } from './read.ts';
import { AUDIT, paths, readState, type TrustState, usedOf } from './state.ts';

export type HeldAuthority = Authority & { readonly name: string; readonly pem: string };
export type Held = {
  readonly state: TrustState;
  readonly authorities: readonly HeldAuthority[];
  readonly issuer: Issuer & { readonly fingerprint: string };
  readonly commandKey: KeyObject;
  readonly auditKey: KeyObject;
  readonly document: TrustDocument;
  /** Of the keys that are open. */
  readonly names: ReadonlySet<string>;
};

function readAuthority(keysDir: string, name: string): Result<HeldAuthority> {
  const path = paths.certificate(keysDir, name);
  try {
    const pem = readFileSync(path, 'utf8');
    const certificate = new X509Certificate(pem);
    return ok({ name, pem, certificate, fingerprint: fingerprintOf(pem) });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    return fail(
      code === 'ENOENT' ? `${path} is missing` : `${path} holds no certificate in PEM form`,
    );
  }
}

const isEd25519 = (key: KeyObject): boolean => key.asymmetricKeyType === 'ed25519';

/** Opening a key costs 0.2 s when it is encrypted: what is open stays so. */
export type KeyRing = Map<string, KeyObject>;

function openKey(
  keysDir: string,
  name: string,
  passphrase: string | undefined,
  ring: KeyRing,
): Result<KeyObject> {
  const known = ring.get(name);
  if (known !== undefined) return ok(known);
  const read = readKey(paths.key(keysDir, name), passphrase);
  if (read.ok) ring.set(name, read.value);
  return read;
}

export function readHeld(
  keysDir: string,
  passphrase: string | undefined,
  ring: KeyRing = new Map(),
): Result<Held> {
  const state = readState(keysDir);
  if (!state.ok) return state;
  const authorities: HeldAuthority[] = [];
  for (const { name } of state.value.authorities) {
    const read = readAuthority(keysDir, name);
    if (!read.ok) return read;
    authorities.push(read.value);
  }
  const usedName = usedOf(state.value.authorities).name;
  const used = authorities.find(({ name }) => name === usedName);
  if (used === undefined) throw new Error('bug: an authority that was read is not there');
  const key = openKey(keysDir, usedName, passphrase, ring);
  if (!key.ok) return key;
  if (!createPublicKey(key.value).equals(used.certificate.publicKey)) {
    return fail(`${paths.key(keysDir, usedName)} does not belong to the certificate beside it`);
  }
  const command = usedOf(state.value.commandKeys);
  const commandKey = openKey(keysDir, command.name, passphrase, ring);
  if (!commandKey.ok) return commandKey;
  const isNamed = isEd25519(commandKey.value) && publicKeyText(commandKey.value) === command.key;
  if (!isNamed) {
    return fail(`${paths.key(keysDir, command.name)} is not the key that trust.json names`);
  }
  const auditKey = openKey(keysDir, AUDIT, passphrase, ring);
  if (!auditKey.ok) return auditKey;
  if (!isEd25519(auditKey.value)) {
    return fail(`${paths.key(keysDir, AUDIT)} holds no private Ed25519 key`);
  }
  return ok({
    state: state.value,
    authorities,
    issuer: { certificate: used.pem, key: key.value, fingerprint: used.fingerprint },
    commandKey: commandKey.value,
    auditKey: auditKey.value,
    names: new Set([usedName, command.name, AUDIT]),
    document: {
      version: state.value.version,
      authorities: authorities.map(({ pem }) => pem),
      commandKeys: state.value.commandKeys.map((one) => one.key),
    },
  });
}
