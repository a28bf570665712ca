// What requests for logs need of the agent and what they offer to it, as types; pulls.ts makes one.

import type { Command } from '../../../protocol/commands.ts';
import type { Result } from '../../../protocol/result.ts';
import type { Rules } from '../../../redact/index.ts';
import type { Clock, Log, Timers } from '../../ports.ts';
import type { StartPull } from '../../system/pull-child.ts';
import type { BrokerTime } from '../../telemetry/time.ts';
import type { Intake } from '../intake/types.ts';
import type { JournalStore } from '../journal/types.ts';
import type { Redactions } from '../redactions.ts';
import type { FileEntry, TailEntry } from './entry.ts';
import type { Chunks, Turns } from './turns.ts';

export type LogsCommand = Extract<Command, { kind: 'logs' }>;

export type PullsOptions = {
  readonly path: string;
  /** Of the journal. */
  readonly folder: string;
  readonly journal: Pick<JournalStore, 'pin' | 'unpin'> | undefined;
  readonly intake: Pick<Intake, 'catchUp' | 'behind'> | undefined;
  /** What a request that names none asks about. */
  readonly components: readonly string[];
  readonly rules: Rules;
  readonly redactions: Pick<Redactions, 'add' | 'missed'>;
  /** Of the line. */
  readonly share: number;
  readonly startPull: StartPull;
  readonly read: (path: string, bytesMax: number) => string | undefined;
  /** Durable when it returns. */
  readonly write: (path: string, text: string) => Result<void>;
  readonly time: BrokerTime;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  readonly log: Log;
};

export type PullEnd = (
  command: string,
  succeeded: boolean,
  reason: string,
  detail: Readonly<Record<string, unknown>>,
) => void;

export type FileAnswer = Pick<FileEntry, 'command' | 'request' | 'expiresMs' | 'file'>;

export type Pulls = Chunks & {
  /** Commands that an earlier agent began and this one goes on with, or ends. */
  readonly resumed: ReadonlySet<string>;
  /** Goes on with those, and tells the end of each from now on. */
  readonly start: (onEnd: PullEnd) => void;
  readonly begin: (command: LogsCommand) => void;
  /** Sends a file as it is, under the id of a request; it goes once it was sent. */
  readonly sendFile: (asked: FileAnswer) => Result<void>;
  /** What was sent stays. @returns whether there was one. */
  readonly cancel: (request: string) => boolean;
  /** Files that an open request still reads. */
  readonly isPinned: (path: string) => boolean;
  /** For live tails, which share the line and are written down with the rest. */
  readonly turns: Turns;
  readonly note: (entry: TailEntry) => Result<void>;
  readonly forget: (request: string) => void;
  readonly wasCancelled: (request: string) => boolean;
  readonly stop: () => void;
};
