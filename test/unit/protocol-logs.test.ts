// Requests for logs and the chunks that answer them.

import { describe, expect, it } from 'vitest';
import { LOG_CHUNK_RAW_BYTES_MAX } from '../../protocol/limits.ts';
import {
  decodeLogChunk,
  decodeLogRequest,
  encodeLogChunk,
  encodeLogRequest,
  epochOfRequest,
  lastSeqOf,
  requestOfEpoch,
  seqOfChunk,
} from '../../protocol/logs.ts';

describe('log requests and chunks', () => {
  const request = '0b3f6f0e-5a8a-4f3c-9a51-0a4a9a3a7f10';
  it('come back as they were', () => {
    const asked = { request, components: ['sale'], sinceMs: 1, untilMs: 2, bytesMax: 3 };
    expect(decodeLogRequest(encodeLogRequest(asked))).toEqual({ ok: true, value: asked });
    const chunk = {
      request,
      component: 'sale',
      offset: 0,
      body: Buffer.from('a line\n'),
      last: true,
      sha256: Buffer.alloc(32),
      redactor: 'r/1',
      lines: 1,
      redactions: 0,
      truncated: true,
      fromMs: 7,
    };
    expect(decodeLogChunk(encodeLogChunk(chunk))).toEqual({ ok: true, value: chunk });
    const several = { ...chunk, component: '' };
    expect(decodeLogChunk(encodeLogChunk(several))).toMatchObject({ ok: true });
    const large = { ...chunk, body: Buffer.alloc(LOG_CHUNK_RAW_BYTES_MAX + 1) };
    expect(decodeLogChunk(encodeLogChunk(large))).toMatchObject({ ok: false });
  });
  it('count their bytes from 1, and the end as one more', () => {
    expect(requestOfEpoch(epochOfRequest(request))).toBe(request);
    expect(epochOfRequest(request)).toHaveLength(16);
    const chunk = { offset: 10, body: Buffer.from('abc'), last: false };
    expect([seqOfChunk(chunk), lastSeqOf(chunk)]).toEqual([11, 13]);
    expect(lastSeqOf({ ...chunk, last: true })).toBe(14);
  });
  it('that end before they begin, or name no request, are refused', () => {
    const asked = { request, components: [], sinceMs: 5, untilMs: 2, bytesMax: 3 };
    expect(decodeLogRequest(encodeLogRequest(asked)).ok).toBe(false);
    expect(decodeLogRequest(encodeLogRequest({ ...asked, request: '../x' })).ok).toBe(false);
  });
});
