// What keeps component output, as types; output.ts is the real thing. Apart so that whoever shows or sheds it need
// not know how it works.

import type { NewEvent } from '../protocol/events.ts';
import type { PinnedOf } from './capture.ts';
import type { DropReason } from './output-journal.ts';
import type { Purge, Purged } from './output-purge.ts';
import type { Clock, Log, Timers } from './ports.ts';
import type { Puncher } from './punch.ts';
import type { JournalDisk } from './system/journal-files.ts';

/** How much room output may take: all of its bound, a quarter of it, or next to nothing. */
export type OutputRoom = 'all' | 'quarter' | 'least';

export type OutputOptions = {
  readonly logDir: string;
  readonly bytesMax: number;
  readonly bytesPerSecondMax: number;
  readonly disk: JournalDisk;
  readonly puncher: Puncher;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Still read by a request for logs: it stays, unless that would fill the disk. */
  readonly pinned: PinnedOf;
  readonly report: (event: NewEvent) => void;
  /** For tests. */
  readonly apparentBytesMax?: number;
};

export type OutputReading = {
  readonly component: string;
  readonly bytes: number;
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
};

export type Output = {
  /** Where a life prints to. */
  readonly fileOf: (component: string, instance: string) => string;
  /** Has a look soon. @param open the file of the life that runs, if one does. */
  readonly tidy: (component: string, open: string | undefined) => void;
  readonly setRoom: (room: OutputRoom) => void;
  readonly readings: () => readonly OutputReading[];
  /** What is older goes, in turn with all other looks. */
  readonly purge: (component: string, purge: Purge) => Promise<Purged>;
  /** Resolves when all looks that were asked for are done. */
  readonly settled: () => Promise<void>;
  readonly stop: () => void;
};
