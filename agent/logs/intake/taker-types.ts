// What a taker is given to work with: the files of one component, by whoever keeps them, and the rest of the agent.

import type { JournalFile } from '../../capture.ts';
import type { Clock, Log, Timers } from '../../ports.ts';
import type { IntakeDisk } from '../../system/intake-files.ts';
import type { JournalRecord, JournalStore } from '../journal/types.ts';

/** What is done to files of output, by whoever keeps them (output.ts). */
export type Keeper = {
  /** Oldest first, the one that is written last. */
  readonly files: readonly JournalFile[];
  /** Of the component; else only of the one that is written. */
  readonly isAll: boolean;
  readonly open: string | undefined;
  /** The bytes before `to` are in the journal: they may be freed. */
  readonly free: (file: JournalFile, to: number) => Promise<void>;
  readonly remove: (file: JournalFile) => Promise<void>;
};

export type TakerOptions = {
  readonly component: string;
  readonly store: Pick<JournalStore, 'append' | 'places' | 'note' | 'newest'>;
  readonly disk: IntakeDisk;
  readonly buffer: Buffer;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Of a file that nobody has heard of. */
  readonly versionOf: (path: string) => string;
  /** Redacts and counts what was found. */
  readonly redact: (text: string) => string;
  readonly stamp: () => string;
  readonly emit: (record: JournalRecord) => void;
  /** Who reads these bytes themselves has read them when it resolves. */
  readonly beforeWipe: (path: string, to: number) => Promise<void>;
  /** Bytes as they are read, for whoever has to see them after they are gone from the file. */
  readonly saw: (path: string, from: number, bytes: Buffer) => void;
  /** What stands behind so many bytes of that file was printed by another version: an agent was upgraded. */
  readonly since?: { readonly inode: number; readonly bytes: number; readonly version: string };
  /** False: the agent's own log, which has its own bounds and no card data. */
  readonly wipes: boolean;
};
