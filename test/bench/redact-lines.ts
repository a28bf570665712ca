// The kinds of lines on which the redactor's speed is told, as bytes of one file each: what has no run of digits, what
// a till prints all day, records of one kind, and the worst case, a card in every line. Seeded, so that two runs, and the
// peer in the same run, read the same bytes.

import { framed, type Random, retail, retailLines, seeded } from '../unit/retail-log.ts';

const BYTES = 6_000_000;

function fill(line: (random: Random) => string): Buffer {
  const random = seeded(7);
  const lines: string[] = [];
  for (let bytes = 0; bytes < BYTES; bytes += (lines.at(-1)?.length ?? 0) + 1) {
    lines.push(line(random));
  }
  return Buffer.from(`${lines.join('\n')}\n`);
}

const words = (random: Random): string => retail['words']?.(random) ?? '';
const RUN = /\d(?:[ .-]?\d){11}/;

export const kinds: Readonly<Record<string, () => Buffer>> = {
  'no digit runs': () =>
    fill((random) => {
      let line = words(random);
      while (RUN.test(line)) line = words(random);
      return line;
    }),
  mixed: () => {
    const lines = retailLines(7, BYTES);
    return fill(() => lines.next().value?.line ?? '');
  },
  'JSON with epoch ms': () =>
    fill((random) =>
      JSON.stringify({
        ...{ level: 30, time: 1_763_000_000_000 + Math.floor(random() * 1e10), pid: 4_711 },
        ...{ name: 'sale', msg: `item ${Math.floor(random() * 1e6)} added`, quantity: 1 },
      }),
    ),
  'stack traces': () =>
    fill((random) => retail[random() < 0.5 ? 'JavaScript stack' : 'Java stack']?.(random) ?? ''),
  'a card in every line': () =>
    fill((random) => framed(random, `sale ${Math.floor(random() * 1e4)} by 4111 1111 1111 1111`)),
};
