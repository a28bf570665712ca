// `tillwatch fleet`: how many terminals are out there, which versions they run, and which need somebody.
// Those that need somebody come first, because in a large fleet nobody reads to the end.

import type { ComponentView, FleetView, Presence, TerminalView } from '../client.ts';
import { type Context, printJson } from '../context.ts';
import { done, ended, type Outcome } from '../exit.ts';
import { age, plural, type Style, table } from '../screen.ts';

const ROWS_MAX = 40;
const PRESENCE_ORDER: readonly Presence[] = ['lost', 'late', 'never', 'online'];

const isWell = (terminal: TerminalView): boolean =>
  terminal.presence === 'online' &&
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

const restartsOf = (terminal: TerminalView): number =>
  terminal.components.reduce((sum, component) => sum + component.restartsTotal, 0);

function byNeed(a: TerminalView, b: TerminalView): number {
  return (
    Number(isWell(a)) - Number(isWell(b)) ||
    PRESENCE_ORDER.indexOf(a.presence) - PRESENCE_ORDER.indexOf(b.presence) ||
    a.store.localeCompare(b.store) ||
    a.id.localeCompare(b.id)
  );
}

/** The versions in use, one line for each component. */
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
  rowsMax: number = ROWS_MAX,
): string[] {
  const rows = [...terminals]
    .sort(byNeed)
    .slice(0, rowsMax)
    .map((terminal) => [
      terminal.id,
      terminal.store,
      terminal.presence,
      terminal.lastSeenMs === undefined ? '-' : age(now - terminal.lastSeenMs),
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
  );
  const hidden = terminals.length - rows.length;
  return hidden > 0 ? [...lines, `... and ${plural(hidden, 'terminal')} more: --all`] : lines;
}

function summary(fleet: FleetView): string {
  const { total, online, late, lost, never } = fleet.terminals;
  const counts = [`${online} online`, `${late} late`, `${lost} lost`, `${never} never seen`];
  return `${plural(total, 'terminal')}: ${counts.join(', ')}`;
}

export async function runFleet(context: Context, options: { all?: boolean }): Promise<Outcome> {
  const [fleet, terminals] = await Promise.all([
    context.client.get<FleetView>('/api/v1/fleet', ['terminals', 'versions']),
    context.client.get<{ terminals: TerminalView[] }>('/api/v1/terminals', ['terminals']),
  ]);
  if (!fleet.ok) return ended(fleet.exit, fleet.sentence);
  if (!terminals.ok) return ended(terminals.exit, terminals.sentence);
  const all = terminals.value.terminals;
  if (context.json) {
    printJson(context, { fleet: fleet.value, terminals: all });
    return done;
  }
  context.print(context.style.bold(summary(fleet.value)));
  if (fleet.value.versions.length > 0) {
    context.print('');
    for (const line of versionLines(fleet.value)) context.print(line);
  }
  if (all.length > 0) {
    context.print('');
    const rowsMax = options.all === true ? all.length : ROWS_MAX;
    for (const line of terminalLines(all, context.nowMs(), context.style, rowsMax)) {
      context.print(line);
    }
  }
  return done;
}
