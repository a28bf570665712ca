// Bodies that are well-formed and meant to do harm: they are refused by a sentence, because an exception
// at the broker would come back with the same row at its every start.

import { describe, expect, test } from 'vitest';
import { decodeResultBody } from '../../protocol/commands.ts';
import { decodeEventBody } from '../../protocol/events.ts';
import { decodeTraces } from '../../protocol/traces.ts';
import { encodeRaw } from '../../protocol/wire.ts';

const nested = (depth: number): string => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
const eventBody = (json: string): Uint8Array =>
  encodeRaw('EventBody', {
    events: [{ id: 'e', timeMs: 1, kind: 'new_kind', component: '', json }],
  });

describe('JSON that is nested too deep to be written again', () => {
  test('is refused in an event, and what people nest is not', () => {
    expect(decodeEventBody(eventBody(nested(12))).ok).toBe(true);
    for (const depth of [40, 8_000, 16_000]) {
      const decoded = decodeEventBody(eventBody(nested(depth)));
      expect(decoded).toEqual({ ok: false, reason: 'event new_kind is nested too deep' });
    }
  });

  test('is refused in a result', () => {
    const result = { commandId: '00000000-0000-4000-8000-000000000000', state: 'failed' };
    const body = (detailJson: string) =>
      encodeRaw('ResultBody', { results: [{ ...result, reason: '', timeMs: 1, detailJson }] });
    expect(decodeResultBody(body(nested(12))).ok).toBe(true);
    expect(decodeResultBody(body(nested(8_000)))).toEqual({
      ok: false,
      reason: 'result detail is nested too deep',
    });
  });
});

test('a million empty entries are refused before an object is made for each', () => {
  const body = new Uint8Array(2 * 1024 * 1024);
  for (let at = 0; at < body.length; at += 2) body[at] = 10;
  const before = process.memoryUsage().heapUsed;
  const reasons = [decodeEventBody(body), decodeResultBody(body), decodeTraces(body)].map(
    (decoded) => (decoded.ok ? '' : decoded.reason),
  );
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(16 * 1024 * 1024);
  for (const reason of reasons) expect(reason).toContain('too many');
});
