// Which maintenances hold terminals and which versions are behind, in lines for `tillwatch fleet` and `tillwatch terminal`.
// Of a fleet, one line for each maintenance and each component, however many terminals there are.

import type { TerminalView } from './client.ts';
import { plural } from './screen.ts';
import { localClock } from './when.ts';

const LINES_MAX = 5;
const VERSIONS_MAX = 3;

const clock = (ms: number): string => localClock(ms).slice(0, 5);

/** Silent ones are told apart: what they run now nobody knows. */
const isSilent = ({ presence }: TerminalView): boolean =>
  presence === 'lost' || presence === 'never';

const cut = (lines: readonly string[], what: string): string[] => {
  const more = lines.length - LINES_MAX;
  return more > 0
    ? [...lines.slice(0, LINES_MAX), `... and ${plural(more, what)} more`]
    : [...lines];
};

/** Who maintains what, and until when. */
export function maintenanceLines(terminals: readonly TerminalView[]): string[] {
  const held = terminals.filter(({ maintenance }) => maintenance !== undefined);
  const byId = Map.groupBy(held, ({ maintenance }) => maintenance?.id ?? '');
  const lines = [...byId.values()].flatMap((of) => {
    const [first] = of;
    const { scope, untilMs, by, reason } = first?.maintenance ?? {};
    if (first === undefined || untilMs === undefined) return [];
    const whom =
      scope === 'store'
        ? `store ${first.store} (${plural(of.length, 'terminal')})`
        : `terminal ${first.id}`;
    return [`maintenance of ${whom} until ${clock(untilMs)} by ${by}: ${reason}`];
  });
  return cut(lines, 'maintenance');
}

/** `behind: sale, 12 terminals not on 2.4.1 (10 on 2.4.0, 2 on 2.3.9)`; one line for each target version. */
export function behindLines(terminals: readonly TerminalView[]): string[] {
  const all = terminals.flatMap((terminal) =>
    (terminal.behind ?? []).map((one) => ({ ...one, silent: isSilent(terminal) })),
  );
  const byTarget = Map.groupBy(all, ({ component, target }) => `${component}\0${target}`);
  const lines = [...byTarget.values()]
    .toSorted((a, b) => b.length - a.length)
    .map((of) => {
      const [{ component, target } = { component: '', target: '' }] = of;
      const heard = of.filter(({ silent }) => !silent);
      const versions = [...Map.groupBy(heard, ({ running }) => running)]
        .toSorted(([, a], [, b]) => b.length - a.length)
        .map(([version, list]) => `${list.length} on ${version}`);
      const more = versions.length > VERSIONS_MAX ? ', ...' : '';
      const which =
        versions.length === 0 ? '' : ` (${versions.slice(0, VERSIONS_MAX).join(', ')}${more})`;
      const quiet = of.length - heard.length;
      const silent = quiet === 0 ? '' : `; ${quiet} more silent`;
      const count = plural(heard.length, 'terminal');
      return `behind: ${component}, ${count} not on ${target}${which}${silent}`;
    });
  return cut(lines, 'version');
}

/** Of one terminal. */
export function upkeepLines({ maintenance, behind = [] }: TerminalView): string[] {
  const held =
    maintenance === undefined
      ? []
      : [
          `maintenance${maintenance.scope === 'store' ? ' of its store' : ''} until ` +
            `${clock(maintenance.untilMs)} by ${maintenance.by}: ${maintenance.reason}`,
        ];
  return [
    ...held,
    ...behind.map(
      ({ component, running, target }) => `behind: ${component} runs ${running}, target ${target}`,
    ),
  ];
}
