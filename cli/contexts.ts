// Fleets that somebody has signed in to, in one file of their own: where each broker is, which authority it is believed
// by, who one is there, and the session. The file holds sessions, so it is for its owner only; one that others may read
// is refused, not repaired, because somebody may have read it. Written whole or not at all.

import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import * as v from 'valibot';
import { fail, ok, type Result } from '../protocol/result.ts';

const OTHERS = 0o077;
export const CONTEXTS_MAX = 100;
const PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/;
const RULE = 'use 1 to 64 letters, digits and "._:-", beginning with a letter or a digit';

const contextSchema = v.object({
  url: v.string(),
  /** PEM of the authorities that are believed; undefined: those that this machine knows. */
  authority: v.optional(v.string()),
  operator: v.string(),
  session: v.optional(v.string()),
  endsMs: v.optional(v.number()),
});
const fileSchema = v.object({
  current: v.optional(v.string()),
  contexts: v.record(v.pipe(v.string(), v.regex(PATTERN)), contextSchema),
});

export type FleetContext = v.InferOutput<typeof contextSchema>;
export type Contexts = v.InferOutput<typeof fileSchema>;

export const isContextName = (text: string): boolean => PATTERN.test(text);
export const parseContextName = (text: string): Result<string> =>
  PATTERN.test(text)
    ? ok(text)
    : fail(`${JSON.stringify(text.slice(0, 64))} is not the name of a context: ${RULE}`);

/** As the XDG base directory specification says: a relative path is ignored. */
export function contextsFile(env: NodeJS.ProcessEnv): string {
  const given = env['XDG_CONFIG_HOME'];
  const base = given && isAbsolute(given) ? given : join(env['HOME'] || homedir(), '.config');
  return join(base, 'tillwatch', 'contexts.json');
}

export function readContexts(env: NodeJS.ProcessEnv): Result<Contexts> {
  const path = contextsFile(env);
  try {
    const { mode } = statSync(path);
    if ((mode & OTHERS) !== 0) {
      const shown = (mode & 0o777).toString(8);
      return fail(
        `${path} may be read by others (mode ${shown}): sign out or delete it, or run chmod 600 ` +
          'on it if you know that nobody did',
      );
    }
    return ok(v.parse(fileSchema, JSON.parse(readFileSync(path, 'utf8'))));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return ok({ contexts: {} });
    const why = code ?? 'it is not what tillwatch login writes';
    return fail(`${path} cannot be read (${why}): delete it and sign in again`);
  }
}

/** @throws when the disk says no. */
function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.draft`;
  rmSync(draft, { force: true });
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
}

export function writeContexts(env: NodeJS.ProcessEnv, contexts: Contexts): Result<void> {
  const path = contextsFile(env);
  if (Object.keys(contexts.contexts).length > CONTEXTS_MAX) {
    return fail(`${path} would hold more than ${CONTEXTS_MAX} contexts: sign out of some first`);
  }
  try {
    writeWhole(path, `${JSON.stringify(contexts, undefined, 2)}\n`);
    return ok(undefined);
  } catch (error) {
    return fail(`${path} cannot be written: ${(error as Error).message}`);
  }
}

/** Reads, changes and writes it; what another run wrote in between is not lost by much. */
export function changeContexts(
  env: NodeJS.ProcessEnv,
  change: (contexts: Contexts) => Contexts,
): Result<void> {
  const before = readContexts(env);
  return before.ok ? writeContexts(env, change(before.value)) : before;
}
