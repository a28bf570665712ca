// The secrets of a broker in plain text, made at its first start: the token of its HTTP API, the key that signs
// commands and the one that signs the heads of the audit log. A file that others may read is refused, not repaired: somebody may have read it, and only
// a person knows. Secrets never go to a log or an error sentence.

import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { publicKeyText } from '../protocol/commands.ts';
import { fail, ok, type Result } from '../protocol/result.ts';
import { PUBLIC_MODE, SECRET_MODE, writeWhole } from './files.ts';

/** 256 random bits, as 43 characters that need no quoting in a shell or a header. */
const TOKEN_BYTES = 32;
const TOKEN_PATTERN = /^[A-Za-z0-9_-]{32,256}$/;
/** Rights of group and others. */
const OTHERS = 0o077;

export type Keys = {
  readonly apiToken: string;
  readonly commandKey: KeyObject;
  readonly auditKey: KeyObject;
};

/** Reads a secret, making it first when there is none. */
function keep(path: string, make: () => string): Result<string> {
  if (!existsSync(path)) writeWhole(path, make(), SECRET_MODE);
  const { mode } = statSync(path);
  if ((mode & OTHERS) !== 0) {
    const shown = (mode & 0o777).toString(8);
    return fail(
      `${path} may be read by others (mode ${shown}): delete it to have a new one made, ` +
        'or run chmod 600 on it if you know that nobody did',
    );
  }
  return ok(readFileSync(path, 'utf8'));
}

function keepToken(dataDir: string): Result<string> {
  const path = join(dataDir, 'api-token');
  const text = keep(path, () => `${randomBytes(TOKEN_BYTES).toString('base64url')}\n`);
  if (!text.ok) return text;
  const token = text.value.trim();
  if (TOKEN_PATTERN.test(token)) return ok(token);
  return fail(`${path} holds no token of 32 or more letters, digits, "-" and "_"`);
}

function keepSigningKey(dataDir: string, name: string): Result<KeyObject> {
  const path = join(dataDir, `${name}.pem`);
  const text = keep(path, () =>
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  );
  if (!text.ok) return text;
  const wrong = `${path} holds no private Ed25519 key in PEM form`;
  try {
    const key = createPrivateKey(text.value);
    return key.asymmetricKeyType === 'ed25519' ? ok(key) : fail(wrong);
  } catch {
    return fail(wrong);
  }
}

/** Also writes the public half, `command-key.pub`, which goes into agents' `trust.commandKeys`. */
export function openKeys(dataDir: string): Result<Keys> {
  const token = keepToken(dataDir);
  if (!token.ok) return token;
  const key = keepSigningKey(dataDir, 'command-key');
  if (!key.ok) return key;
  const auditKey = keepSigningKey(dataDir, 'audit-key');
  if (!auditKey.ok) return auditKey;
  writeWhole(join(dataDir, 'command-key.pub'), `${publicKeyText(key.value)}\n`, PUBLIC_MODE);
  return ok({ apiToken: token.value, commandKey: key.value, auditKey: auditKey.value });
}
