// A request for log lines and the chunks that answer it. Chunks are made again from the journal by
// (request, offset), so they need no place in outbox or ledger. They travel in the same envelope as
// everything else and are acknowledged by the same message, with one rule of their own: the epoch is
// the request, and seq counts its bytes, from 1, as TCP does; the end of the answer counts as one
// byte more. So an acknowledgement `1 to n` says exactly what lies on the broker's disk, stays true
// whatever process asks and however its chunks are cut, and tells an agent that was killed where to go
// on. A count of chunks would name different bytes after a restart.

import * as v from 'valibot';
import { catalogue } from './catalogue.ts';
import type { Command } from './commands.ts';
import { isId, UUID_PATTERN } from './ids.ts';
import * as limits from './limits.ts';
import { fail, ok, type Result } from './result.ts';
import { bytes, decodeRaw, encodeRaw, list, num, text } from './wire.ts';

export type LogRequest = Extract<Command, { kind: 'logs' }>['arguments'];

export type LogChunk = {
  readonly request: string;
  /** Empty when lines of several are in it. */
  readonly component: string;
  readonly offset: number;
  readonly body: Uint8Array;
  readonly last: boolean;
  readonly sha256: Uint8Array;
  /** Which redactor the lines have passed. */
  readonly redactor: string;
  readonly lines: number;
  readonly redactions: number;
  readonly truncated: boolean;
  readonly fromMs: number;
};

/** A request's id as the epoch of its chunks: a uuid is 16 bytes. */
export const epochOfRequest = (request: string): Uint8Array =>
  Buffer.from(request.replaceAll('-', ''), 'hex');

export const requestOfEpoch = (epoch: Uint8Array): string =>
  Buffer.from(epoch)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/** The number of a chunk's first byte. */
export const seqOfChunk = ({ offset }: Pick<LogChunk, 'offset'>): number => offset + 1;

/** The number of the last byte that a chunk brings; the end counts as one. */
export const lastSeqOf = (chunk: {
  readonly offset: number;
  readonly body: { readonly length: number };
  readonly last: boolean;
}): number => chunk.offset + chunk.body.length + (chunk.last ? 1 : 0);

export const encodeLogRequest = (request: LogRequest): Uint8Array =>
  encodeRaw('LogRequest', request);
export const encodeLogChunk = (chunk: LogChunk): Uint8Array => encodeRaw('LogChunk', chunk);

export function decodeLogRequest(data: Uint8Array): Result<LogRequest> {
  const decoded = decodeRaw('LogRequest', data, limits.COMMAND_BYTES_MAX);
  if (!decoded.ok) return decoded;
  const raw = decoded.value;
  const checked = v.safeParse(catalogue.logs.arguments, {
    request: text(raw['request']),
    components: (list(raw['components']) as readonly unknown[]).map(text),
    sinceMs: num(raw['sinceMs']),
    untilMs: num(raw['untilMs']),
    bytesMax: num(raw['bytesMax']),
  });
  return checked.success ? ok(checked.output) : fail(`log request: ${checked.issues[0].message}`);
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** @param data the batch's body, unpacked. */
export function decodeLogChunk(data: Uint8Array): Result<LogChunk> {
  const decoded = decodeRaw('LogChunk', data, limits.BODY_BYTES_MAX);
  if (!decoded.ok) return decoded;
  const raw = decoded.value;
  const chunk = {
    request: text(raw['request']),
    component: text(raw['component']),
    offset: num(raw['offset']),
    body: bytes(raw['body']),
    last: raw['last'] === true,
    sha256: bytes(raw['sha256']),
    redactor: text(raw['redactor']),
    lines: num(raw['lines']),
    redactions: num(raw['redactions']),
    truncated: raw['truncated'] === true,
    fromMs: num(raw['fromMs']),
  };
  if (!UUID_PATTERN.test(chunk.request)) return fail('log chunk names no request');
  if (chunk.component !== '' && !isId(chunk.component)) {
    return fail('log chunk names no valid component');
  }
  if (![chunk.offset, chunk.lines, chunk.redactions, chunk.fromMs].every(isCount)) {
    return fail('log chunk holds a count that is none');
  }
  if (chunk.body.length > limits.LOG_CHUNK_RAW_BYTES_MAX) return fail('log chunk is too large');
  if (chunk.redactor.length > limits.NAME_CHARS_MAX) return fail('log chunk names no redactor');
  return ok(chunk);
}
