// A table of stores, one row each, as a spreadsheet writes it. Columns are found by their names in the first row, in any
// order; what is not there is as if left out. Cells that hold several things part them with ";". What a table cannot say
// well (labels of single terminals) needs YAML. Excel's byte order mark and semicolons between cells are understood.

import type { Parsed } from './file.ts';
import type { Path } from './relations.ts';
import { WEEKDAYS } from './types.ts';

export const COLUMNS = [
  ...['id', 'name', 'region', 'time_zone', ...WEEKDAYS],
  ...['exceptions', 'lanes', 'labels', 'terminals'],
] as const;
const NEEDED = ['id', 'region', 'time_zone'] as const;
/** A name that a spreadsheet would take for a formula, or that is marked as text already. */
export const FORMULA = /^'*[=+@-]/;
const FIELD_BYTES_MAX = 256 * 1024;

type Row = { readonly line: number; readonly cells: Readonly<Record<string, string>> };

const partsOf = (cell: string, by: RegExp): string[] =>
  cell
    .split(by)
    .map((part) => part.trim())
    .filter((part) => part !== '');

/** `2026-12-24 08:00-14:00; 2026-12-25..2026-12-26 closed` */
function exceptionOf(text: string): unknown {
  const [dates = '', ...rest] = text.split(/\s+/);
  const [from = '', to] = dates.split('..');
  const hours = rest.join(' ');
  return to === undefined ? { date: from, hours } : { from, to, hours };
}

function storeOf({ cells }: Row): Record<string, unknown> {
  const cell = (name: string): string => cells[name]?.trim() ?? '';
  const given = (name: string, key = name) => (cell(name) === '' ? {} : { [key]: cell(name) });
  const name = cell('name');
  const plain = name.startsWith("'") && FORMULA.test(name) ? name.slice(1) : name;
  const days = WEEKDAYS.filter((day) => cell(day) !== '');
  const lanes = cell('lanes');
  return {
    ...{
      ...given('id'),
      ...(name !== '' && { name: plain }),
      ...given('region'),
      ...given('time_zone', 'timeZone'),
    },
    // No day at all: nothing is known of its hours. A day that is left out beside others is closed.
    ...(days.length > 0 && { hours: Object.fromEntries(days.map((day) => [day, cell(day)])) }),
    exceptions: partsOf(cell('exceptions'), /;/).map(exceptionOf),
    ...(lanes !== '' && { lanes: /^\d+$/.test(lanes) ? Number(lanes) : lanes }),
    labels: partsOf(cell('labels'), /[;\s]/),
    terminals: partsOf(cell('terminals'), /[;\s]/),
  };
}

const columnOf = (key: string | number | undefined): string =>
  key === 'timeZone' ? 'time_zone' : String(key ?? '');

function whereIn(rows: readonly Row[]) {
  return (path: Path) => {
    const [, at, field, day] = path;
    const line = rows[Number(at)]?.line ?? 1;
    // Of hours, the day is the column.
    return { name: columnOf(field === 'hours' ? (day ?? 'mon') : field), line };
  };
}

function wrongHead(head: readonly string[]): string | undefined {
  const strange = head.find((name) => !(COLUMNS as readonly string[]).includes(name));
  if (strange !== undefined) {
    const known = COLUMNS.join(', ');
    return `there is no column "${strange.slice(0, 40)}" (line 1); columns are ${known}`;
  }
  const missing = NEEDED.find((name) => !head.includes(name));
  if (missing !== undefined) return `the column ${missing} is missing (line 1)`;
  const twice = head.find((name, at) => head.indexOf(name) !== at);
  return twice === undefined ? undefined : `the column ${twice} is there twice (line 1)`;
}

export async function readCsv(text: string): Promise<Parsed> {
  const { parse } = await import('csv-parse/sync');
  const [first = ''] = text.split(/\r?\n/, 1);
  let records: readonly { record: string[]; info: { lines: number } }[];
  try {
    records = parse(text, {
      ...{ bom: true, info: true, skip_empty_lines: true, relax_column_count: true },
      // A spreadsheet of a country that writes 1,5 parts cells so.
      delimiter: first.includes(';') && !first.includes(',') ? ';' : ',',
      max_record_size: FIELD_BYTES_MAX,
    }) as unknown as typeof records;
  } catch (cause) {
    return { ok: false, problems: [`not valid CSV: ${(cause as Error).message}`] };
  }
  const [top, ...body] = records;
  const head = (top?.record ?? []).map((name) => name.trim().toLowerCase());
  const wrong = top === undefined ? 'the file is empty' : wrongHead(head);
  if (wrong !== undefined) return { ok: false, problems: [wrong] };
  const long = body.find(({ record }) => record.length > head.length);
  if (long !== undefined) {
    const cells = `${long.record.length} cells under ${head.length} columns`;
    const sentence = `line ${long.info.lines}: ${cells}: quote a cell with a comma in it`;
    return { ok: false, problems: [sentence] };
  }
  const rows = body.map(({ record, info }): Row => {
    const cells = Object.fromEntries(head.map((name, at) => [name, record[at] ?? '']));
    return { line: info.lines, cells };
  });
  return { ok: true, value: { stores: rows.map(storeOf) }, whereOf: whereIn(rows) };
}
