// Where a token goes that was given at the start: into the identity folder, from where the running agent takes it, so that
// a restart before the broker was reached loses nothing. It is taken off the process's arguments at once, because those
// are there for every user of the machine to read [proc(5)].

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseToken } from '../../protocol/enrolment.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { AgentConfig } from '../config.ts';
import { FILES } from '../identity/record.ts';
import { codeOf } from './files.ts';
import { makeIdentityFolder, writeSecret } from './identity-folder.ts';

/** libuv writes it over the arguments and zeroes what is left of them. */
export function hideArguments(title: string): void {
  process.title = title;
}

const STANDARD_INPUT = '-';

function read(token: string): Result<string> {
  if (token !== STANDARD_INPUT) return ok(token);
  try {
    return ok(readFileSync(0, 'utf8'));
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
  const text = read(given);
  if (!text.ok) return text;
  const token = parseToken(text.value);
  if (!token.ok) return token;
  if (token.value.terminal !== terminal) {
    return fail(`the token is for ${token.value.terminal}, and this is ${terminal}`);
  }
  const made = makeIdentityFolder(identityDir);
  return made.ok ? writeSecret(join(identityDir, FILES.token), `${text.value.trim()}\n`) : made;
}
