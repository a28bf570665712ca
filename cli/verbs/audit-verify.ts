// `tillwatch audit verify` and `audit export`: both read the whole log, the first to prove it here, with a key that
// somebody kept, and not at the broker, who would be asked to testify for himself. A file is read line by line and
// never whole; a copy of the registry is opened without changing a byte of it.

import { createWriteStream, existsSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type AuditHead, type AuditProof, readHead } from '../../protocol/audit.ts';
import { createExportCheck } from '../../protocol/audit-export.ts';
import { parsePublicKey } from '../../protocol/commands.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import type { Operator } from '../operator.ts';
import { plural, tame } from '../screen.ts';
import { ask, readAll } from '../transport.ts';
import { whyUnreachable } from '../unreachable.ts';

const ANSWER_MS_MAX = 15 * 60_000;
const REFUSAL_BYTES_MAX = 64 * 1024;
const SECRET_MODE = 0o600;
/** How every SQLite file begins [sqlite.org/fileformat2 1.3]. */
const SQLITE_MAGIC = 'SQLite format 3\0';

export type VerifyWish = {
  /** Texts, or files with one. */
  readonly keys: readonly string[];
  readonly head: string | undefined;
};
type Printer = Pick<Context, 'print' | 'json'>;
type Trusted = { readonly keys: readonly string[]; readonly kept: AuditHead | undefined };

function readSmall(path: string): Result<string> {
  try {
    return ok(readFileSync(path, 'utf8'));
  } catch (cause) {
    return fail(`${path} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? 'no reason'}`);
  }
}

function readTrusted({ keys, head }: VerifyWish): Result<Trusted> {
  const known: string[] = [];
  for (const one of keys) {
    const text = one.startsWith('ed25519:') ? ok(one) : readSmall(one);
    if (!text.ok) return text;
    const key = parsePublicKey(text.value.trim());
    if (!key.ok) return fail(`--key ${one.slice(0, 80)}: ${key.reason}`);
    known.push(text.value.trim());
  }
  if (head === undefined) return ok({ keys: known, kept: undefined });
  const text = readSmall(head);
  if (!text.ok) return text;
  const kept = readHead(text.value);
  return kept.ok ? ok({ keys: known, kept: kept.value }) : fail(`${head}: ${kept.reason}`);
}

function tell(printer: Printer, proof: AuditProof, keys: readonly string[]): Outcome {
  const { entries, id, hash, problems, notes } = proof;
  const isWhole = problems.length === 0;
  if (printer.json)
    printJson(printer, { whole: isWhole, entries, id, hash, problems, notes, keys });
  else {
    for (const note of notes) printer.print(`note: ${tame(note)}`);
    for (const { sentence } of problems) printer.print(`changed: ${tame(sentence)}`);
    if (isWhole) {
      printer.print(`whole: ${entries} entries, the newest is ${id} (${hash})`);
      printer.print(`signed with ${keys.join(', ')}`);
    }
  }
  return isWhole ? done : ended(EXIT.failed, 'the audit log was changed');
}

async function checkLines(lines: Readable, { keys, kept }: Trusted): Promise<Result<AuditProof>> {
  const check = createExportCheck(keys, kept);
  for await (const line of createInterface({ input: lines, crlfDelay: Number.POSITIVE_INFINITY })) {
    const taken = check.take(line);
    if (!taken.ok) return taken;
  }
  return check.end();
}

async function isSqlite(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(SQLITE_MAGIC.length));
    return buffer.toString('latin1', 0, bytesRead) === SQLITE_MAGIC;
  } finally {
    await file.close();
  }
}

export async function runVerifyFile(
  path: string,
  wish: VerifyWish,
  printer: Printer,
): Promise<Outcome> {
  const trusted = readTrusted(wish);
  if (!trusted.ok) return ended(EXIT.usage, trusted.reason);
  if (wish.keys.length === 0) {
    return ended(EXIT.usage, 'say with --key whose signature counts: what stands in audit-key.pub');
  }
  if (!existsSync(path)) return ended(EXIT.usage, `${path} is not there`);
  try {
    const { keys } = trusted.value;
    const file = (await isSqlite(path))
      ? (await import('../../broker/audit-file.ts')).checkAuditFile(path, trusted.value)
      : await checkLines((await open(path)).createReadStream(), trusted.value);
    return file.ok ? tell(printer, file.value, keys) : ended(EXIT.failed, file.reason);
  } catch (cause) {
    return ended(EXIT.usage, `${path} cannot be read: ${(cause as Error).message}`);
  }
}

/** @returns the export as it comes, or how the question ended. */
async function askExport(operator: Operator): Promise<IncomingMessage | Outcome> {
  const { url, token, authority } = operator;
  try {
    const answer = await ask({
      ...{ url: `${url}/api/v1/audit/export`, method: 'GET', authority },
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    if (answer.statusCode === 200) return answer;
    const text = (await readAll(answer, REFUSAL_BYTES_MAX)).toString();
    const detail = /"detail":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? `status ${answer.statusCode}`;
    const isDenied = answer.statusCode === 401 || answer.statusCode === 403;
    return ended(isDenied ? EXIT.denied : EXIT.failed, tame(detail));
  } catch (error) {
    return whyUnreachable(error, operator);
  }
}

export async function runVerifyBroker(
  context: Context,
  operator: Operator,
  wish: VerifyWish,
): Promise<Outcome> {
  const trusted = readTrusted(wish);
  if (!trusted.ok) return ended(EXIT.usage, trusted.reason);
  let { keys } = trusted.value;
  if (keys.length === 0) {
    // The broker's own word on whose signature counts: enough against whoever has only its files.
    const head = await context.client.get<AuditHead>('/api/v1/audit/head', ['key']);
    if (!head.ok) return ended(head.exit, head.sentence);
    keys = [head.value.key];
  }
  const answer = await askExport(operator);
  if ('exit' in answer) return answer;
  try {
    const proof = await checkLines(answer, { ...trusted.value, keys });
    return proof.ok ? tell(context, proof.value, keys) : ended(EXIT.failed, proof.reason);
  } catch (cause) {
    return ended(EXIT.unavailable, `the export broke off: ${(cause as Error).message}`);
  }
}

export async function runExport(
  context: Context,
  operator: Operator,
  out: string | undefined,
): Promise<Outcome> {
  if (out === undefined || out === '') return ended(EXIT.usage, 'say with --out which file');
  if (existsSync(out)) return ended(EXIT.usage, `${out} is there already`);
  const answer = await askExport(operator);
  if ('exit' in answer) return answer;
  let bytes = 0;
  answer.on('data', (part: Buffer) => {
    bytes += part.length;
  });
  try {
    await pipeline(answer, createWriteStream(out, { flags: 'wx', mode: SECRET_MODE }));
  } catch (cause) {
    rmSync(out, { force: true });
    return ended(EXIT.failed, `${out} could not be written: ${(cause as Error).message}`);
  }
  if (context.json) printJson(context, { file: out, bytes });
  else context.print(`${out}: ${plural(bytes, 'byte')}, readable by you alone`);
  return done;
}
