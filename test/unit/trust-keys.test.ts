// Private keys on disk: who may read them, what a passphrase does, and what is left after a kill at any moment.

import { createPrivateKey } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keyText, newKey, parseKey } from '../../broker/trust/key-files.ts';
import { makeTrust } from '../../broker/trust/make.ts';
import { findPassphrase } from '../../broker/trust/passphrase.ts';
import { must, openRig, why } from './trust-rig.ts';

const PASSPHRASE = 'correct horse battery';
let rig: ReturnType<typeof openRig>;
beforeEach(() => {
  rig = openRig();
});
afterEach(() => rig.close());
const at = (name: string): string => join(rig.keysDir, name);
const SECRETS = ['audit.key', 'authority-1.key', 'command-1.key', 'server.pem', 'trust.json'];

describe('keys', () => {
  it('lie in a folder of their owner, in files of their owner', async () => {
    must(await rig.make());
    must(await rig.open());
    const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
    expect(mode(rig.keysDir)).toBe('700');
    for (const name of SECRETS) expect([name, mode(at(name))]).toEqual([name, '600']);
    expect(readdirSync(rig.keysDir).toSorted()).toEqual([...SECRETS, 'authority-1.pem'].toSorted());
  });

  it.each(SECRETS)('that others may read are refused: %s', async (name) => {
    must(await rig.make());
    must(await rig.open());
    chmodSync(at(name), 0o640);
    expect(why(await rig.open())).toMatch(
      new RegExp(`${name} may be read by others \\(mode 640\\): run chmod 600`),
    );
  });

  it('in a folder that others may enter are refused', async () => {
    must(await rig.make());
    chmodSync(rig.keysDir, 0o750);
    expect(why(await rig.open())).toMatch(/is open to others \(mode 750\): run chmod 700/);
  });

  it.each(['audit.key', 'authority-1.key', 'authority-1.pem', 'command-1.key', 'trust.json'])(
    'that are missing, damaged or swapped are told by name, without what is in them: %s',
    async (name) => {
      must(await rig.make());
      const text = readFileSync(at(name), 'utf8');
      for (const damaged of ['', 'x', text.slice(0, text.length / 2), '{}']) {
        writeFileSync(at(name), damaged);
        const sentence = why(await rig.open());
        expect(sentence).toContain(at(name));
        expect(sentence).not.toMatch(/BEGIN|\n/);
      }
      rmSync(at(name));
      expect(why(await rig.open())).toMatch(/missing|there is no authority/);
    },
  );

  it('of another authority do not pass for ours', async () => {
    must(await rig.make());
    const key = (kind: 'p256' | 'ed25519') => keyText(newKey(kind), undefined);
    writeFileSync(at('command-1.key'), key('ed25519'));
    expect(why(await rig.open())).toMatch(/not the key that trust.json names/);
    writeFileSync(at('authority-1.key'), key('p256'));
    expect(why(await rig.open())).toMatch(/does not belong to the certificate beside it/);
  });
});

/** Each key that is opened or closed costs scrypt its 0.2 s, more on a busy machine. */
const SLOW = { timeout: 60_000 };

describe('a passphrase', SLOW, () => {
  it('closes every key, in a form that others read as well', async () => {
    must(await rig.make(PASSPHRASE));
    const trust = must(await rig.open(PASSPHRASE));
    for (const name of SECRETS.filter((one) => one !== 'trust.json')) {
      const pem = readFileSync(at(name), 'utf8');
      expect(pem, name).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
      expect(pem).not.toContain('BEGIN PRIVATE KEY');
      createPrivateKey({ key: pem, passphrase: PASSPHRASE });
    }
    // What a listener is given is open.
    createPrivateKey(trust.server().key);
  });

  it('that is missing or wrong is one clear sentence', async () => {
    must(await rig.make(PASSPHRASE));
    expect(why(await rig.open())).toMatch(/is encrypted: .* TILLWATCH_PASSPHRASE_FILE$/);
    const sentence = why(await rig.open('wrong horse'));
    expect(sentence).toMatch(/^the passphrase does not open .*authority-1\.key$/);
  });

  it('that is wrong never opens a key by luck', () => {
    const pem = keyText(newKey('ed25519'), PASSPHRASE);
    for (const wrong of ['', 'a', `${PASSPHRASE} `, PASSPHRASE.toUpperCase()]) {
      expect(why(parseKey(pem, 'x.key', wrong))).toBe('the passphrase does not open x.key');
    }
  });

  it('comes from a file of its owner, then from systemd, then from the environment', () => {
    mkdirSync(rig.keysDir);
    const file = (name: string, text: string, mode = 0o600): string => {
      writeFileSync(at(name), text);
      chmodSync(at(name), mode);
      return at(name);
    };
    const named = file('named', 'from a file\n');
    file('passphrase', 'from systemd\n', 0o400);
    const env = {
      TILLWATCH_PASSPHRASE_FILE: named,
      CREDENTIALS_DIRECTORY: rig.keysDir,
      TILLWATCH_PASSPHRASE: 'from the environment',
    };
    expect(must(findPassphrase(env, file('given', 'given')))).toBe('given');
    expect(must(findPassphrase(env))).toBe('from a file');
    expect(must(findPassphrase({ ...env, TILLWATCH_PASSPHRASE_FILE: undefined }))).toBe(
      'from systemd',
    );
    expect(must(findPassphrase({ TILLWATCH_PASSPHRASE: 'here' }))).toBe('here');
    expect(must(findPassphrase({}))).toBeUndefined();
    file('named', 'one', 0o644);
    expect(why(findPassphrase(env))).toMatch(/may be read by others/);
    expect(why(findPassphrase({}, file('two', 'a\nb\n')))).toMatch(/on one line/);
    expect(why(findPassphrase({}, file('none', '')))).toMatch(/on one line/);
    expect(why(findPassphrase({}, at('gone')))).toMatch(/cannot be read \(ENOENT\)/);
  });
});

describe('an interrupted start', () => {
  it('is repeated from whatever it had written, and keeps it', async () => {
    const whole = must(await rig.make());
    const order = ['authority-1.key', 'authority-1.pem', 'command-1.key', 'audit.key'];
    for (let written = 0; written <= order.length; written += 1) {
      const keysDir = mkdtempSync(join(tmpdir(), 'tw-trust-cut-'));
      const kept = order.slice(0, written);
      for (const name of kept) copyFileSync(at(name), join(keysDir, name));
      // A kill leaves a half-written draft beside the last whole file.
      writeFileSync(join(keysDir, 'audit.key.4711.draft'), 'half');
      const nowMs = rig.nowMs();
      const made = must(await makeTrust({ keysDir, passphrase: undefined, nowMs }));
      for (const name of kept) {
        expect(readFileSync(join(keysDir, name))).toEqual(readFileSync(at(name)));
      }
      if (written >= 2) expect(made.fingerprint).toBe(whole.fingerprint);
      rmSync(keysDir, { recursive: true });
    }
  });

  it('that was whole is told from one that was not, and changes nothing', async () => {
    const first = must(await rig.make());
    expect(first.made).toBe(true);
    const before = readdirSync(rig.keysDir).map((name) => readFileSync(at(name), 'utf8'));
    const second = must(await rig.make());
    expect(second).toEqual({ ...first, made: false });
    expect(readdirSync(rig.keysDir).map((name) => readFileSync(at(name), 'utf8'))).toEqual(before);
  });

  it('before which nothing was made says what to do', async () => {
    mkdirSync(rig.keysDir, { mode: 0o700 });
    expect(why(await rig.open())).toMatch(/make one with "tillwatch broker init"/);
  });
});
