// `tillwatch redact`: what comes in goes out without card data, of any size, and stderr says how much went.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT } from '../../cli/exit.ts';
import { runRedact } from '../../cli/verbs/redact.ts';
import { NO_COUNTS, NO_RULES, useRules } from '../../redact/index.ts';

const CARD = '4111111111111111';
const style = { bad: (text: string) => `<${text}>`, dim: (text: string) => text };
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tillwatch-redact-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  useRules(NO_RULES);
});

async function run(
  text: string | Readable,
  wish: { rules?: string; show?: boolean; json?: boolean } = {},
) {
  let out = '';
  const notes: string[] = [];
  const output = new Writable({
    highWaterMark: 1,
    write(chunk, _encoding, next) {
      out += String(chunk);
      setImmediate(next);
    },
  });
  const input = typeof text === 'string' ? Readable.from([Buffer.from(text)]) : text;
  const outcome = await runRedact(
    { input, output, style, note: (sentence) => notes.push(sentence) },
    { rules: wish.rules, show: wish.show === true, json: wish.json === true },
  );
  return { outcome, out, notes };
}

function rulesFile(text: string): string {
  const path = join(folder, 'rules.yaml');
  writeFileSync(path, text);
  return path;
}

describe('tillwatch redact', () => {
  it('says that a folder is no file, instead of that nothing is in it', async () => {
    const notes: string[] = [];
    const output = new PassThrough();
    const outcome = await runRedact(
      { input: Readable.from([]), isFolder: true, output, style, note: (one) => notes.push(one) },
      { rules: undefined, show: false, json: false },
    );
    expect(outcome.exit).toBe(EXIT.usage);
    expect(notes).toEqual([]);
  });

  it('gives back what it got, without card data, and says how much went', async () => {
    const { outcome, out, notes } = await run(`a\r\npaid ${CARD}\nand ${CARD}, cvv=123`);
    expect(outcome.exit).toBe(EXIT.ok);
    expect(out).toBe('a\r\npaid [PAN visa ....1111]\nand [PAN visa ....1111], cvv=[REMOVED]');
    expect(notes).toEqual(['taken out: 2 card numbers, 1 value of a key of card data']);
  });

  it('says so when there is nothing', async () => {
    expect(await run('')).toMatchObject({ out: '', notes: ['nothing to take out'] });
  });

  it('waits for whoever reads slowly, and finds what chunks cut in two', async () => {
    const text = `${'x'.repeat(5_000)} ${CARD} `.repeat(40);
    const chunks = text.match(/.{1,777}/gs)?.map((part) => Buffer.from(part)) ?? [];
    const { out, notes } = await run(Readable.from(chunks));
    expect(out).toBe(text.replaceAll(CARD, '[PAN visa ....1111]'));
    expect(notes).toEqual(['taken out: 40 card numbers']);
  });

  it('shows only what goes, with the number of its line', async () => {
    const { out } = await run(`one\ntwo ${CARD}\n\nfour [CODE] was before\nfive ${CARD}`, {
      show: true,
    });
    expect(out).toBe('2: two <[PAN visa ....1111]>\n5: five <[PAN visa ....1111]>\n');
  });

  it('counts as JSON', async () => {
    const { out, notes } = await run(`x ${CARD}`, { json: true });
    expect(JSON.parse(out)).toEqual({
      redactor: 'tillwatch-redact/2',
      bytes: 18,
      counts: { ...NO_COUNTS, pan: 1 },
    });
    expect(notes).toEqual([]);
    expect((await run('', { json: true, show: true })).outcome.exit).toBe(EXIT.usage);
  });

  it.each([
    ['a list', '- { name: badge, kind: pattern, pattern: "B-[0-9]{6}" }'],
    ['rules', 'rules:\n  - { name: badge, kind: pattern, pattern: "B-[0-9]{6}" }'],
    ['JSON', '[{"name":"badge","kind":"pattern","pattern":"B-[0-9]{6}"}]'],
    [
      'a configuration',
      'terminal: a\nredaction:\n  rules: [{ name: badge, kind: pattern, pattern: "B-[0-9]{6}" }]',
    ],
  ])('takes rules from a file that is %s', async (_name, text) => {
    const { out, notes } = await run('by B-123456', { rules: rulesFile(text) });
    expect(out).toBe('by [CUSTOM badge]');
    expect(notes).toEqual(['taken out: 1 hit of your rules']);
  });

  it('refuses bad rules with every reason, and lets nothing through', async () => {
    const path = rulesFile(
      'rules:\n  - { name: badge, kind: pattern, pattern: "[0-9]+" }\n  - { name: x }',
    );
    const { outcome, out, notes } = await run(CARD, { rules: path });
    expect(outcome).toEqual({ exit: EXIT.usage, sentence: `${path} has 2 problems` });
    expect(out).toBe('');
    expect(notes[0]).toContain(`${path}: rules[0].pattern: has +, which knows no end`);
    expect(notes[0]).toContain('(line 2)');
    expect(notes[1]).toContain('rules[1].kind: must be one of: key, pattern, allow (line 3)');
    const missing = await run(CARD, { rules: join(folder, 'none.yaml') });
    expect(missing.outcome.exit).toBe(EXIT.usage);
    expect(missing.notes[0]).toContain('cannot be read (ENOENT)');
  });

  it('says so when what it reads breaks off', async () => {
    const input = new PassThrough();
    const ran = run(input);
    input.destroy(new Error('EISDIR: illegal operation on a directory, read'));
    expect((await ran).outcome).toMatchObject({ exit: EXIT.failed });
  });
});
