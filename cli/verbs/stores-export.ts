// `tillwatch stores export`: all stores as a file that apply takes and that then changes nothing. A table is refused where
// it would lose something, because whoever applied it again would lose it for the fleet.

import { writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { FORMULA } from '../../broker/stores/csv.ts';
import type { Context } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { allStores, type StoreText, type StoreView } from '../stores.ts';

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const COLUMNS = [
  ...['id', 'name', 'region', 'time_zone', ...DAYS],
  ...['exceptions', 'lanes', 'labels', 'terminals'],
];

const textOf = ({
  open: _,
  changesMs: __,
  lanesExpected: ___,
  counts: ____,
  ...text
}: StoreView): StoreText => text;

/** `mon-fri` for days that follow each other and have the same hours. */
function shorten(hours: Readonly<Record<string, string>>): Record<string, string> {
  const short: Record<string, string> = {};
  for (let from = 0; from < DAYS.length; ) {
    const [first = ''] = DAYS.slice(from);
    const rest = DAYS.slice(from).findIndex((day) => hours[day] !== hours[first]);
    const until = rest < 0 ? DAYS.length : from + rest;
    const last = DAYS[until - 1] ?? first;
    short[first === last ? first : `${first}-${last}`] = hours[first] ?? 'closed';
    from = until;
  }
  return short;
}
const readable = (store: StoreText): StoreText =>
  store.hours === undefined ? store : { ...store, hours: shorten(store.hours) };

/** A spreadsheet would work these out; with a mark before them they are text, and apply takes the mark away. */
const markOf = (name: string): string => (FORMULA.test(name) ? `'${name}` : name);
const cellOf = (text: string): string =>
  /[",\n;]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

function rowOf(store: StoreText): string {
  const { id, name = '', region, timeZone, hours = {}, exceptions = [], lanes } = store;
  const dates = exceptions.map(({ from, to, hours: of }) =>
    from === to ? `${from} ${of}` : `${from}..${to} ${of}`,
  );
  const cells = [
    ...[id, markOf(name), region, timeZone, ...DAYS.map((day) => hours[day] ?? '')],
    ...[dates.join('; '), lanes === undefined ? '' : String(lanes)],
    ...[(store.labels ?? []).join(' '), (store.terminals ?? []).join(' ')],
  ];
  return cells.map(cellOf).join(',');
}

/** What a table cannot say. */
function lossOf(stores: readonly StoreText[]): string | undefined {
  const labelled = stores.find(({ terminals = [] }) =>
    terminals.some((t) => typeof t !== 'string'),
  );
  if (labelled !== undefined) return `labels of terminals in ${labelled.id}`;
  const reasoned = stores.find(({ exceptions = [] }) => exceptions.some(({ reason }) => reason));
  return reasoned && `reasons of exceptions in ${reasoned.id}`;
}

export async function runExport(
  { client, print, json }: Context,
  { output, isCsv }: { readonly output: string | undefined; readonly isCsv: boolean },
): Promise<Outcome> {
  const reply = await allStores(client);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const stores = reply.value.stores.map(textOf);
  const asTable = isCsv || output?.toLowerCase().endsWith('.csv') === true;
  let text: string;
  if (json) text = JSON.stringify({ stores }, undefined, 2);
  else if (asTable) {
    const loss = lossOf(stores);
    if (loss !== undefined) return ended(EXIT.usage, `a table cannot hold ${loss}: write YAML`);
    text = [COLUMNS.join(','), ...stores.map(rowOf)].join('\n');
  } else {
    text = stringify({ stores: stores.map(readable) }, { lineWidth: 100 }).trimEnd();
  }
  if (output === undefined) {
    print(text);
    return done;
  }
  try {
    writeFileSync(output, `${text}\n`);
  } catch (error) {
    return ended(EXIT.usage, `--output: ${(error as Error).message}`);
  }
  return done;
}
