// What is read from lines as real loggers print them (formats-rows.ts has them).

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readLine, readRecord } from '../../agent/logs/formats/index.ts';
import { EPOCH, NEAR, ROWS, SECOND } from './formats-rows.ts';

describe('a line says when and how serious', () => {
  it.each(ROWS)('%s: %s', (_logger, line, timeMs, level) => {
    const said = readLine(line, NEAR);
    expect({ timeMs: said.timeMs, level: said.level }).toEqual({ timeMs, level });
  });

  it('takes an ambiguous date for what is near, and for nothing when it does not know', () => {
    const third = new Date(2026, 3, 3, 10).getTime();
    expect(readLine('03/04/2026 10:00:00 x').timeMs).toBeUndefined();
    expect(readLine('03/04/2026 10:00:00 x', third).timeMs).toBe(third);
    const march = new Date(2026, 2, 4, 10).getTime();
    expect(readLine('03/04/2026 10:00:00 x', march + 1000).timeMs).toBe(march);
    expect(readLine('04/04/2026 10:00:00 x').timeMs).toBe(new Date(2026, 3, 4, 10).getTime());
    expect(readLine('26/04/05 10:00:00 x', new Date(2026, 3, 5, 11).getTime()).timeMs).toBe(
      new Date(2026, 3, 5, 10).getTime(),
    );
  });

  it('takes a time without a year or a day for the one that is nearest', () => {
    const newYear = new Date(2027, 0, 1, 0, 5).getTime();
    const eve = new Date(2026, 11, 31, 23, 59, 58).getTime();
    expect(readLine('Dec 31 23:59:58 till sale: x', newYear).timeMs).toBe(eve);
    expect(readLine('23:59:58 INFO x', newYear).timeMs).toBe(eve);
    expect(readLine('I1231 23:59:58.000000 1 a.go:1] x', newYear).timeMs).toBe(eve);
    expect(readLine('Dec 31 23:59:58 till sale: x').timeMs).toBeUndefined();
  });

  it('tells what is said apart from when and how serious', () => {
    expect(readLine('2026-11-23 10:00:00,123 [main] ERROR com.till.Sale - no paper').message).toBe(
      'com.till.Sale - no paper',
    );
    expect(readLine('2026-11-23T10:00:00.123Z error the printer is gone').message).toBe(
      'the printer is gone',
    );
    expect(readLine('level=info msg="two words" a=b').message).toBe('two words');
    expect(readLine('{"level":30,"msg":"ready"}').message).toBe('ready');
    expect(readLine('no time, no level').message).toBeUndefined();
  });

  it('costs nearly nothing for what is long', () => {
    const long = [
      `${'['.repeat(100_000)}`,
      `<${'1'.repeat(100_000)}`,
      `${'a'.repeat(100_000)}=`,
      `2026-11-23T10:00:00Z ${'x '.repeat(50_000)}`,
      `{"time":${'"'.repeat(100_000)}`,
      `msg="${'\\"'.repeat(50_000)}`,
      `Nov ${' '.repeat(100_000)}`,
      `[${' ]'.repeat(50_000)}`,
      ' '.repeat(100_000),
    ];
    const from = performance.now();
    for (const line of long) for (let n = 0; n < 10; n += 1) readLine(line, NEAR);
    expect(performance.now() - from).toBeLessThan(2_000);
  });
});

describe('whatever a line is', () => {
  const pieces = fc.constantFrom(
    ...ROWS.flatMap(([, line]) => line.split(/(?=[ ,:[\]|"{}=])/)),
    ...['\t', '  ', '<', '\ud83e', '9'.repeat(30), '{"time":', '-', '\u2402'],
  );
  it('is read without an error, and a time is one of this century', () => {
    const lines = fc.array(fc.oneof(pieces, fc.string()), { maxLength: 20 });
    fc.assert(
      fc.property(lines, fc.option(fc.integer(), { nil: undefined }), (all, nearMs) => {
        const { timeMs, message } = readLine(all.join(''), nearMs);
        const earliest = Date.UTC(1999, 11, 31);
        if (timeMs !== undefined) expect(timeMs >= earliest && timeMs < Date.UTC(2101)).toBe(true);
        expect(typeof (message ?? '')).toBe('string');
        readRecord(all.join('\n'), nearMs);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a record says what its first line says', () => {
  it('or the line below a head that is one of two lines', () => {
    const jul = 'Nov 23, 2026 10:00:00 AM com.till.Sale run\nSEVERE: no paper';
    expect(readRecord(jul)).toMatchObject({ timeMs: SECOND, level: 'error' });
  });

  it('or the whole of it, for JSON over several lines', () => {
    const json = JSON.stringify({ time: Number(EPOCH), level: 50, msg: 'x' }, undefined, 2);
    expect(readRecord(json)).toEqual({ timeMs: Number(EPOCH), level: 'error', message: 'x' });
  });

  it('but never what stands further back', () => {
    expect(readRecord('no head\nERROR: x')).toEqual({});
  });
});
