// Lines that belong together stay together: stack traces of every language that runs on a till, indented text, JSON over
// several lines; and what never ends is bounded.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createJoiner,
  RECORD_CHARS_MAX,
  RECORD_LINES_MAX,
} from '../../agent/logs/formats/index.ts';

function join(lines: readonly string[]): string[] {
  const joiner = createJoiner();
  return [...lines.flatMap((line) => joiner.push(line)), ...joiner.end()];
}

const NEXT = '2026-11-23T10:00:00Z INFO the next record';

const TRACES: readonly (readonly [what: string, text: string])[] = [
  [
    'JavaScript',
    'Error: no paper\n    at Printer.print (printer.js:41:7)\n    at async Sale.end (sale.js:7)',
  ],
  [
    'JavaScript with a cause',
    'Error: a\n    at x (y.js:1) {\n  [cause]: Error: b\n      at z (y.js:2)\n}',
  ],
  [
    'JavaScript below a logger',
    '2026-11-23T10:00:00Z error crashed\nTypeError: x\n    at y (z.js:1)'.replace(
      'TypeError',
      '  TypeError',
    ),
  ],
  [
    'Java',
    'java.lang.IllegalStateException: no paper\n\tat com.till.Sale.run(Sale.java:41)\nCaused by: java.io.IOException: x\n\tat com.till.Printer.ask(Printer.java:7)\n\t... 12 more',
  ],
  [
    'Java below a logger',
    '2026-11-23 10:00:00,123 [main] ERROR Sale - x\njava.lang.IllegalStateException: no paper\n\tat com.till.Sale.run(Sale.java:41)\n\tSuppressed: java.io.IOException\n\t\tat a.b(C.java:1)',
  ],
  [
    'Java, frames at the margin',
    'java.lang.Error: x\nat com.till.Sale.run(Sale.java:41)\nat com.till.Sale.go(Sale.java:42)\n... 3 more',
  ],
  [
    'Python',
    'Traceback (most recent call last):\n  File "sale.py", line 41, in run\n    print(x)\nValueError: no paper',
  ],
  [
    'Python below a logger',
    '2026-11-23 10:00:00,123 - sale - ERROR - x\nTraceback (most recent call last):\n  File "sale.py", line 41, in run\n    print(x)\nValueError: no paper',
  ],
  [
    'Python, two',
    'Traceback (most recent call last):\n  File "a.py", line 1, in x\n    y()\nKeyError: 1\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File "b.py", line 2, in z\n    q()\ntill.errors.PaperError: out',
  ],
  [
    '.NET',
    'Unhandled exception. System.InvalidOperationException: no paper\n   at Till.Sale.Run() in C:\\till\\Sale.cs:line 41\n --- End of inner exception stack trace ---\n   at Till.Program.Main()',
  ],
  [
    '.NET console',
    'fail: Till.Sale[0]\n      no paper\n      System.Exception: x\n         at Till.Sale.Run()',
  ],
  [
    'Go',
    'panic: runtime error: index out of range [3]\n\ngoroutine 1 [running]:\nmain.main()\n\t/till/main.go:41 +0x1d\nexit status 2',
  ],
  ['java.util.logging', 'Nov 23, 2026 10:00:00 AM com.till.Sale run\nSEVERE: no paper'],
  ['indented', 'basket:\n  item 1\n  item 2\n\tand more'],
  ['JSON', '{\n  "level": "error",\n  "items": [\n    1\n  ]\n}'],
];

describe('lines become records', () => {
  it.each(TRACES)('%s stays together', (_what, text) => {
    expect(join([...text.split('\n'), NEXT])).toEqual([text, NEXT]);
    expect(join([NEXT, NEXT, ...text.split('\n'), NEXT]).at(-1)).toBe(NEXT);
  });

  it.each(TRACES)('%s does not take in another record behind an empty line', (_what, text) => {
    expect(join([...text.split('\n'), '', NEXT])).toEqual([text, NEXT]);
  });

  it('keeps two records apart', () => {
    const lines = ['ERROR a', 'ERROR b', '{"a":1}', '{"a":2}', '[x] c', 'Error: d', 'Error: e'];
    expect(join(lines)).toEqual(lines);
  });

  it('keeps two traces apart', () => {
    const [, text] = TRACES[0] ?? ['', ''];
    expect(join(`${text}\n${text}`.split('\n'))).toEqual([text, text]);
    const [, python] = TRACES[6] ?? ['', ''];
    expect(join(`${python}\n${python}`.split('\n')).join('\n')).toBe(`${python}\n${python}`);
  });

  it('takes line ends within what was given for line ends', () => {
    expect(join(['ERROR a\nERROR b\n  c'])).toEqual(['ERROR a', 'ERROR b\n  c']);
  });

  it('ends a record that never ends', () => {
    const many = Array.from({ length: 2_500 }, (_, n) => `  ${n}`);
    const records = join(['begin', ...many]);
    expect(records.map((record) => record.split('\n').length)).toEqual([1_000, 1_000, 501]);
    const long = Array.from({ length: 20 }, () => `  ${'x'.repeat(16_000)}`);
    for (const record of join(['begin', ...long])) {
      expect(record.length).toBeLessThanOrEqual(RECORD_CHARS_MAX + 1);
    }
  });

  it('is not led astray by a brace that is never closed', () => {
    expect(join(['{', 'INFO a', 'INFO b'])).toEqual(['{', 'INFO a', 'INFO b']);
  });

  it('loses no line and changes no order, whatever comes', () => {
    const pieces = fc.constantFrom(
      ...TRACES.flatMap(([, text]) => text.split('\n')),
      ...['', ' ', '{', '}', 'x', NEXT, 'goroutine 7 [x]:', 'Caused by: y', '\tat z', '[', ']'],
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 60 }), (lines) => {
        const records = join(lines);
        const said = (text: string): string[] =>
          text.split('\n').filter((line) => line.trim() !== '');
        expect(records.flatMap(said)).toEqual(lines.flatMap(said));
        for (const record of records) {
          expect(record.split('\n').length).toBeLessThanOrEqual(RECORD_LINES_MAX);
        }
      }),
    );
  });
});
