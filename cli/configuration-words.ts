// Which configuration a terminal runs against the one that is meant for it, in lines for `tillwatch terminal` and
// `tillwatch fleet`. Digests are cut to as much as people compare.

import type { TerminalView } from './client.ts';
import { plural } from './screen.ts';

const LINES_MAX = 5;
const NAMED_MAX = 3;
const short = (sha256: string): string => sha256.slice(0, 12);

/** What it runs, beside its other facts. */
export function runningText({ configuration }: TerminalView): string | undefined {
  if (configuration === undefined || configuration.state === 'unknown') return undefined;
  const { name, version, sha256, state } = configuration;
  if (state === 'own') return "runs under its own file's configuration";
  const what = `${name} version ${version} (${short(sha256)})`;
  return state === 'trial' ? `tries configuration ${what}` : `runs configuration ${what}`;
}

/** What of it needs a look; nothing where it runs what is meant for it. */
export function configurationLines({ configuration }: TerminalView): string[] {
  if (configuration === undefined) return [];
  const { target, behind, refused, version, name } = configuration;
  const wish = target && `${target.name} version ${target.version} (${short(target.sha256)})`;
  const isAhead = !behind && target?.name === name && version > target.version;
  return [
    ...(behind && wish !== undefined ? [`configuration ${wish} is meant for it: behind`] : []),
    ...(isAhead && target.sha256 !== configuration.sha256
      ? [`ahead of what is meant for it: configuration ${wish}`]
      : []),
    ...(refused === undefined ? [] : [`configuration not taken: ${refused}`]),
  ];
}

/** `configuration base version 4: 3 terminals behind, 1 refused it (hamm-1)`. */
export function fleetConfigurationLines(terminals: readonly TerminalView[]): string[] {
  const behind = terminals.filter(({ configuration }) => configuration?.behind === true);
  const byTarget = Map.groupBy(behind, ({ configuration }) => {
    const target = configuration?.target;
    return target === undefined ? 'not clear' : `${target.name} version ${target.version}`;
  });
  const lines = [...byTarget].map(([what, of]) => {
    const no = of.filter(({ configuration }) => configuration?.refused !== undefined);
    const names = no.slice(0, NAMED_MAX).map(({ id }) => id);
    const more = no.length > NAMED_MAX ? ', ...' : '';
    const refused =
      no.length === 0 ? '' : `, ${no.length} did not take it (${names.join(', ')}${more})`;
    return `configuration ${what}: ${plural(of.length, 'terminal')} behind${refused}`;
  });
  const left = lines.length - LINES_MAX;
  return left > 0
    ? [...lines.slice(0, LINES_MAX), `... and ${plural(left, 'configuration')} more`]
    : lines;
}
