// `tillwatch stores` and `tillwatch stores show`: which stores are open, how many lanes should sell there and how many do.
// Those where fewer sell than should stand first.

import { parseId } from '../../protocol/ids.ts';
import type { TerminalView } from '../client.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { presenceWord } from '../presence-words.ts';
import { ago, table, wrap } from '../screen.ts';
import { allStores, missing, openWords, type StoreView, summaryOf } from '../stores.ts';
import { allTerminals } from '../terminals.ts';

const byNeed = (a: StoreView, b: StoreView): number =>
  missing(b) - missing(a) || a.id.localeCompare(b.id);

function storeLines({ style, nowMs }: Context, stores: readonly StoreView[]): string[] {
  const rows = [...stores]
    .sort(byNeed)
    .map((store) => [
      store.id,
      store.region,
      openWords(store, nowMs()),
      store.open === undefined ? '-' : String(store.lanesExpected),
      String(store.counts.selling),
      `${store.counts.online} of ${store.counts.terminals}`,
      String(store.counts.never),
      String(store.counts.maintenance),
    ]);
  const columns = [
    ...[{ title: 'STORE' }, { title: 'REGION' }, { title: 'NOW', shrinks: true }],
    { title: 'EXPECTED', align: 'right' },
    { title: 'SELLING', align: 'right' },
    { title: 'ONLINE', align: 'right' },
    { title: 'NEVER', align: 'right' },
    { title: 'MAINT.', align: 'right' },
  ] as const;
  return table(columns, rows, style.columns);
}

export async function runStores(context: Context, region: string | undefined): Promise<Outcome> {
  const { client, print, json, style } = context;
  const reply = await allStores(client);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const all = reply.value.stores;
  const stores = all.filter((one) => region === undefined || one.region === region);
  if (json) {
    printJson(context, { stores });
    return done;
  }
  if (stores.length === 0) {
    const regions = [...new Set(all.map((one) => one.region))].sort();
    if (regions.length > 0) {
      return ended(EXIT.usage, `no store is in "${region}"; regions are ${regions.join(', ')}`);
    }
    print('nothing is known of any store yet: tillwatch stores apply FILE --reason WHY');
    return done;
  }
  for (const line of wrap(summaryOf(stores), style.columns)) print(style.bold(line));
  print('');
  for (const line of storeLines(context, stores)) print(line);
  return done;
}

function hoursLines({ hours, exceptions = [] }: StoreView): string[] {
  if (hours === undefined) return ['hours     not known: nothing is expected there'];
  const days = Object.entries(hours).map(([day, of]) => `  ${day}  ${of}`);
  const dates = exceptions.map(({ from, to, hours: of, reason }) => {
    const date = from === to ? from : `${from} to ${to}`;
    return `  ${date}  ${of}${reason === undefined ? '' : `  (${reason})`}`;
  });
  return ['hours', ...days, ...(dates.length === 0 ? [] : ['exceptions', ...dates])];
}

function detailLines(
  context: Context,
  store: StoreView,
  terminals: readonly TerminalView[],
): string[] {
  const { style, nowMs } = context;
  const { id, name, region, timeZone, lanesExpected, counts, labels = [] } = store;
  const now = openWords(store, nowMs());
  const rows = terminals.map((one) => [
    one.id,
    presenceWord(one.presence),
    one.lastSeenMs === undefined ? '-' : ago(nowMs() - one.lastSeenMs),
    (one.labels ?? []).filter((label) => !labels.includes(label)).join(' '),
  ]);
  const columns = [
    ...[{ title: 'TERMINAL' }, { title: 'PRESENCE' }],
    ...[{ title: 'SEEN' }, { title: 'LABELS', shrinks: true }],
  ];
  return [
    `${style.bold(id)}${name === undefined ? '' : `, ${name}`} in ${region}, ${timeZone}: ${now}`,
    `lanes     ${lanesExpected} expected now, ${counts.selling} selling`,
    ...(labels.length === 0 ? [] : [`labels    ${labels.join(' ')}`]),
    ...hoursLines(store),
    ...(rows.length === 0 ? [] : ['', ...table(columns, rows, style.columns)]),
  ];
}

export async function runStore(context: Context, id: string): Promise<Outcome> {
  const named = parseId('store', id);
  if (!named.ok) return ended(EXIT.usage, named.reason);
  const reply = await context.client.get<StoreView>(`/api/v1/stores/${id}`, ['id', 'counts']);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const found = await allTerminals(context.client);
  if (!found.ok) return ended(found.exit, found.sentence);
  const terminals = found.value.filter(({ store }) => store === id);
  if (context.json) {
    printJson(context, { ...reply.value, standing: terminals.map((one) => one.id) });
    return done;
  }
  for (const line of detailLines(context, reply.value, terminals)) context.print(line);
  return done;
}
