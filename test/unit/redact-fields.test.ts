// Records that are still objects: what a key says holds for everything below it.

import { describe, expect, it } from 'vitest';
import { redactFields } from '../../redact/index.ts';

const left = (fields: Record<string, unknown>): string =>
  JSON.stringify(redactFields(fields).value);

describe('a record', () => {
  it.each([
    [{ password: ['x', 'y'] }, '{"password":["[SECRET]","[SECRET]"]}'],
    [{ password: { value: 'x' } }, '{"password":{"value":"[SECRET]"}}'],
    [{ cardholder: { name: 'JOHN DOE' } }, '{"cardholder":{"name":"[NAME]"}}'],
    [{ headers: { authorization: 'abcdefgh' } }, '{"headers":{"authorization":"[SECRET]"}}'],
    [{ Cookie: 'abc' }, '{"Cookie":"[SECRET]"}'],
    [{ xCardPan: 1234567890123 }, '{"xCardPan":"[REMOVED]"}'],
    [{ 'customer-card-number': '12' }, '{"customer-card-number":"[REMOVED]"}'],
    [{ lastTrack2Data: 'x' }, '{"lastTrack2Data":"[REMOVED]"}'],
  ])('%j keeps nothing of it', (fields, expected) => {
    expect(left(fields)).toBe(expected);
    const again = redactFields(JSON.parse(expected) as Record<string, unknown>);
    expect(JSON.stringify(again.value), 'a second look changes nothing').toBe(expected);
    expect(Object.values(again.counts).every((count) => count === 0)).toBe(true);
  });
  it('keeps what only sounds like it', () => {
    const fields = { gpioPin: 4, clientCid: 'x', span: 'a', headers: { accept: 'json' } };
    expect(left(fields)).toBe(JSON.stringify(fields));
  });
});
