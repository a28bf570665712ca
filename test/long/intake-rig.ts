// What intake left behind, for tests: all records of a journal, as a reader of another process finds them.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openLogRooms } from '../../agent/logs/intake/open.ts';
import type { RecordCount } from '../../agent/logs/intake/types.ts';
import { openReader } from '../../agent/logs/journal/reader.ts';
import type { JournalRecord } from '../../agent/logs/journal/types.ts';
import { openOwnLog } from '../../agent/logs/own.ts';
import { createRedactions } from '../../agent/logs/redactions.ts';
import { createPuncher } from '../../agent/punch.ts';
import { realPorts } from '../../agent/system.ts';
import { type AgentConfig, loadConfig } from '../../configuration/config.ts';
import type { NewEvent } from '../../protocol/events.ts';

const GIBIBYTE = 1024 ** 3;

export function configOf(folder: string, version = '1', rate = GIBIBYTE): AgentConfig {
  const text = `
terminal: lane-1
dataDir: ${folder}
runDir: ${join(folder, 'run')}
output: { bytesMax: 16777216, bytesPerSecondMax: ${rate} }
components:
  - { name: sale, version: "${version}", command: [/bin/true] }
`;
  const loaded = loadConfig(text, folder);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

export function recordsIn(folder: string, component = 'sale'): JournalRecord[] {
  const reader = openReader(join(folder, 'journal'));
  const all: JournalRecord[] = [];
  for (const block of reader.blocks(component, { sinceMs: 0, untilMs: 9e15 })) {
    const read = reader.read(block);
    if (!read.ok) throw new Error(read.reason);
    all.push(...read.value);
  }
  reader.close();
  return all;
}

export function openRig(folder: string, version = '1', rate?: number) {
  mkdirSync(folder, { recursive: true });
  const real = realPorts();
  let laterMs = 0;
  const monotonicMs = (): number => real.clock.monotonicMs() + laterMs;
  const ports = { ...real, clock: { ...real.clock, monotonicMs } };
  const ownLog = join(folder, 'agent.log');
  const log = openOwnLog(ownLog, false);
  const events: NewEvent[] = [];
  const redactions = createRedactions(ports.clock);
  const rooms = openLogRooms({
    ...{ config: configOf(folder, version, rate), ports, log, ownLog, redactions },
    puncher: createPuncher(ports, join(folder, 'said')),
    report: (event) => events.push(event),
  });
  const pass = (ms: number): void => {
    laterMs += ms;
  };
  return { ...rooms, log, redactions, events, pass };
}

/** As the next agent finds them. */
export function countsIn(folder: string): readonly RecordCount[] {
  const { intake, output } = openRig(folder);
  const counts = intake.counts();
  intake.stop();
  output.stop();
  return counts;
}

export type IntakeRig = ReturnType<typeof openRig>;

export async function closeRig({ intake, output, log, journal }: IntakeRig): Promise<void> {
  intake.stop();
  output.stop();
  await log.end();
  journal.close();
  await journal.settled();
}

/** All that is printed by now, of the sale and of the agent itself. */
export async function takeAll({ output, intake }: IntakeRig, path: string | undefined) {
  output.tidy('sale', path);
  await output.settled();
  await intake.catchUp(['sale', 'agent'], 5_000);
}
