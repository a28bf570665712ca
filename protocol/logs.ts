// A request for log lines and the chunks that answer it. Chunks are made again from the journal by
// (request, offset), so they need no place in outbox or ledger.

import { isId, UUID_PATTERN } from './ids.ts';
import * as limits from './limits.ts';
import { fail, ok, type Result } from './result.ts';
import { bytes, decodeRaw, encodeRaw, list, num, text } from './wire.ts';

export type LogRequest = {
  readonly request: string;
  readonly components: readonly string[];
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly bytesMax: number;
};

export type LogChunk = {
  readonly request: string;
  readonly component: string;
  readonly offset: number;
  readonly body: Uint8Array;
  readonly last: boolean;
  readonly sha256: Uint8Array;
};

export const encodeLogRequest = (request: LogRequest): Uint8Array =>
  encodeRaw('LogRequest', request);
export const encodeLogChunk = (chunk: LogChunk): Uint8Array => encodeRaw('LogChunk', chunk);

export function decodeLogRequest(data: Uint8Array): Result<LogRequest> {
  const decoded = decodeRaw('LogRequest', data, limits.COMMAND_BYTES_MAX);
  if (!decoded.ok) return decoded;
  const raw = decoded.value;
  const request = {
    request: text(raw['request']),
    components: (list(raw['components']) as readonly unknown[]).map(text),
    sinceMs: num(raw['sinceMs']),
    untilMs: num(raw['untilMs']),
    bytesMax: num(raw['bytesMax']),
  };
  if (!UUID_PATTERN.test(request.request)) return fail('log request has no valid id');
  if (!request.components.every(isId)) return fail('log request names an invalid component');
  if (request.untilMs < request.sinceMs) return fail('log request ends before it begins');
  return ok(request);
}

export function decodeLogChunk(data: Uint8Array): Result<LogChunk> {
  const decoded = decodeRaw('LogChunk', data, limits.BATCH_BYTES_MAX);
  if (!decoded.ok) return decoded;
  const raw = decoded.value;
  const chunk = {
    request: text(raw['request']),
    component: text(raw['component']),
    offset: num(raw['offset']),
    body: bytes(raw['body']),
    last: raw['last'] === true,
    sha256: bytes(raw['sha256']),
  };
  if (!UUID_PATTERN.test(chunk.request)) return fail('log chunk names no request');
  if (!isId(chunk.component)) return fail('log chunk names no component');
  if (!Number.isSafeInteger(chunk.offset) || chunk.offset < 0)
    return fail('log chunk has no offset');
  if (chunk.body.length > limits.LOG_CHUNK_BYTES_MAX) return fail('log chunk is too large');
  return ok(chunk);
}
