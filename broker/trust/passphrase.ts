// Where the passphrase of the keys comes from: a file that the service manager or a person provides, the environment,
// or a person at a terminal. Never an argument: every user of a machine can read those. The environment is the last
// choice, because children inherit it.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { isEncrypted } from './key-files.ts';

const CHARS_MAX = 1_000;
/** For a new one: with scrypt in front, twelve characters that nobody guesses are enough. */
export const PASSPHRASE_CHARS_MIN = 12;
const OTHERS = 0o077;

export type Environment = Readonly<Record<string, string | undefined>>;

function readFrom(path: string): Result<string> {
  try {
    const stats = statSync(path);
    // A pipe (`--passphrase-file <(pass show till)`) has no readers but us.
    if (stats.isFile() && (stats.mode & OTHERS) !== 0) {
      return fail(
        `${path} may be read by others: run chmod 600 on it, and choose another passphrase`,
      );
    }
    const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    if (text === '' || text.length > CHARS_MAX || text.includes('\n')) {
      return fail(`${path} must hold one passphrase on one line`);
    }
    return ok(text);
  } catch (cause) {
    const { code = 'no reason given' } = cause as NodeJS.ErrnoException;
    return fail(`the passphrase in ${path} cannot be read (${code})`);
  }
}

/** @returns undefined when nobody provided one, which is right for keys without. */
export function findPassphrase(env: Environment, file?: string): Result<string | undefined> {
  const named = file ?? env['TILLWATCH_PASSPHRASE_FILE'];
  if (named !== undefined && named !== '') return readFrom(named);
  // systemd: LoadCredential=passphrase:... or LoadCredentialEncrypted= [systemd.exec(5)].
  const folder = env['CREDENTIALS_DIRECTORY'];
  const credential = folder && join(folder, 'passphrase');
  if (credential && existsSync(credential)) return readFrom(credential);
  const direct = env['TILLWATCH_PASSPHRASE'];
  return ok(direct === '' ? undefined : direct);
}

/** One line from a terminal that is not echoed. @returns a sentence when there is no terminal. */
export function askPassphrase(question: string): Promise<Result<string>> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) return Promise.resolve(fail('there is no terminal to type a passphrase on'));
  // First silent, then the question: whoever pastes is quick.
  stdin.setRawMode(true);
  stderr.write(question);
  return new Promise((resolve) => {
    let typed = '';
    const end = (result: Result<string>): void => {
      stdin.off('data', take);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
      resolve(result);
    };
    const take = (chunk: Buffer): void => {
      for (const char of chunk.toString('utf8')) {
        if (char === '\r' || char === '\n') {
          end(ok(typed));
          return;
        }
        if (char === '\u0003' || char === '\u0004') {
          end(fail('no passphrase was typed'));
          return;
        }
        if (char === '\u007f' || char === '\b') typed = typed.slice(0, -1);
        else if (typed.length < CHARS_MAX) typed += char;
      }
    };
    stdin.on('data', take);
    stdin.resume();
  });
}

/** Whether the keys there want one. */
function wantsOne(keysDir: string): boolean {
  try {
    const keys = readdirSync(keysDir).filter((name) => name.endsWith('.key'));
    return keys.some((name) => isEncrypted(readFileSync(join(keysDir, name), 'utf8')));
  } catch {
    // Whoever reads the keys says what is wrong with them.
    return false;
  }
}

/** For keys that are there: asks only when they want one, nobody provided it and somebody can type. */
export function findOrAsk(
  env: Environment,
  keysDir: string,
  file?: string,
): Promise<Result<string | undefined>> {
  const found = findPassphrase(env, file);
  const isAsked = found.ok && found.value === undefined;
  if (!isAsked || !process.stdin.isTTY || !wantsOne(keysDir)) return Promise.resolve(found);
  return askPassphrase(`passphrase of the keys in ${keysDir}: `);
}

/** For a new passphrase: twice, because nobody can open the keys after a slip. */
export async function askNewPassphrase(): Promise<Result<string>> {
  const first = await askPassphrase('passphrase for the keys: ');
  if (!first.ok) return first;
  const again = await askPassphrase('the same again: ');
  if (!again.ok) return again;
  return first.value === again.value ? first : fail('the two passphrases are not the same');
}

export const checkNewPassphrase = (passphrase: string | undefined): Result<void> =>
  passphrase === undefined || passphrase.length >= PASSPHRASE_CHARS_MIN
    ? ok(undefined)
    : fail(`a passphrase has at least ${PASSPHRASE_CHARS_MIN} characters`);
