// Detectors that are not ours look at what the redactor left of the whole corpus. Each must first find most of the
// cards in the corpus as it was, or its silence would say nothing: `@arcjet/redact` (Rust, from npm), and `panhunt` (Python,
// from PyPI) where it is installed; a third, which shares no code with the redactor and takes every
// window of every decoding for a card that passes the check digit, is always there.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { redact } from '@arcjet/redact';
import { afterAll, describe, expect, it } from 'vitest';
import { redactString } from '../../redact/index.ts';
import { cards, encodings } from '../unit/redact-corpus.ts';
import { asTrack1, asTrack2, moreEncodings } from '../unit/redact-encodings.ts';

const raw = cards.flatMap((card) => [
  ...encodings(card).map(([, text]) => text),
  ...[asTrack1(card), asTrack2(card)].map((track) => `swiped ${track} at lane 3`),
  ...moreEncodings(card).map(({ text }) => text),
]);
const redacted = raw.map((text) => redactString(text).value);

const folder = mkdtempSync(join(tmpdir(), 'tw-auditor-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Every window of 14 to 19 digits, separators left out, that begins like a card and passes the check digit. */
function windows(text: string): string[] {
  const found: string[] = [];
  for (const [run] of text.matchAll(/\d(?:[^0-9a-zA-Z]{0,3}\d)+/g)) {
    const digits = run.replace(/[^0-9]/g, '');
    for (let from = 0; from + 14 <= digits.length; from += 1) {
      for (let length = 14; length <= Math.min(19, digits.length - from); length += 1) {
        const one = digits.slice(from, from + length);
        if (!/^(?:[245]|3[0-9]|6[0245])/.test(one)) continue;
        const sum = Array.from(one)
          .reverse()
          .map(
            (digit, at) =>
              Number('0246813579'[Number(digit)]) * (at % 2) + Number(digit) * (1 - (at % 2)),
          )
          .reduce((total, digit) => total + digit, 0);
        if (sum % 10 === 0) found.push(one);
      }
    }
  }
  return found;
}

/** The text as it is, and as each code that it could be in says. */
function readings(text: string): string[] {
  const views = [
    text,
    text.replace(/&#x?\d+;|\\+[ux]00|%|\\x|0x/g, (code) => (code === '%' ? '' : code)),
  ];
  const bytes = text.replace(/[^0-9a-f]/gi, '');
  for (const from of [0, 1]) views.push(Buffer.from(bytes.slice(from), 'hex').toString('latin1'));
  for (const [word] of text.matchAll(/[\w+/-]{12,}/g)) {
    for (const from of [0, 1, 2, 3])
      views.push(Buffer.from(word.slice(from), 'base64').toString('latin1'));
  }
  return views;
}

const cardsIn = (text: string): string[] =>
  readings(text)
    .flatMap(windows)
    .filter((one) => cards.includes(one));

describe('a detector of every window of every reading', () => {
  it('finds the cards in most lines of the corpus, and in none that was redacted', () => {
    const before = raw.filter((text) => cardsIn(text).length > 0).length;
    expect(before / raw.length).toBeGreaterThan(0.6);
    expect(redacted.filter((text) => cardsIn(text).length > 0)).toEqual([]);
  });
});

describe('@arcjet/redact', () => {
  /** How many cards it sees; in blocks of lines, because each call costs some milliseconds. */
  const count = async (texts: readonly string[]): Promise<number> => {
    let found = 0;
    for (let at = 0; at < texts.length; at += 100) {
      const block = texts.slice(at, at + 100).join('\n');
      // It looks at words: a second time what stands around a number is made blanks.
      for (const one of [block, block.replace(/[^0-9 .\n-]/g, ' ')]) {
        const [out = ''] = await redact(one, { entities: ['credit-card-number'] });
        found += out.match(/<Redacted/g)?.length ?? 0;
      }
    }
    return found;
  };

  it('finds cards in the corpus, and none in what was redacted', async () => {
    expect(await count(raw)).toBeGreaterThan(500);
    expect(await count(redacted)).toBe(0);
  });
});

const hasPanhunt = spawnSync('panhunt', ['--help']).status === 0;

describe.skipIf(!hasPanhunt)('panhunt (skipped where it is not installed)', () => {
  /** It looks into what `file` calls text, and lines with control characters would make binary of all. */
  const hunt = (name: string, texts: readonly string[]): number => {
    const from = join(folder, name);
    const to = join(folder, `${name}-report`);
    for (const path of [from, to]) mkdirSync(path);
    const plain = texts.filter((text) => !text.includes('\u0000') && !text.includes('\u001b'));
    writeFileSync(join(from, 'all.txt'), plain.join('\n'));
    execFileSync('panhunt', ['-q', '-o', to, '-j', to, from]);
    const report = readdirSync(to).find((file) => file.endsWith('.json')) ?? '';
    return JSON.parse(readFileSync(join(to, report), 'utf8')).pans_found;
  };

  it('finds cards in the corpus, and none in what was redacted', () => {
    expect(hunt('raw', raw)).toBeGreaterThan(100);
    expect(hunt('redacted', redacted)).toBe(0);
  });
});
