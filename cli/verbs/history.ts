// `tillwatch terminal ID --history METRIC`: how one metric of a terminal went, as a line of blocks for each series,
// as wide as the screen. For a look from a console at night; dashboards are for everything else.

import { parseId } from '../../protocol/ids.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { refusedFor } from '../names.ts';
import { age, tame } from '../screen.ts';
import { parseWhen } from '../when.ts';

const BLOCKS = [...'▁▂▃▄▅▆▇█'];
/** A line may be that much narrower than the screen, for its indent. */
const INDENT = '  ';
const METRIC = /^[a-zA-Z_:][a-zA-Z0-9_:]{0,127}$/;

type Point = readonly [timeMs: number, value: number | string];
export type HistoryView = {
  readonly terminal: string;
  readonly name: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly series: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly points: readonly Point[];
  }[];
  readonly more: boolean;
};

const finite = (points: readonly Point[]): (readonly [number, number])[] =>
  points.flatMap(([at, value]) => (typeof value === 'number' ? [[at, value] as const] : []));

/** Short enough to read, exact enough to compare. */
const shown = (value: number): string => String(Number(value.toPrecision(4)));

/** One block a column: the highest of its time, a gap where nothing was measured. */
function sparkline(
  points: readonly (readonly [number, number])[],
  { sinceMs, untilMs }: HistoryView,
  columns: number,
  [least, most]: readonly [number, number],
): string {
  const cells: (number | undefined)[] = Array.from({ length: columns }, () => undefined);
  for (const [at, value] of points) {
    const cell = Math.floor(((at - sinceMs) / (untilMs - sinceMs + 1)) * columns);
    const before = cells[cell];
    if (cell >= 0 && cell < columns) {
      cells[cell] = before === undefined ? value : Math.max(before, value);
    }
  }
  const height = most - least;
  return cells
    .map((value) => {
      if (value === undefined) return ' ';
      const step = height === 0 ? 0 : Math.round(((value - least) / height) * (BLOCKS.length - 1));
      return BLOCKS[step] ?? ' ';
    })
    .join('');
}

export function historyLines(view: HistoryView, columnsMax: number): string[] {
  const { terminal, name, sinceMs, untilMs, series, more } = view;
  const lines = [`${name} of ${terminal}, the last ${age(untilMs - sinceMs)}`];
  if (series.length === 0) return [...lines, `${INDENT}nothing of it is kept`];
  for (const { labels, points } of series) {
    const numbers = finite(points);
    const values = numbers.map(([, value]) => value);
    const edges = [
      values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
      values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
    ] as const;
    const label = Object.entries(labels).map(([key, value]) => `${key}=${tame(value)}`);
    const last = values.at(-1);
    const facts =
      last === undefined
        ? 'no number'
        : `min ${shown(edges[0])}, max ${shown(edges[1])}, last ${shown(last)}`;
    lines.push([...label, facts].join(' '));
    lines.push(INDENT + sparkline(numbers, view, columnsMax - INDENT.length, edges).trimEnd());
  }
  return more
    ? [...lines, 'There are more series of this name; the API takes label=NAME=VALUE.']
    : lines;
}

export async function runHistory(
  context: Context,
  id: string,
  { name, since }: { readonly name: string; readonly since: string },
): Promise<Outcome> {
  const checked = parseId('terminal', id);
  if (!checked.ok) return ended(EXIT.usage, checked.reason);
  if (!METRIC.test(name)) {
    return ended(
      EXIT.usage,
      `--history "${tame(name).slice(0, 40)}" is no metric: say one such as pos_host_load1`,
    );
  }
  const now = context.nowMs();
  const from = parseWhen('--since', since, now);
  if (!from.ok) return ended(EXIT.usage, from.reason);
  const points = String(context.style.columns - INDENT.length);
  const times = { since: String(Math.floor(from.value)), until: String(Math.floor(now)) };
  const query = new URLSearchParams({ name, by: 'max', points, ...times });
  const path = `/api/v1/terminals/${id}/history?${query}`;
  const reply = await context.client.get<HistoryView>(path, ['series', 'name']);
  if (!reply.ok) return await refusedFor(context.client, reply, { terminal: id });
  if (context.json) printJson(context, reply.value);
  else for (const line of historyLines(reply.value, context.style.columns)) context.print(line);
  return done;
}
