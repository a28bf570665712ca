// `tillwatch enroll`: a token that lets one terminal in, once and for minutes, with what to type at that terminal; or one
// for each row of a file. The file's tokens go into another file, for its owner alone, because a screen of a hundred
// tokens is photographed and a printout is left lying.

import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { parseId } from '../../protocol/ids.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { age, plural } from '../screen.ts';
import { allTerminals } from '../terminals.ts';
import { type Row, readRows } from './enroll-file.ts';

export type Token = {
  readonly token: string;
  readonly terminal: string;
  readonly store: string;
  readonly expiresMs: number;
};
export type EnrolWish = {
  readonly terminal?: string | undefined;
  readonly store?: string | undefined;
  readonly file?: string | undefined;
  /** Every planned terminal that has no certificate yet. */
  readonly planned?: boolean | undefined;
  readonly out?: string | undefined;
  readonly minutes?: string | undefined;
  readonly again: boolean;
  readonly reason: string;
};

const AT_THE_TILL = 'tillwatch join';
const OWNER_ONLY = 0o600;
/** As many as the broker makes at once (broker/identity/tokens.ts). */
const TOKENS_PER_REQUEST = 1_000;

export function tokenLines({ terminal, store, token, expiresMs }: Token, now: number): string[] {
  return [
    `The token of ${terminal} in ${store}. It is good once, for ${age(expiresMs - now)}:`,
    '',
    token,
    '',
    `On ${terminal}, where it is asked for:`,
    `  ${AT_THE_TILL}`,
  ];
}

/** @returns minutes, or what is wrong with them. */
function minutesOf(text: string | undefined): number | undefined | string {
  if (text === undefined) return undefined;
  const minutes = Number(text);
  if (/^\d{1,5}$/.test(text) && minutes >= 1) return minutes;
  return `--minutes "${text.slice(0, 20)}": a whole number, at least 1`;
}

type Common = {
  readonly minutes: number | undefined;
  readonly again: boolean;
  readonly reason: string;
};

async function enrolOne(
  context: Context,
  { terminal, store }: EnrolWish,
  common: Common,
): Promise<Outcome> {
  if (terminal === undefined || store === undefined) {
    return ended(EXIT.usage, 'say --store and --terminal, or --file with many of them');
  }
  for (const id of [parseId('terminal', terminal), parseId('store', store)]) {
    if (!id.ok) return ended(EXIT.usage, id.reason);
  }
  const path = `/api/v1/terminals/${terminal}/token`;
  const reply = await context.client.post<Token>(path, { store, ...common });
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (context.json) printJson(context, reply.value);
  else for (const line of tokenLines(reply.value, context.nowMs())) context.print(line);
  return done;
}

/** stores.csv becomes stores.tokens.csv beside it. */
const outOf = (file: string): string =>
  join(dirname(file), `${basename(file, extname(file))}.tokens.csv`);

function writeTokens(file: number, tokens: readonly Token[]): void {
  const rows = tokens.map(({ terminal, store, expiresMs, token }) =>
    [terminal, store, new Date(expiresMs).toISOString(), token].join(','),
  );
  writeSync(file, `${['terminal,store,until,token', ...rows].join('\n')}\n`);
  fsyncSync(file);
}

/** Rows of a file, or of the plan. */
async function rowsOf(context: Context, { file, store }: EnrolWish): Promise<Rows> {
  if (file === undefined) return await plannedRows(context, store);
  try {
    const rows = readRows(readFileSync(file, 'utf8'), extname(file));
    return rows.ok ? rows : { ok: false, end: ended(EXIT.usage, rows.reason) };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    return { ok: false, end: ended(EXIT.usage, `${file} cannot be read (${code})`) };
  }
}

type Rows =
  | { readonly ok: true; readonly value: readonly Row[] }
  | { readonly ok: false; readonly end: Outcome };

async function plannedRows({ client }: Context, store: string | undefined): Promise<Rows> {
  const all = await allTerminals(client);
  if (!all.ok) return { ok: false, end: ended(all.exit, all.sentence) };
  const value = all.value
    .filter(({ identity }) => identity === undefined || identity.state === 'new')
    .filter((one) => store === undefined || one.store === store)
    .map((one) => ({ terminal: one.id, store: one.store }));
  if (value.length > 0) return { ok: true, value };
  const where = store === undefined ? 'in this fleet' : `in ${store}`;
  const why = `no planned terminal ${where} waits for a certificate`;
  return { ok: false, end: ended(EXIT.failed, why) };
}

async function enrolMany(context: Context, wish: EnrolWish, common: Common): Promise<Outcome> {
  const { file, out = outOf(file ?? 'planned.csv') } = wish;
  const rows = await rowsOf(context, wish);
  if (!rows.ok) return rows.end;
  let handle: number;
  try {
    // Before any token is made, and never over another file.
    handle = openSync(out, 'wx', OWNER_ONLY);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? 'is there already: say another one with --out' : `(${code})`;
    return ended(EXIT.failed, `${out} cannot be written: it ${why}`);
  }
  try {
    const tokens: Token[] = [];
    for (let at = 0; at < rows.value.length; at += TOKENS_PER_REQUEST) {
      const terminals = rows.value.slice(at, at + TOKENS_PER_REQUEST);
      const reply = await makeTokens(context, { terminals, ...common });
      if (!reply.ok) {
        rmSync(out, { force: true });
        return ended(reply.exit, reply.sentence);
      }
      tokens.push(...reply.value.tokens);
    }
    writeTokens(handle, tokens);
    if (context.json) printJson(context, { file: out, tokens: tokens.length });
    else {
      context.print(`${plural(tokens.length, 'token')} in ${out}, which only you can read.`);
      context.print(`On each terminal, where its token is asked for:\n  ${AT_THE_TILL}`);
    }
    return done;
  } finally {
    closeSync(handle);
  }
}

const makeTokens = (context: Context, body: object) =>
  context.client.post<{ tokens: readonly Token[] }>('/api/v1/tokens', body);

export async function runEnroll(context: Context, wish: EnrolWish): Promise<Outcome> {
  const minutes = minutesOf(wish.minutes);
  if (typeof minutes === 'string') return ended(EXIT.usage, minutes);
  const common = { minutes, again: wish.again, reason: wish.reason };
  const isPlanned = wish.planned === true;
  if (wish.file === undefined && !isPlanned) return await enrolOne(context, wish, common);
  const isBoth = isPlanned ? wish.file !== undefined : wish.store !== undefined;
  if (wish.terminal !== undefined || isBoth) {
    return ended(EXIT.usage, 'say --file, --planned, or --store and --terminal: one of them');
  }
  return await enrolMany(context, wish, common);
}
