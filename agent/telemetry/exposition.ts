// Reads Prometheus' text format 0.0.4 as components expose it. Pure and total: whatever bytes a
// component answers with, the result is the samples that could be read and a count of lines that could
// not. Help texts are skipped and timestamps ignored: all samples of a scrape are taken at its own time.
// Which series are parts of one histogram is told by the types (families.ts).

import type { Sample } from '../../protocol/metric-body.ts';

export type Exposition = {
  readonly samples: readonly Sample[];
  readonly garbageLines: number;
  /** By name, as the component says; of at most as many names as there may be series. */
  readonly types: ReadonlyMap<string, string>;
};

/** More series than any budget would let pass; what follows is counted as garbage. */
export const SERIES_MAX = 2_000;
const TYPE = /^#[ \t]+TYPE[ \t]+(\S+)[ \t]+([a-z]+)[ \t]*$/;
const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const LABEL_NAME = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const BLANK = /[ \t]*/y;
/** A value and an optional timestamp in milliseconds. */
const REST = /^(\S+)(?:[ \t]+-?\d+)?[ \t]*$/;
/** Go's strconv.ParseFloat, which the format is defined by, without its hexadecimal and underscores. */
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const SPECIAL: ReadonlyMap<string, number> = new Map([
  ['nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['infinity', Number.POSITIVE_INFINITY],
]);

/** A place in one line. */
type Cursor = { readonly line: string; at: number };

function match(cursor: Cursor, pattern: RegExp): string | undefined {
  pattern.lastIndex = cursor.at;
  const found = pattern.exec(cursor.line)?.[0];
  if (found !== undefined) cursor.at += found.length;
  return found;
}

function eat(cursor: Cursor, character: string): boolean {
  match(cursor, BLANK);
  if (cursor.line[cursor.at] !== character) return false;
  cursor.at += 1;
  return true;
}

/** In a label value only these three are escaped; any other backslash stands for itself. */
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['\\', '\\'],
  ['"', '"'],
]);

function readQuoted(cursor: Cursor): string | undefined {
  if (!eat(cursor, '"')) return undefined;
  let value = '';
  while (cursor.at < cursor.line.length) {
    const character = cursor.line[cursor.at] ?? '';
    cursor.at += 1;
    if (character === '"') return value;
    const escaped = character === '\\' ? ESCAPES.get(cursor.line[cursor.at] ?? '') : undefined;
    if (escaped !== undefined) cursor.at += 1;
    value += escaped ?? character;
  }
  return undefined;
}

function readLabels(cursor: Cursor): Record<string, string> | undefined {
  const labels: Record<string, string> = Object.create(null);
  if (!eat(cursor, '{')) return labels;
  while (!eat(cursor, '}')) {
    match(cursor, BLANK);
    const name = match(cursor, LABEL_NAME);
    if (name === undefined || name in labels || !eat(cursor, '=')) return undefined;
    const value = readQuoted(cursor);
    if (value === undefined) return undefined;
    labels[name] = value;
    if (eat(cursor, ',')) continue;
    if (!eat(cursor, '}')) return undefined;
    break;
  }
  return labels;
}

export function readNumber(text: string): number | undefined {
  if (NUMBER.test(text)) return Number(text);
  const negative = text.startsWith('-');
  const special = SPECIAL.get(text.replace(/^[+-]/, '').toLowerCase());
  if (special === undefined) return undefined;
  return negative ? -special : special;
}

function readSample(line: string): Sample | undefined {
  const cursor: Cursor = { line, at: 0 };
  match(cursor, BLANK);
  const name = match(cursor, NAME);
  if (name === undefined) return undefined;
  const labels = readLabels(cursor);
  if (labels === undefined) return undefined;
  match(cursor, BLANK);
  const parted = /[ \t}]/.test(line[cursor.at - 1] ?? '');
  const text = parted ? REST.exec(line.slice(cursor.at))?.[1] : undefined;
  const value = text === undefined ? undefined : readNumber(text);
  return value === undefined ? undefined : { name, labels: { ...labels }, value };
}

export function parseExposition(text: string): Exposition {
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  let garbageLines = 0;
  for (const raw of text.split('\n')) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    const start = line.trimStart();
    if (start === '') continue;
    if (start.startsWith('#')) {
      const [, name, type] = TYPE.exec(start) ?? [];
      if (name !== undefined && type !== undefined && types.size < SERIES_MAX)
        types.set(name, type);
      continue;
    }
    const sample = samples.length < SERIES_MAX ? readSample(line) : undefined;
    if (sample === undefined) garbageLines += 1;
    else samples.push(sample);
  }
  return { samples, garbageLines, types };
}
