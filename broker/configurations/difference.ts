// The difference of two texts as people know it (diff -u): what goes, what comes, three lines around. Lines are compared
// by Myers's algorithm, which is quick where little changed; two texts that have next to nothing in common are shown as
// one going and the other coming, because nobody reads more out of it and the work would grow with the square.

/** Changes that are looked for; beyond it the texts have nothing in common. */
const EDITS_MAX = 1_000;
const CONTEXT_LINES = 3;

type Line = { readonly mark: ' ' | '-' | '+'; readonly text: string };

/** @returns undefined when there are more changes than are looked for. */
function shortest(from: readonly string[], to: readonly string[]): Line[] | undefined {
  const most = Math.min(EDITS_MAX, from.length + to.length);
  const reach = new Int32Array(2 * most + 3);
  const middle = most + 1;
  const steps: Int32Array[] = [];
  for (let edits = 0; edits <= most; edits += 1) {
    steps.push(reach.slice(middle - edits - 1, middle + edits + 2));
    for (let way = -edits; way <= edits; way += 2) {
      const [below = 0, above = 0] = [reach[middle + way - 1], reach[middle + way + 1]];
      const isDown = way === -edits || (way !== edits && below < above);
      let x = isDown ? above : below + 1;
      let y = x - way;
      while (x < from.length && y < to.length && from[x] === to[y]) {
        x += 1;
        y += 1;
      }
      reach[middle + way] = x;
      if (x >= from.length && y >= to.length) return walkBack(steps, from, to);
    }
  }
  return undefined;
}

function walkBack(steps: readonly Int32Array[], from: readonly string[], to: readonly string[]) {
  const lines: Line[] = [];
  let [x, y] = [from.length, to.length];
  for (let edits = steps.length - 1; edits >= 0; edits -= 1) {
    const reach = steps[edits] ?? new Int32Array();
    const at = (way: number): number => reach[way + edits + 1] ?? 0;
    const way = x - y;
    const isDown = way === -edits || (way !== edits && at(way - 1) < at(way + 1));
    const before = isDown ? way + 1 : way - 1;
    const [startX, startY] = edits === 0 ? [0, 0] : [at(before), at(before) - before];
    while (x > startX && y > startY && (edits === 0 || x > (isDown ? startX : startX + 1))) {
      x -= 1;
      y -= 1;
      lines.push({ mark: ' ', text: from[x] ?? '' });
    }
    if (edits === 0) break;
    if (isDown) lines.push({ mark: '+', text: to[startY] ?? '' });
    else lines.push({ mark: '-', text: from[startX] ?? '' });
    [x, y] = [startX, startY];
  }
  return lines.toReversed();
}

const linesOf = (text: string): string[] => {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
};

function compare(from: readonly string[], to: readonly string[]): readonly Line[] {
  const found = shortest(from, to);
  if (found !== undefined) return found;
  return [
    ...from.map((text): Line => ({ mark: '-', text })),
    ...to.map((text): Line => ({ mark: '+', text })),
  ];
}

/** Changes that are so close that what is around them meets are shown together. */
function hunksOf(lines: readonly Line[]): [first: number, end: number][] {
  const hunks: [number, number][] = [];
  lines.forEach(({ mark }, at) => {
    if (mark === ' ') return;
    const last = hunks.at(-1);
    const first = Math.max(0, at - CONTEXT_LINES);
    const end = Math.min(lines.length, at + CONTEXT_LINES + 1);
    if (last !== undefined && first <= last[1]) last[1] = end;
    else hunks.push([first, end]);
  });
  return hunks;
}

/** @returns empty when they are the same; else headed by both names. */
export function differenceOf(
  from: { readonly name: string; readonly text: string },
  to: { readonly name: string; readonly text: string },
): string {
  const lines = compare(linesOf(from.text), linesOf(to.text));
  const hunks = hunksOf(lines);
  if (hunks.length === 0) return '';
  const out = [`--- ${from.name}`, `+++ ${to.name}`];
  let [seen, gone, come] = [0, 0, 0];
  const pass = (upTo: number): void => {
    for (; seen < upTo; seen += 1) {
      if (lines[seen]?.mark !== '+') gone += 1;
      if (lines[seen]?.mark !== '-') come += 1;
    }
  };
  for (const [first, end] of hunks) {
    pass(first);
    const [goneFirst, comeFirst] = [gone, come];
    pass(end);
    const [minus, plus] = [gone - goneFirst, come - comeFirst];
    const of = (start: number, count: number) => `${count === 0 ? start : start + 1},${count}`;
    out.push(`@@ -${of(goneFirst, minus)} +${of(comeFirst, plus)} @@`);
    for (const { mark, text } of lines.slice(first, end)) out.push(`${mark}${text}`);
  }
  return `${out.join('\n')}\n`;
}
