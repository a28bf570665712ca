// The second look at what terminals send: nothing that a card is made of reaches the broker's disk, wherever it is cut.

import { describe, expect, it } from 'vitest';
import { checkBytes } from '../../broker/logs/check.ts';
import { openRedactStream } from '../../redact/index.ts';
import { CARD, lineOf } from './logs-wire.ts';

const ONE = lineOf(`paid by ${CARD} at noon`, 1);
const TEXT = lineOf('all is well') + ONE + lineOf(`track ;${CARD}=27121015432112345678?`, 2);

/** As intake gives pieces: what is carried is what was not looked at yet. */
function keep(pieces: readonly Buffer[]) {
  let kept = Buffer.alloc(0);
  let checked = 0;
  let hits = 0;
  pieces.forEach((piece, at) => {
    const seen = checkBytes(kept.subarray(checked), piece, at === pieces.length - 1);
    kept = Buffer.concat([kept.subarray(0, checked), seen.carried, seen.bytes]);
    checked += seen.done;
    hits += seen.hits;
  });
  return { kept: kept.toString('latin1'), hits };
}
const finds = (text: string): boolean => {
  const stream = openRedactStream();
  return !Buffer.concat([stream.push(Buffer.from(text)), stream.end()]).equals(Buffer.from(text));
};

describe('the second look', () => {
  it('masks what should not be there, byte for byte, and leaves everything else', () => {
    const { kept, hits } = keep([Buffer.from(TEXT)]);
    expect([kept.length, hits]).toEqual([TEXT.length, 2]);
    expect(kept).not.toContain(CARD);
    expect(kept.split('\n')[0]).toBe(TEXT.split('\n')[0]);
    expect(kept.split('\n')[1]).toBe(ONE.trim().replace(CARD, '*'.repeat(16)));
    expect(finds(kept)).toBe(false);
  });

  it('finds it wherever two chunks meet', () => {
    for (let at = 1; at < TEXT.length; at += 1) {
      const { kept } = keep([Buffer.from(TEXT.slice(0, at)), Buffer.from(TEXT.slice(at))]);
      expect(kept.length, `cut at ${at}`).toBe(TEXT.length);
      expect(kept, `cut at ${at}`).not.toContain(CARD.slice(0, 12));
    }
  });

  it('finds it in a line that has no end, and is done with what is old', () => {
    const long = Buffer.alloc(40_000, 'x ');
    const pieces = [long, Buffer.from(` ${CARD.slice(0, 9)}`), Buffer.from(CARD.slice(9)), long];
    const { kept, hits } = keep(pieces);
    expect([kept.includes(CARD), hits > 0, kept.length]).toEqual([false, true, 80_017]);
  });

  it('finds nothing in what a redactor has passed', () => {
    const stream = openRedactStream();
    const clean = Buffer.concat([stream.push(Buffer.from(TEXT)), stream.end()]);
    const { kept, hits } = keep([clean]);
    expect([kept, hits]).toEqual([clean.toString('latin1'), 0]);
  });

  it('does not take the half of a long number at a cut for a card', () => {
    const number = `${CARD}${CARD.slice(1)}`;
    const text = lineOf(`a receipt ${number} was printed`);
    const whole = keep([Buffer.from(text)]);
    for (let at = 1; at < text.length; at += 1) {
      const cut = keep([Buffer.from(text.slice(0, at)), Buffer.from(text.slice(at))]);
      expect(cut, `cut at ${at}`).toEqual(whole);
    }
  });
});
