// What comes out of a stream does not depend on how it was chunked, also where lines are too long to wait for.

import { describe, expect, it } from 'vitest';
import { LINE_CHARS_MAX, openRedactStream } from '../../redact/index.ts';
import { cards, containsCard } from './redact-corpus.ts';
import { retailLines, seeded } from './retail-log.ts';

function streamed(bytes: Buffer, sizeOf: () => number): string {
  const stream = openRedactStream();
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + sizeOf();
    out.push(stream.push(bytes.subarray(at, end)));
    at = end;
  }
  return Buffer.concat([...out, stream.end()]).toString('latin1');
}

/** Lines around the longest that is taken whole, with cards as everybody writes them strewn over them. */
function longLines(seed: number): Buffer {
  const random = seeded(seed);
  const retail = retailLines(seed, 100_000);
  const lengths = [10, LINE_CHARS_MAX - 1, LINE_CHARS_MAX, LINE_CHARS_MAX + 1, 33_300, 70_000];
  const lines = [...lengths, 40, ...lengths].map((length) => {
    let line = '';
    while (line.length < length) {
      const card = cards[Math.floor(random() * cards.length)] ?? '';
      line += random() < 0.3 ? ` ${card.replace(/(\d{4})(?=\d)/g, '$1 ')}; ` : '';
      line += ` ${retail.next().value?.line ?? ''}`;
    }
    return line.slice(0, length);
  });
  return Buffer.from(lines.join('\n'));
}

describe('a stream with lines that are too long', () => {
  it.each([1, 2, 3])('gives the same for every chunking, and no card (seed %i)', (seed) => {
    const bytes = longLines(seed);
    const whole = streamed(bytes, () => bytes.length);
    const random = seeded(seed);
    for (const sizeOf of [
      () => 65_536,
      () => 4_096,
      () => 777,
      () => 1 + Math.floor(random() * 40_000),
    ]) {
      expect(streamed(bytes, sizeOf) === whole).toBe(true);
    }
    for (const card of cards) expect(containsCard(whole, card), card).toBe(false);
  });

  it('tears no card, wherever in a line of 40 KB it lies', () => {
    // Around every place where a line can be cut: its greatest length, and that and what is carried.
    for (let at = LINE_CHARS_MAX - 560; at < LINE_CHARS_MAX + 560; at += 3) {
      const line = Buffer.from(`${'x'.repeat(at)} 4111 1111 1111 1111 ${'y'.repeat(40_960 - at)}`);
      for (const size of [line.length, 4_099]) {
        const out = streamed(line, () => size);
        expect(out.slice(at), `${at} in pieces of ${size}`).toMatch(
          /^ \[PAN visa \.{4}1111\] y{9}/,
        );
      }
    }
  });

  it('counts every card once', () => {
    const text = `${'x '.repeat(9_000)}4111 1111 1111 1111 `.repeat(20);
    for (const size of [1_000, 65_536, 1_000_000]) {
      const stream = openRedactStream();
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; at += size) stream.push(bytes.subarray(at, at + size));
      stream.end();
      expect(stream.counts().pan).toBe(20);
    }
  });
});
