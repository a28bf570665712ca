// The component channel without a socket: cutting lines, reading them and deciding who may speak.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Hello, maySay, refuseHello } from '../../agent/channel/admission.ts';
import { createLineReader } from '../../agent/channel/lines.ts';
import { readLine } from '../../agent/channel/messages.ts';

function readAll(chunks: readonly Buffer[], bytesMax: number): { lines: string[]; open: boolean } {
  const lines: string[] = [];
  const reader = createLineReader(bytesMax, (line) => {
    lines.push(line);
    return true;
  });
  let open = true;
  for (const chunk of chunks) open = reader.push(chunk);
  return { lines, open };
}

describe('the line reader', () => {
  it('gives the same lines however the bytes are cut', () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 30 }).map((t) => t.replaceAll('\n', ' '));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.integer({ min: 1, max: 9 }), (texts, n) => {
        const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
        const chunks = Array.from({ length: Math.ceil(bytes.length / n) }, (_, i) =>
          bytes.subarray(i * n, i * n + n),
        );
        expect(readAll(chunks, 1_000).lines).toEqual(texts);
      }),
    );
  });

  it('takes a line of exactly the limit and refuses one byte more, finished or not', () => {
    expect(readAll([Buffer.from('12345678\n')], 8)).toEqual({ lines: ['12345678'], open: true });
    expect(readAll([Buffer.from('123456789\n')], 8)).toEqual({ lines: [], open: false });
    expect(readAll([Buffer.from('12345'), Buffer.from('6789')], 8).open).toBe(false);
  });

  it('hands on the good lines before one that is too long and nothing after it', () => {
    const read = readAll([Buffer.from('good\nmuch too long\nlater\n'), Buffer.from('more\n')], 8);
    expect(read).toEqual({ lines: ['good'], open: false });
  });

  it('stops when it is told to', () => {
    const lines: string[] = [];
    const reader = createLineReader(8, (line) => lines.push(line) < 2);
    reader.push(Buffer.from('a\nb\nc\n'));
    reader.push(Buffer.from('d\n'));
    expect(lines).toEqual(['a', 'b']);
  });
});

describe('reading a line', () => {
  it('never throws, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const read = readLine(text);
        expect(read.ok || read.reason.length > 0).toBe(true);
      }),
    );
  });

  it('tells garbage, unknown kinds and bad fields apart', () => {
    expect(readLine('nonsense')).toMatchObject({ fault: 'not_json' });
    expect(readLine('[1]')).toMatchObject({ fault: 'bad_line' });
    expect(readLine('{"kind":"sing"}')).toMatchObject({ fault: 'unknown_kind' });
    expect(readLine('{"kind":"toString"}')).toMatchObject({ fault: 'unknown_kind' });
    const bad = readLine('{"kind":"busy","id":"sale","reason":"","ceilingMs":-1}');
    expect(bad).toMatchObject({ ok: false, fault: 'bad_line' });
    expect(!bad.ok && bad.reason).toContain('busy: ceilingMs:');
  });

  it('keeps only what it knows of a line', () => {
    const read = readLine('{"kind":"beat","loopDelayMsMax":3,"extra":true}');
    expect(read).toEqual({ ok: true, message: { kind: 'beat', loopDelayMsMax: 3 } });
  });
});

describe('who may speak for a component', () => {
  const hello: Hello = {
    kind: 'hello',
    v: 1,
    role: 'main',
    component: 'sale',
    instance: 'i1',
    token: 'secret',
    pid: 70,
  };
  const expected = { instance: 'i1', token: 'secret', pid: 70, beatMs: 500, deadlineMs: 2_000 };

  it('is the process that knows instance and token', () => {
    expect(refuseHello(hello, expected, undefined, 0)).toBeUndefined();
    const old = { ...hello, instance: 'i0' };
    expect(refuseHello(old, expected, undefined, 0)?.reason).toBe('bad_instance');
    const liar = { ...hello, token: 'guess' };
    expect(refuseHello(liar, expected, undefined, 0)?.reason).toBe('bad_token');
    expect(refuseHello(hello, expected, undefined, 4)?.reason).toBe('too_many');
  });

  it('is not a child of it, but always the process that the agent started', () => {
    const pin = { instance: 'i1', pid: 70 };
    const child = { ...hello, pid: 71 };
    expect(refuseHello(child, expected, pin, 1)?.reason).toBe('other_process');
    expect(refuseHello(hello, expected, { instance: 'i1', pid: 71 }, 1)).toBeUndefined();
    expect(refuseHello(child, expected, { instance: 'i0', pid: 70 }, 0)).toBeUndefined();
    expect(refuseHello({ ...child, role: 'witness' }, expected, pin, 1)).toBeUndefined();
  });

  it('lets a witness report trouble but prove no progress', () => {
    expect(maySay('main', 'beat')).toBe(true);
    expect(maySay('witness', 'trouble')).toBe(true);
    for (const kind of ['beat', 'ready', 'touch', 'end', 'extend'] as const) {
      expect(maySay('witness', kind)).toBe(false);
    }
  });
});
