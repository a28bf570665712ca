// Where a token goes that was given at the start: into the identity folder, from where the running agent takes it, so that
// a restart before the broker was reached loses nothing. It is taken off the process's arguments at once, because those
// are there for every user of the machine to read [proc(5)].

import { readSync } from 'node:fs';
import { join } from 'node:path';
import { isatty } from 'node:tty';
import type { AgentConfig } from '../../configuration/config.ts';
import { parseToken } from '../../protocol/enrolment.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { FILES } from '../identity/record.ts';
import { codeOf } from './files.ts';
import { makeIdentityFolder, writeSecret } from './identity-folder.ts';

/** libuv writes it over the arguments and zeroes what is left of them. */
export function hideArguments(title: string): void {
  process.title = title;
}

const STANDARD_INPUT = '-';
const TOKEN_CHARS_MAX = 4_000;

/** To the end of the line, or of the input: whoever types a token does not end it. */
function readLine(): string {
  const byte = Buffer.alloc(1);
  let text = '';
  while (text.length < TOKEN_CHARS_MAX && readSync(0, byte, 0, 1, null) === 1) {
    const char = byte.toString('latin1');
    if (char === '\n' && text.trim() !== '') break;
    text += char;
  }
  return text;
}

/** @param token itself, or `-`: it comes on standard input. */
export function readToken(token: string): Result<string> {
  if (token !== STANDARD_INPUT) return ok(token);
  if (isatty(0)) process.stderr.write('token: ');
  try {
    return ok(readLine());
  } catch (error) {
    return fail(`the token cannot be read from standard input (${codeOf(error)})`);
  }
}

/** @param given the token itself, or `-`: it comes on standard input. */
export function placeToken(
  { broker, terminal, identityDir }: Pick<AgentConfig, 'broker' | 'terminal' | 'identityDir'>,
  given: string,
): Result<void> {
  if (broker.plainText) {
    return fail('with broker.plainText there is nothing to enrol for: take it out of the file');
  }
  const text = readToken(given);
  if (!text.ok) return text;
  const token = parseToken(text.value);
  if (!token.ok) return token;
  if (token.value.terminal !== terminal) {
    return fail(`the token is for ${token.value.terminal}, and this is ${terminal}`);
  }
  const made = makeIdentityFolder(identityDir);
  return made.ok ? writeSecret(join(identityDir, FILES.token), `${text.value.trim()}\n`) : made;
}
