// What keeps component output, as types; output.ts is the real thing. Apart so that whoever shows or sheds it need
// not know how it works.

import type { NewEvent } from '../protocol/events.ts';
import type { JournalFile } from './capture.ts';
import type { DropReason } from './output-journal.ts';
import type { Clock, Log, Timers } from './ports.ts';
import type { Puncher } from './punch.ts';
import type { JournalDisk } from './system/journal-files.ts';

/** How much room output may take: all of its bound, a quarter of it, or next to nothing. */
export type OutputRoom = 'all' | 'quarter' | 'least';

/** Who takes what is printed into the journal (logs/intake); in turn with all other looks. */
export type OutputReader = {
  /** @returns whether there is more to read at once. */
  readonly lookAt: (
    component: string,
    keeper: {
      /** Oldest first, the one that is written last. */
      readonly files: readonly JournalFile[];
      /** Of the component; else only of the one that is written. */
      readonly isAll: boolean;
      readonly open: string | undefined;
      readonly free: (file: JournalFile, to: number) => Promise<void>;
      readonly remove: (file: JournalFile) => Promise<void>;
    },
  ) => Promise<boolean>;
  /** Bytes before it are taken, whatever becomes of the file. */
  readonly readTo: (component: string, path: string) => number;
  /** Bytes before it are in the journal and nulls in the file. */
  readonly takenTo: (component: string, path: string) => number;
  readonly began: (component: string, path: string) => void;
};

export type OutputOptions = {
  readonly logDir: string;
  readonly bytesMax: number;
  readonly bytesPerSecondMax: number;
  readonly disk: JournalDisk;
  readonly puncher: Puncher;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly report: (event: NewEvent) => void;
  readonly reader?: OutputReader;
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
  /** A look now, however quiet it is, or the first one, where none was yet; resolves when it is done. */
  readonly press: (component: string) => Promise<void>;
  /** Resolves when all looks that were asked for are done. */
  readonly settled: () => Promise<void>;
  readonly stop: () => void;
};
