// What verbs print with: plain aligned text that fits the terminal, or 80 columns where there is none, with
// colour only for a person who did not ask for none (no-color.org). All layout is pure; writing is one
// function of the caller. Ids are cut in their middle and sentences at their end: the beginning of an id
// says the store, its end the lane, and both are needed to know it again.

export const COLUMNS = 80;
/** Below this a table is no table, and above nobody can follow a line. */
const COLUMNS_MIN = 40;
const COLUMNS_MAX = 250;

export type Style = {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
  /** How wide a line may be. */
  readonly columns: number;
};

const plain = (text: string) => text;
export const plainStyle: Style = {
  bold: plain,
  dim: plain,
  good: plain,
  bad: plain,
  warn: plain,
  columns: COLUMNS,
};

/** SGR codes [ECMA-48 8.3.117]. */
const sgr = (code: number) => (text: string) => `\u001b[${code}m${text}\u001b[0m`;

type Screen = { readonly isTTY?: boolean; readonly columns?: number };

/** FORCE_COLOR goes before NO_COLOR, as in Node itself: who forces has said it for this one run. */
function isColourful({ isTTY }: Screen, env: NodeJS.ProcessEnv): boolean {
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}

/** COLUMNS is for a pipe (`COLUMNS=200 tillwatch fleet | less`); a terminal knows better. */
function columnsOf({ isTTY, columns }: Screen, env: NodeJS.ProcessEnv): number {
  const wanted = isTTY === true ? columns : Number(env['COLUMNS']);
  return wanted ? Math.min(COLUMNS_MAX, Math.max(COLUMNS_MIN, Math.floor(wanted))) : COLUMNS;
}

export function styleFor(stream: Screen, env: NodeJS.ProcessEnv): Style {
  const columns = columnsOf(stream, env);
  if (!isColourful(stream, env)) return { ...plainStyle, columns };
  return { bold: sgr(1), dim: sgr(2), good: sgr(32), bad: sgr(31), warn: sgr(33), columns };
}

export type Column = {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** The column that gives way first when a line would be too wide; at most one. */
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

/** The same, but what is left out was in the middle. */
export function clipMiddle(text: string, width: number): string {
  const letters = [...text];
  if (letters.length <= width) return text;
  const tail = Math.floor((width - 1) / 2);
  if (tail <= 0) return clip(text, width);
  return `${letters.slice(0, width - 1 - tail).join('')}…${letters.slice(-tail).join('')}`;
}

/** No cell may break the table or drive the terminal: control characters become blanks. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are just what is to be found.
export const tame = (text: string) => text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
const widthOf = (text: string) => [...text].length;

function pad(text: string, width: number, align: Column['align']): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)));
  return align === 'right' ? blanks + text : text + blanks;
}

const GAP = '  ';
/** No column is cut shorter than this, or than its title. */
const CELL_MIN = 6;

/**
 * Who gives way, in order: the column that says so; then the other texts, the widest first, because that
 * costs least; last the first one, which is the name of the row. Numbers never do.
 */
function fitted(columns: readonly Column[], natural: readonly number[], room: number): number[] {
  const widths = [...natural];
  let over = widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length) - room;
  const least = (at: number) => Math.max(CELL_MIN, widthOf(columns[at]?.title ?? ''));
  const slack = (at: number) => (widths[at] ?? 0) - least(at);
  const give = (at: number, count: number) => {
    const given = Math.max(0, Math.min(count, slack(at)));
    widths[at] = (widths[at] ?? 0) - given;
    over -= given;
    return given > 0;
  };
  const first = columns.findIndex((column) => column.shrinks === true);
  if (over > 0 && first >= 0) give(first, over);
  const others = [...columns.keys()].filter((at) => {
    const { align, paint, shrinks } = columns[at] ?? { title: '' };
    return at > 0 && align !== 'right' && paint === undefined && shrinks !== true;
  });
  while (over > 0) {
    const [widest] = others.toSorted((one, other) => slack(other) - slack(one));
    if (widest === undefined || !give(widest, 1)) break;
  }
  if (over > 0) give(0, over);
  return widths;
}

/** @returns lines without trailing blanks, headings first, none wider than `columns` where possible */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  columnsMax: number = COLUMNS,
  indent = '',
): string[] {
  const cells = rows.map((row) => columns.map((_, at) => tame(row[at] ?? '')));
  const natural = columns.map((column, at) =>
    Math.max(widthOf(column.title), ...cells.map((row) => widthOf(row[at] ?? ''))),
  );
  const widths = fitted(columns, natural, columnsMax - indent.length);
  const line = (row: readonly string[], paints: boolean) =>
    indent +
    columns
      .map((column, at) => {
        const cut = column.shrinks === true ? clip : clipMiddle;
        const text = cut(row[at] ?? '', widths[at] ?? 0);
        const painted = paints && column.paint !== undefined ? column.paint(text) : text;
        // Blanks stand outside the colour, so that a padded cell does not glow.
        return pad(text, widths[at] ?? 0, column.align).replace(text, () => painted);
      })
      .join(GAP)
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

/** `3 s ago`, as one would say it; a clock that is a little ahead of ours makes no future. */
export function ago(ms: number): string {
  if (ms < 1_000) return 'now';
  return ms < 10_000 ? `${Math.round(ms / 1000)} s ago` : `${age(ms)} ago`;
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
