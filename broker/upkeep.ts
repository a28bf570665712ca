// Which versions should run, under which configuration, and what is maintained when: rooms that lean on the fleet, its
// stores and the queue of commands, and that nothing leans on. Apart from back.ts, which opens the rooms that others need.

import type { Back, World } from './back.ts';
import type { Bulks } from './bulk/desk.ts';
import type { Notices } from './bulk/notices.ts';
import type { StateOf } from './commands/standing.ts';
import { type Configurations, openConfigurations } from './configurations/configurations.ts';
import { type Maintenances, openMaintenances } from './maintenance/room.ts';
import type { Log } from './ports.ts';
import { openTargets, type Targets } from './targets/desk.ts';

export type Upkeep = {
  readonly targets: Targets;
  readonly maintenances: Maintenances;
  readonly configurations: Configurations;
};

type Shared = Pick<Back, 'fleet' | 'audit' | 'metrics' | 'commands' | 'stores'> &
  Pick<World, 'clock' | 'timers'> & { readonly log: Log; readonly bulks: Bulks } & {
    readonly notices: Notices;
    readonly stateOf: StateOf;
    /** As bulk actions stop. */
    readonly failurePercent: number;
  };

export function openUpkeep(shared: Shared, { undo }: Pick<World, 'undo'>): Upkeep {
  const targets = openTargets(shared);
  undo.push(targets.close);
  const maintenances = openMaintenances(shared);
  undo.push(maintenances.close);
  const isMaintained = maintenances.inMaintenance.ofTerminal;
  const configurations = openConfigurations({ ...shared, isMaintained });
  undo.push(configurations.close);
  shared.metrics.watch({
    configurations: configurations.figures,
    rolloutRoles: targets.roles,
    versionsBehind: targets.behindCounts,
    inMaintenance: maintenances.count,
  });
  return { targets, maintenances, configurations };
}
