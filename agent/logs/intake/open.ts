// Opens output, the journal and the intake between them for one agent, with who counts lines on the way. Only wiring.

import { join } from 'node:path';
import type { AgentConfig } from '../../../configuration/config.ts';
import type { NewEvent } from '../../../protocol/events.ts';
import { stamp } from '../../../redact/index.ts';
import { createOutput, type Output, type OutputRoom } from '../../output.ts';
import type { Ports } from '../../ports.ts';
import type { Puncher } from '../../punch.ts';
import { writeDurablyLater } from '../../system/disk.ts';
import { realIntakeDisk } from '../../system/intake-files.ts';
import { realJournalDisk } from '../../system/journal-files.ts';
import { Tallies } from '../../telemetry/tallies.ts';
import { followOutput } from '../../telemetry/tally-follow.ts';
import { AGENT_VERSION } from '../../version.ts';
import { openJournal } from '../journal/journal.ts';
import type { JournalStore } from '../journal/types.ts';
import type { OwnLog } from '../own.ts';
import type { Redactions } from '../redactions.ts';
import { createIntake, type RealIntake } from './intake.ts';
import { leftoversIn, OWN_FILES_MAX, openOwnFiles } from './own-files.ts';

export type LogParts = {
  readonly config: AgentConfig;
  readonly ports: Ports;
  readonly log: OwnLog;
  /** Path of the agent's own log. */
  readonly ownLog: string;
  readonly redactions: Redactions;
  readonly puncher: Puncher;
  readonly report: (event: NewEvent) => void;
};

export type LogRooms = {
  readonly output: Output;
  readonly tallies: Tallies;
  readonly journal: JournalStore;
  readonly intake: RealIntake;
  /** Of what is printed, before and after it was taken. */
  readonly setRoom: (room: OutputRoom) => void;
};

export function openLogRooms(parts: LogParts): LogRooms {
  const { config, ports, log, ownLog, redactions, puncher, report } = parts;
  const { dataDir, logDir, components } = config;
  const { clock, timers, files } = ports;
  const tallies = new Tallies({
    path: join(dataDir, 'tallies.json'),
    ...{ components, disk: realJournalDisk, read: files.read, write: writeDurablyLater },
    ...{ clock, timers, log },
  });
  const leftovers = leftoversIn(
    logDir,
    components.map(({ name }) => name),
  );
  const own = openOwnFiles(ownLog, OWN_FILES_MAX, realJournalDisk, () => log.lines());
  const journal = openJournal({ folder: join(dataDir, 'journal'), ...config.journal, clock, log });
  const intake = createIntake({
    ...{ store: journal, disk: realIntakeDisk, clock, timers, log, own, stamp },
    ...{ components, leftovers, agentVersion: AGENT_VERSION },
    found: (counts) => redactions.add('journal', counts),
    beforeWipe: (component, path, to) => tallies.reached(component, path, to),
  });
  const captured = createOutput({
    ...{ logDir, ...config.output, disk: realJournalDisk, clock, timers, log },
    ...{ puncher, report, reader: intake },
  });
  const output = followOutput(tallies, captured);
  intake.begin((component) => output.press(component));
  // From now on they are looked at with the agent's own log.
  for (const name of leftovers) output.tidy(name, undefined);
  const setRoom = (room: OutputRoom): void => {
    output.setRoom(room);
    journal.setRoom(room);
  };
  return { output, tallies, journal, intake, setRoom };
}
