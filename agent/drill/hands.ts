// What drills are done with, in one type, so that a test can bring its own; and how a drill waits: by looking again
// and again until what it waits for is so, its time is over or somebody ended it.

import type { AgentConfig } from '../../configuration/config.ts';
import type { DrillReport } from '../../protocol/drill.ts';
import type { NewEvent } from '../../protocol/events.ts';
import type { DiskKeeper, SpaceReading } from '../disk-keeper.ts';
import type { Output } from '../output-types.ts';
import type { Log, Ports } from '../ports.ts';
import type { Puncher } from '../punch.ts';
import type { Supervisor } from '../supervisor.ts';
import type { JournalDisk } from '../system/journal-files.ts';
import type { Control } from '../watchdog/control.ts';

export const LOOK_MS = 25;

export type DrillHands = {
  readonly config: AgentConfig;
  readonly version: string;
  readonly ports: Ports;
  readonly log: Log;
  readonly supervisor: Pick<Supervisor, 'watched' | 'tell'>;
  readonly control: Pick<Control, 'freeze' | 'marked' | 'endMarked'>;
  readonly isHeld: () => boolean;
  readonly disk: Pick<DiskKeeper, 'level' | 'look'>;
  readonly readSpace: (folder: string) => Promise<SpaceReading | undefined>;
  readonly output: Pick<Output, 'tidy' | 'readings'>;
  readonly files: Pick<JournalDisk, 'list' | 'remove'>;
  readonly puncher: Pick<Puncher, 'allocate'>;
  readonly report: (event: NewEvent) => void;
  readonly commandDone: (id: string, ok: boolean, reason: string, detail: DrillReport) => void;
};

export class Patience {
  readonly #ports: Pick<Ports, 'clock' | 'timers'>;
  /** Why it is to end now. */
  ended: string | undefined;

  constructor(ports: Pick<Ports, 'clock' | 'timers'>) {
    this.#ports = ports;
  }

  pause(ms: number): Promise<void> {
    return new Promise((done) => {
      this.#ports.timers.after(ms, done);
    });
  }

  /** @returns whether it became so; not when somebody ended it first. */
  async until(msMax: number, isSo: () => boolean, lookMs = LOOK_MS): Promise<boolean> {
    const untilMs = this.#ports.clock.monotonicMs() + msMax;
    while (!isSo()) {
      if (this.ended !== undefined || this.#ports.clock.monotonicMs() > untilMs) return false;
      await this.pause(lookMs);
    }
    return true;
  }
}

/** One drill, from its beginning to the last thing that is cleaned up. */
export type Drill = {
  /** As it stands now. */
  readonly report: () => DrillReport;
  /** @returns the whole of it, once nothing of it is left. Never throws. */
  readonly run: () => Promise<DrillReport>;
  readonly end: (reason: string) => void;
};
