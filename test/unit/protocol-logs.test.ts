// The chunks that answer requests for logs, and what their bytes are.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LOG_LEVELS } from '../../protocol/catalogue.ts';
import { LOG_CHUNK_RAW_BYTES_MAX } from '../../protocol/limits.ts';
import { createSplitter, formatRecord, isAtLeast, parseRecord } from '../../protocol/log-lines.ts';
import {
  decodeLogChunk,
  encodeLogChunk,
  epochOfRequest,
  lastSeqOf,
  type NewLogChunk,
  requestOfEpoch,
  seqOfChunk,
} from '../../protocol/logs.ts';
import { encodeRaw } from '../../protocol/wire.ts';

const NOON = Date.UTC(2026, 10, 23, 12);

describe('chunks of logs', () => {
  const request = '0b3f6f0e-5a8a-4f3c-9a51-0a4a9a3a7f10';
  const chunk: NewLogChunk = {
    ...{ request, component: 'sale', offset: 0, body: Buffer.from('a line\n'), last: true },
    ...{ sha256: Buffer.alloc(32), redactor: 'r/1', lines: 1, redactions: 0, truncated: true },
    ...{ fromMs: 7, cutBy: 'time', missed: 0, searchedBytes: 5, searchBytes: 9, dropped: 0 },
  };
  it('come back as they were', () => {
    expect(decodeLogChunk(encodeLogChunk(chunk))).toMatchObject({ ok: true, value: chunk });
    const several = { ...chunk, component: '' };
    expect(decodeLogChunk(encodeLogChunk(several))).toMatchObject({ ok: true });
    const large = { ...chunk, body: Buffer.alloc(LOG_CHUNK_RAW_BYTES_MAX + 1) };
    expect(decodeLogChunk(encodeLogChunk(large))).toMatchObject({ ok: false });
  });
  it('that were damaged on the way are noticed, and those of an agent of before are read', () => {
    const told = encodeRaw('LogChunk', { ...chunk, crc32: 7 });
    expect(decodeLogChunk(told)).toMatchObject({ ok: false, reason: /damaged/ });
    const untold = decodeLogChunk(encodeRaw('LogChunk', { ...chunk, cutBy: '', dropped: 0 }));
    expect(untold).toMatchObject({ ok: true, value: { cutBy: '', dropped: 0 } });
  });
  it('count their bytes from 1, and the end as one more', () => {
    expect(requestOfEpoch(epochOfRequest(request))).toBe(request);
    expect(epochOfRequest(request)).toHaveLength(16);
    const piece = { offset: 10, body: Buffer.from('abc'), last: false };
    expect([seqOfChunk(piece), lastSeqOf(piece)]).toEqual([11, 13]);
    expect(lastSeqOf({ ...piece, last: true })).toBe(14);
  });
});

describe('records as text', () => {
  const text = fc.string({ unit: fc.constantFrom('a', ' ', '\n', '\t', '[', 'é', 'Z', '7') });
  const record = fc.record({
    timeMs: fc.integer({ min: 0, max: NOON * 2 }),
    guessed: fc.boolean(),
    level: fc.constantFrom(undefined, ...LOG_LEVELS),
    component: fc.constantFrom('sale', 'a-1'),
    text,
  });
  it('come back as they were, whatever stands in them and however they were cut', () => {
    fc.assert(
      fc.property(fc.array(record), fc.array(fc.nat(40)), (records, cuts) => {
        const bytes = Buffer.from(records.map(formatRecord).join(''));
        const splitter = createSplitter();
        const found = [];
        let at = 0;
        for (const size of cuts) {
          found.push(...splitter.push(bytes.subarray(at, at + size)));
          at += size;
        }
        found.push(...splitter.push(bytes.subarray(at)), ...splitter.end());
        expect(found.map(({ lines }) => parseRecord(lines))).toEqual(records);
        for (const { offset, lines } of found) {
          expect(bytes.toString('utf8', offset, offset + Buffer.byteLength(lines))).toBe(lines);
        }
      }),
    );
  });
  it('read as a person would write them', () => {
    const shown = formatRecord({
      ...{ timeMs: NOON, guessed: false, level: 'warn', component: 'sale' },
      text: 'the printer does not answer\nError: timeout',
    });
    expect(shown).toBe(
      '2026-11-23T12:00:00.000Z W [sale] the printer does not answer\n\tError: timeout\n',
    );
    expect(parseRecord('no record')).toBeUndefined();
  });
  it('without a level are taken for ones that inform', () => {
    expect([isAtLeast(undefined, 'info'), isAtLeast(undefined, 'warn')]).toEqual([true, false]);
    expect([isAtLeast('error', 'warn'), isAtLeast('debug', 'info')]).toEqual([true, false]);
  });
});
