// Joins the drills to the rooms of the agent, and to whoever stands at the till: the requests `drill` and
// `drill_view` of the control socket. Only wiring.

import { join } from 'node:path';
import type { Command } from '../../protocol/commands.ts';
import type { AtTill } from '../at-till.ts';
import type { Commands } from '../commands.ts';
import type { Hands } from '../hands.ts';
import { createPuncher } from '../punch.ts';
import type { Rooms } from '../rooms.ts';
import type { Supervisor } from '../supervisor.ts';
import { realJournalDisk } from '../system/journal-files.ts';
import { readSpace } from '../system/space.ts';
import { AGENT_VERSION } from '../version.ts';
import { DrillDesk } from './desk.ts';

export type DrillParts = {
  readonly hands: Pick<Hands, 'control' | 'report'>;
  readonly supervisor: Supervisor;
  readonly isHeld: () => boolean;
  readonly commands: () => Commands;
};

export function openDrills(rooms: Rooms, parts: DrillParts): DrillDesk {
  const { config, ports, log, disk, output } = rooms;
  const { hands, supervisor, isHeld, commands } = parts;
  return new DrillDesk({
    ...{ config, ports, log, disk, output, supervisor, isHeld, readSpace },
    version: AGENT_VERSION,
    control: hands.control,
    files: realJournalDisk,
    puncher: createPuncher(ports, join(config.runDir, 'drill.said')),
    report: hands.report,
    commandDone: (...end) => commands().done(...end),
  });
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 200) : '');

export function drillsAtTill(atTill: AtTill, desk: DrillDesk): void {
  atTill.register('drill', async ({ fault, component, by, reason }) => {
    const why = `${textOf(by) || 'somebody at the till'} asked for it: ${textOf(reason) || 'no reason given'}`;
    const begun = await desk.begin({ fault, component, reason: why });
    return begun.ok ? begun : { ...begun, refused: true };
  });
  atTill.register('drill_view', () => {
    const report = desk.view();
    return report === undefined
      ? { ok: false, reason: 'there was no drill since this agent began' }
      : { ok: true, value: report };
  });
}

export function obeyDrill(
  desk: DrillDesk,
  done: (id: string, succeeded: boolean, reason: string) => void,
  command: Extract<Command, { kind: 'drill' }>,
): void {
  const { id, operator, reason } = command;
  const { fault, component } = command.arguments;
  const wish = { fault, component, reason: `${operator} asked for it: ${reason}`, command: id };
  void desk.begin(wish).then((begun) => {
    if (!begun.ok) done(id, false, begun.reason);
  });
}
