// `tillwatch fleet`: how many terminals are out there, which versions they run, and which need somebody.
// Those that need somebody come first, because in a large fleet nobody reads to the end; a fleet that does
// not fit a screen is summed up, and only its worst are named.

import type { ComponentView, FleetView, Presence, TerminalView } from '../client.ts';
import { fleetConfigurationLines } from '../configuration-words.ts';
import { type Context, printJson } from '../context.ts';
import { done, ended, type Outcome } from '../exit.ts';
import { identityWord, twinWords } from '../identity-words.ts';
import { presenceWord } from '../presence-words.ts';
import { ago, COLUMNS, plural, type Style, table, wrap } from '../screen.ts';
import { allStores, summaryOf } from '../stores.ts';
import { allTerminals } from '../terminals.ts';
import { behindLines, maintenanceLines } from '../upkeep-words.ts';

/** A fleet up to this is listed whole; of a larger one only the worst. */
const LISTED_MAX = 15;
const WORST_MAX = 10;
const PRESENCE_ORDER: readonly Presence[] = ['lost', 'late', 'never', 'online'];

const isWell = (terminal: TerminalView): boolean =>
  terminal.presence === 'online' &&
  identityWord(terminal) === undefined &&
  terminal.components.every((component) => component.state === 'ready');

/** `3 ready`, or `1 quarantined, 2 ready`: what is not ready first. */
export function stateCounts(components: readonly ComponentView[]): string {
  const counts = new Map<string, number>();
  for (const { state } of components) counts.set(state, (counts.get(state) ?? 0) + 1);
  const names = [...counts.keys()].sort(
    (a, b) => Number(a === 'ready') - Number(b === 'ready') || a.localeCompare(b),
  );
  return names.map((name) => `${counts.get(name)} ${name}`).join(', ') || '-';
}

/** Suspended and revoked ones, and twins, are seen at a glance. */
const presenceCell = (terminal: TerminalView): string =>
  [
    ...[presenceWord(terminal.presence), identityWord(terminal)],
    terminal.maintenance && 'maintenance',
  ]
    .filter((word) => word !== undefined)
    .join(', ');

const TWINS_MAX = 5;
/** Each on a line of its own: somebody has to do something about it. */
export const twinLines = (terminals: readonly TerminalView[]): string[] =>
  terminals
    .flatMap((terminal) => {
      const words = twinWords(terminal);
      return words === undefined ? [] : [`${terminal.id}: ${words}`];
    })
    .slice(0, TWINS_MAX)
    .flatMap((line) => wrap(line, COLUMNS));

const restartsOf = (terminal: TerminalView): number =>
  terminal.components.reduce((sum, component) => sum + component.restartsTotal, 0);

const byPlace = (a: TerminalView, b: TerminalView): number =>
  a.store.localeCompare(b.store) || a.id.localeCompare(b.id);

const byNeed = (a: TerminalView, b: TerminalView): number =>
  Number(isWell(a)) - Number(isWell(b)) ||
  PRESENCE_ORDER.indexOf(a.presence) - PRESENCE_ORDER.indexOf(b.presence);

/** Of those that are well, the ones that had to be restarted most are the next to look at. */
const worstFirst = (a: TerminalView, b: TerminalView): number =>
  byNeed(a, b) || restartsOf(b) - restartsOf(a) || byPlace(a, b);

/** The versions in use, one line each. */
export function versionLines(fleet: FleetView, indent = ''): string[] {
  const rows = [...fleet.versions]
    .sort((a, b) => a.component.localeCompare(b.component) || a.version.localeCompare(b.version))
    .map(({ component, version, terminals }) => [component, version, String(terminals)]);
  const columns = [
    { title: 'COMPONENT', shrinks: true },
    { title: 'VERSION' },
    { title: 'TERMINALS', align: 'right' },
  ] as const;
  return table(columns, rows, undefined, indent);
}

export function terminalLines(
  terminals: readonly TerminalView[],
  now: number,
  style: Style,
  rowsMax: number = terminals.length > LISTED_MAX ? WORST_MAX : LISTED_MAX,
): string[] {
  const isCut = terminals.length > rowsMax;
  const rows = [...terminals]
    .sort(isCut ? worstFirst : (x, y) => byNeed(x, y) || byPlace(x, y))
    .slice(0, rowsMax)
    .map((terminal) => [
      terminal.id,
      terminal.store,
      presenceCell(terminal),
      terminal.lastSeenMs === undefined ? '-' : ago(now - terminal.lastSeenMs),
      stateCounts(terminal.components),
      String(restartsOf(terminal)),
    ]);
  const presence = (cell: string) =>
    cell === 'online' ? style.good(cell) : cell === 'lost' ? style.bad(cell) : style.warn(cell);
  const lines = table(
    [
      { title: 'TERMINAL' },
      { title: 'STORE' },
      { title: 'PRESENCE', paint: presence },
      { title: 'SEEN', align: 'right' },
      { title: 'COMPONENTS', shrinks: true },
      { title: 'RESTARTS', align: 'right' },
    ],
    rows,
    style.columns,
  );
  const hidden = terminals.length - rows.length;
  return hidden > 0 ? [...lines, `... and ${plural(hidden, 'terminal')} more: --all`] : lines;
}

function summary(fleet: FleetView): string {
  const { total, online, late, lost, never } = fleet.terminals;
  const counts = [`${online} online`, `${late} late`, `${lost} lost`, `${never} never reported`];
  return `${plural(total, 'terminal')}: ${counts.join(', ')}`;
}

/** `sale  2.4.1 on 31, 2.5.0 on 10`: the commonest first, one line for each component. */
export function versionSummary(fleet: FleetView): string[] {
  const byComponent = Map.groupBy(fleet.versions, ({ component }) => component);
  const names = [...byComponent.keys()].sort((a, b) => a.localeCompare(b));
  const width = Math.max(...names.map((name) => name.length), 0) + 2;
  return names.flatMap((name) => {
    const versions = (byComponent.get(name) ?? [])
      .toSorted((a, b) => b.terminals - a.terminals || a.version.localeCompare(b.version))
      .map(({ version, terminals }) => `${version} on ${terminals}`);
    return wrap(versions.join(', '), COLUMNS - width).map(
      (line, at) => (at === 0 ? name : '').padEnd(width) + line,
    );
  });
}

/** What a screen has room for before the terminals themselves. */
export function needLines(terminals: readonly TerminalView[]): string[] {
  const stores = new Set(terminals.map(({ store }) => store)).size;
  const ill = terminals.filter((terminal) => !isWell(terminal)).length;
  const open = terminals.reduce((sum, { openIncidents }) => sum + openIncidents.length, 0);
  const need = ill === 0 ? 'all are well' : `${plural(ill, 'terminal')} not well`;
  return [`${plural(stores, 'store')}, ${need}, ${plural(open, 'open incident')}`];
}

export async function runFleet(context: Context, options: { all?: boolean }): Promise<Outcome> {
  const [fleet, terminals, known] = await Promise.all([
    context.client.get<FleetView>('/api/v1/fleet', ['terminals', 'versions']),
    allTerminals(context.client),
    allStores(context.client),
  ]);
  if (!fleet.ok) return ended(fleet.exit, fleet.sentence);
  if (!terminals.ok) return ended(terminals.exit, terminals.sentence);
  const all = terminals.value;
  if (context.json) {
    printJson(context, { fleet: fleet.value, terminals: all, ...(known.ok ? known.value : {}) });
    return done;
  }
  const isLarge = all.length > LISTED_MAX;
  const lines = [
    context.style.bold(summary(fleet.value)),
    ...storesLines(known, context.style),
    ...(isLarge ? needLines(all) : []),
    ...twinLines(all),
    ...[...maintenanceLines(all), ...behindLines(all), ...fleetConfigurationLines(all)].flatMap(
      (line) => wrap(line, COLUMNS),
    ),
    ...withGap(isLarge ? versionSummary(fleet.value) : versionsOf(fleet.value)),
    ...withGap(all.length === 0 ? [] : listOf(context, all, options.all === true)),
  ];
  for (const line of lines) context.print(line);
  return done;
}

/** Of a broker that knows no stores, or that nobody has told of any: nothing. */
const storesLines = (known: Awaited<ReturnType<typeof allStores>>, style: Style): string[] =>
  known.ok && known.value.stores.length > 0
    ? wrap(summaryOf(known.value.stores), style.columns)
    : [];

const withGap = (lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : ['', ...lines];

const versionsOf = (fleet: FleetView): string[] =>
  fleet.versions.length === 0 ? [] : versionLines(fleet);

const listOf = (context: Context, all: readonly TerminalView[], whole: boolean): string[] =>
  terminalLines(all, context.nowMs(), context.style, whole ? all.length : undefined);
