import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lockFolder, writeWhole } from '../../broker/files.ts';
import { openKeys } from '../../broker/keys.ts';
import { parsePublicKey, publicKeyText } from '../../protocol/commands.ts';

let dir: string;
const at = (name: string): string => join(dir, name);
const modeOf = (name: string): string => (statSync(at(name)).mode & 0o777).toString(8);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tw-keys-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const opened = () => {
  const keys = openKeys(dir);
  if (!keys.ok) throw new Error(keys.reason);
  return keys.value;
};
const refusal = (): string => {
  const keys = openKeys(dir);
  if (keys.ok) throw new Error('was opened');
  return keys.reason;
};

describe("the broker's keys", () => {
  test('are made once, for their owner only, and are the same ever after', () => {
    const first = opened();
    expect(first.apiToken).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect([modeOf('api-token'), modeOf('command-key.pem')]).toEqual(['600', '600']);
    const again = opened();
    expect(again.apiToken).toBe(first.apiToken);
    expect(publicKeyText(again.commandKey)).toBe(publicKeyText(first.commandKey));
    const text = readFileSync(at('command-key.pub'), 'utf8').trim();
    expect(text).toBe(publicKeyText(first.commandKey));
    expect(parsePublicKey(text).ok).toBe(true);
    expect(readdirSync(dir).filter((name) => name.includes('draft'))).toEqual([]);
  });

  test.each(['api-token', 'command-key.pem'])('are refused when others may read %s', (name) => {
    opened();
    for (const mode of [0o640, 0o604, 0o660]) {
      chmodSync(at(name), mode);
      expect(refusal()).toContain(`${at(name)} may be read by others (mode ${mode.toString(8)})`);
    }
    chmodSync(at(name), 0o600);
    opened();
  });

  test('are refused when they are not what they should be, without being shown or replaced', () => {
    opened();
    writeFileSync(at('api-token'), 'short');
    expect(refusal()).toBe(
      `${at('api-token')} holds no token of 32 or more letters, digits, "-" and "_"`,
    );
    expect(readFileSync(at('api-token'), 'utf8')).toBe('short');
    rmSync(at('api-token'));
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(at('command-key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    expect(refusal()).toContain('holds no private Ed25519 key');
    writeFileSync(at('command-key.pem'), 'nonsense');
    expect(refusal()).toContain('holds no private Ed25519 key');
  });
});

describe('a file written whole', () => {
  test('has its mode and leaves nothing else behind, also over an old draft', () => {
    writeFileSync(at(`secret.${process.pid}.draft`), 'left by a crash', { mode: 0o666 });
    writeWhole(at('secret'), 'one', 0o600);
    writeWhole(at('secret'), 'two', 0o600);
    expect(readFileSync(at('secret'), 'utf8')).toBe('two');
    expect(modeOf('secret')).toBe('600');
    expect(readdirSync(dir)).toEqual(['secret']);
  });
});

describe('a data folder', () => {
  test('has one owner at a time, until it is released', () => {
    const first = lockFolder(dir);
    expect(first.ok).toBe(true);
    expect(lockFolder(dir)).toEqual({
      ok: false,
      reason: `the folder ${dir} is in use by another broker`,
    });
    if (first.ok) first.value();
    const second = lockFolder(dir);
    expect(second.ok).toBe(true);
    if (second.ok) second.value();
    expect(existsSync(at('lock.db'))).toBe(true);
  });

  test('with something else in place of its lock is refused', () => {
    writeFileSync(at('lock.db'), 'not a database, but long enough to look like one'.repeat(50));
    const lock = lockFolder(dir);
    expect(!lock.ok && lock.reason).toContain('cannot be used');
  });
});
