// `tillwatch join` on a till: the first start of a machine that belongs to nobody yet. The token of `tillwatch enroll`
// says which terminal this is, so the till's own file can be written from it: who it is and where its folders are,
// nothing else, because everything else comes from the centre. Whose the data folder is gets the secrets, so that an
// agent that is not root can read them. A file that is there is kept, and has to name the same terminal.

import { existsSync, lchownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';

export type JoinWish = {
  /** `-`: it is asked for, or comes on standard input. */
  readonly token: string;
  readonly config: string;
  readonly dataDir: string;
  readonly runDir: string;
  readonly proxy: string | undefined;
  readonly json: boolean;
  readonly print: (line: string) => unknown;
};

const FILE_MODE = 0o644;
const FOLDER_MODE = 0o700;

export const ownFile = ({ dataDir, runDir, proxy }: JoinWish, terminal: string): string =>
  [
    '# What this till knows by itself. Everything else comes from the centre: tillwatch config.',
    `terminal: ${terminal}`,
    `dataDir: ${JSON.stringify(dataDir)}`,
    `runDir: ${JSON.stringify(runDir)}`,
    ...(proxy === undefined ? [] : [`broker: { proxy: ${JSON.stringify(proxy)} }`]),
    '',
  ].join('\n');

type Owner = { readonly uid: number; readonly gid: number };

/**
 * As root for another user's agent: done as that user, so that what is made is that user's and no link in a folder that
 * is not root's leads root anywhere.
 */
function asOwner<T>({ uid, gid }: Owner, work: () => T): T {
  if (process.geteuid?.() !== 0 || uid === 0) return work();
  const ownGid = process.getegid?.() ?? 0;
  process.setegid?.(gid);
  process.seteuid?.(uid);
  try {
    return work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(ownGid);
  }
}

function writeOwnFile(wish: JoinWish, terminal: string): Result<boolean> {
  const { config } = wish;
  if (existsSync(config)) return ok(false);
  mkdirSync(dirname(config), { recursive: true });
  writeFileSync(config, ownFile(wish, terminal), { mode: FILE_MODE, flag: 'wx' });
  return ok(true);
}

type Joined = { readonly terminal: string; readonly config: string; readonly written: boolean };

async function become(wish: JoinWish): Promise<Result<Joined>> {
  const { placeToken, readToken } = await import('../../agent/system/token-file.ts');
  const { parseToken } = await import('../../protocol/enrolment.ts');
  const { formatProblem, loadConfig } = await import('../../configuration/config.ts');
  const text = readToken(wish.token);
  if (!text.ok) return text;
  const token = parseToken(text.value);
  if (!token.ok) return token;
  const { terminal } = token.value;
  const written = writeOwnFile(wish, terminal);
  if (!written.ok) return written;
  const loaded = loadConfig(readFileSync(wish.config, 'utf8'), dirname(resolve(wish.config)));
  if (!loaded.ok) return fail(`${wish.config}: ${loaded.problems.map(formatProblem).join('; ')}`);
  const { dataDir, identityDir } = loaded.config;
  mkdirSync(dataDir, { recursive: true, mode: FOLDER_MODE });
  const owner = statSync(dataDir);
  // One of a name of its own is in a folder that only root may write; below the data it is the agent's.
  const isBelow = resolve(identityDir).startsWith(`${resolve(dataDir)}/`);
  if (!isBelow) mkdirSync(identityDir, { recursive: true, mode: FOLDER_MODE });
  if (!isBelow && process.geteuid?.() === 0) lchownSync(identityDir, owner.uid, owner.gid);
  const placed = asOwner(owner, () => placeToken(loaded.config, text.value));
  if (!placed.ok) return placed;
  return ok({ terminal, config: wish.config, written: written.value });
}

const linesOf = ({ terminal, config, written }: Joined): readonly string[] => [
  written ? `${config} is written: this is ${terminal}.` : `This is ${terminal}.`,
  'Its token is kept until the agent has used it, once; the agent does the rest when it starts.',
];

export async function runJoin(wish: JoinWish): Promise<Outcome> {
  try {
    const joined = await become(wish);
    if (!joined.ok) return ended(EXIT.usage, joined.reason);
    if (wish.json) wish.print(JSON.stringify(joined.value));
    else for (const line of linesOf(joined.value)) wish.print(line);
    return done;
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === undefined || path === undefined) throw error;
    return ended(EXIT.failed, `${path} cannot be written (${code}): run it as root`);
  }
}
