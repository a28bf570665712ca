// Whose process is it already? Where a pid command or a pid file of an external component is wrong, it may well name a
// process that the agent watches under another name; believed, that one would be killed for the other's faults. The
// records on tmpfs are asked and not what is watched at the moment: an agent that begins adopts one component
// after the other, and the first must not be given what the last will find.

import type { ComponentConfig } from '../../configuration/config.ts';
import type { Ports } from '../ports.ts';
import { identityOf, readExternal } from './external-record.ts';
import { placeOf } from './hands.ts';
import { type Identity, isAlive } from './identity.ts';
import { readRecord } from './record.ts';

/** As configured now: a record under a name that nobody has any more keeps nothing from its new name. */
export type Other = Pick<ComponentConfig, 'name' | 'run'>;

function identitiesOf(ports: Ports, runDir: string, { name, run }: Other): Identity[] {
  const bootId = ports.clock.bootId();
  if (run === 'external') {
    const record = readExternal(ports.files, runDir, name, bootId);
    return record?.phase === 'running' ? [identityOf(record)] : [];
  }
  const record = readRecord(ports.files, placeOf({ runDir }, name).dir);
  if (typeof record !== 'object' || record.bootId !== bootId || record.phase === 'ended') return [];
  if (record.pids === undefined) return [];
  const { main, mainStartTicks, shim, shimStartTicks } = record.pids;
  return [
    { bootId, pid: main, startTicks: mainStartTicks },
    { bootId, pid: shim, startTicks: shimStartTicks },
  ];
}

/** @returns the name of the component whose own process, or shim, this is. */
export const ownerOf = (
  ports: Ports,
  runDir: string,
  others: readonly Other[],
  pid: number,
): string | undefined =>
  others.find((other) =>
    identitiesOf(ports, runDir, other).some((one) => one.pid === pid && isAlive(ports, one)),
  )?.name;
