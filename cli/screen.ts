// What verbs print with: plain aligned text that fits 80 columns, with colour only for a terminal whose
// person did not ask for none (no-color.org). All layout is pure; writing is one function of the caller.

export const COLUMNS = 80;

export type Style = {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
};

const plain = (text: string) => text;
export const plainStyle: Style = { bold: plain, dim: plain, good: plain, bad: plain, warn: plain };

/** SGR codes [ECMA-48 8.3.117]. */
const sgr = (code: number) => (text: string) => `\u001b[${code}m${text}\u001b[0m`;

export function styleFor(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): Style {
  const wanted = stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  if (!wanted) return plainStyle;
  return { bold: sgr(1), dim: sgr(2), good: sgr(32), bad: sgr(31), warn: sgr(33) };
}

export type Column = {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** The column that gives way when a line would be too wide; at most one. */
  readonly shrinks?: boolean;
  /** Laid over a cell once its width is settled. */
  readonly paint?: (cell: string) => string;
};

/** Cuts to `width` characters and says so with an ellipsis. */
export function clip(text: string, width: number): string {
  const letters = [...text];
  if (letters.length <= width) return text;
  return width <= 0 ? '' : `${letters.slice(0, width - 1).join('')}…`;
}

/** No cell may break the table or drive the terminal: control characters become blanks. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are just what is to be found.
const tame = (text: string) => text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
const widthOf = (text: string) => [...text].length;

function pad(text: string, width: number, align: Column['align']): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)));
  return align === 'right' ? blanks + text : text + blanks;
}

/** @returns lines without trailing blanks, headings first, none wider than `columns` where possible */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  columnsMax: number = COLUMNS,
  indent = '',
): string[] {
  const cells = rows.map((row) => columns.map((_, at) => tame(row[at] ?? '')));
  const widths = columns.map((column, at) =>
    Math.max(widthOf(column.title), ...cells.map((row) => widthOf(row[at] ?? ''))),
  );
  const gap = '  ';
  const total =
    indent.length + widths.reduce((sum, width) => sum + width + gap.length, -gap.length);
  const shrinking = columns.findIndex((column) => column.shrinks === true);
  if (total > columnsMax && shrinking >= 0) {
    const least = widthOf(columns[shrinking]?.title ?? '');
    widths[shrinking] = Math.max(least, (widths[shrinking] ?? 0) - (total - columnsMax));
  }
  const line = (row: readonly string[], paints: boolean) =>
    indent +
    columns
      .map((column, at) => {
        const text = clip(row[at] ?? '', widths[at] ?? 0);
        const painted = paints && column.paint !== undefined ? column.paint(text) : text;
        // Blanks stand outside the colour, so that a padded cell does not glow.
        return pad(text, widths[at] ?? 0, column.align).replace(text, () => painted);
      })
      .join(gap)
      .trimEnd();
  const heading = line(
    columns.map((column) => column.title),
    false,
  );
  return [heading, ...cells.map((row) => line(row, true))];
}

/** `2.31 s`, `4 min`, `3 h`, `5 d`: two digits where they matter. */
export function age(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** Breaks at blanks so that no line is wider than `columnsMax`; one long word stays whole. */
export function wrap(text: string, columnsMax: number): string[] {
  const lines: string[] = [];
  for (const word of tame(text).split(/ +/)) {
    const last = lines.at(-1);
    if (last !== undefined && widthOf(last) + 1 + widthOf(word) <= columnsMax) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}

export const plural = (count: number, word: string): string =>
  `${count} ${word}${count === 1 ? '' : 's'}`;
