// Intake as the rest of the agent knows it: the one reader of what components print and of the agent's own log. It
// makes records of bytes, takes card data out of them, tells whoever listens, and brings them into the journal, after
// which their bytes go from the plain files. Only types; intake.ts is the real thing.

import type { LogLevel } from '../../../protocol/catalogue.ts';
import type { JournalRecord } from '../journal/types.ts';

/** A record that says no level is counted under `none`. */
export type CountedLevel = LogLevel | 'none';

export type RecordCount = {
  readonly component: string;
  readonly level: CountedLevel;
  /** Of the component that printed them. */
  readonly version: string;
  readonly count: number;
};

export type Behind = { readonly component: string; readonly bytes: number };

/** Called in the agent's loop, some thousand times a second at most: it must be quick, and it must not throw. */
export type RecordListener = (component: string, record: JournalRecord) => void;

export type ListenOptions = {
  /** Output is then looked at four times a second and not once; costs something, so only while somebody looks on. */
  readonly urgent?: boolean;
  /** Of these only; of all where it is not said. */
  readonly components?: ReadonlySet<string>;
};

export type Intake = {
  /** Once a second: has a look soon. @param open the file of the life that runs, if one does. */
  readonly look: (component: string, open: string | undefined) => void;
  /**
   * What is printed by now is durable in the journal when it resolves; after `msMax` it resolves all the same, and
   * behind() tells what is missing. Never rejects.
   */
  readonly catchUp: (components: readonly string[], msMax: number) => Promise<void>;
  /** Records as they are read, redacted, before they are in the journal. @returns how to stop. */
  readonly listen: (listener: RecordListener, options?: ListenOptions) => () => void;
  /** The newest lines, redacted, the newest last; in memory, at most LAST_BYTES_MAX of each component. */
  readonly lastLines: (component: string, linesMax: number) => readonly string[];
  /** Since the terminal was set up, each record once whatever was killed; as they lie in the journal. */
  readonly counts: () => readonly RecordCount[];
  /** Output that is not in the journal yet; only of those that are behind. */
  readonly behind: () => readonly Behind[];
  /** Of what the component prints now. */
  readonly versionOf: (component: string) => string | undefined;
  /** Resolves when all looks that were asked for are done. */
  readonly settled: () => Promise<void>;
  readonly stop: () => void;
};

/** Of the newest lines that are kept in memory, for evidence; of each component. */
export const LAST_BYTES_MAX = 8 * 1024;
/** What is held before it is written: so much, or what is so old. */
export const HELD_BYTES_MAX = 128 * 1024;
export const HELD_MS_MAX = 10_000;
