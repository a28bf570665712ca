// What the deeds of operators are done with: the rooms of the agent, the supervisor and the few helpers that deeds share.
// One type, so that the table (table.ts) says for each kind of command what is done, and nothing of how it is reached.

import type { CommandKind } from '../../protocol/catalogue.ts';
import type { Command } from '../../protocol/commands.ts';
import type { Detail } from '../commands-journal.ts';
import type { DrillDesk } from '../drill/desk.ts';
import type { Hands } from '../hands.ts';
import type { Hold } from '../hold.ts';
import type { Rooms } from '../rooms.ts';
import type { Supervisor } from '../supervisor.ts';
import type { Uplink } from '../uplink.ts';
import type { Asks } from './asks.ts';
import type { Levels } from './levels.ts';
import type { Pending } from './pending.ts';
import type { Stopped } from './stopped.ts';

export type Of<K extends CommandKind> = Extract<Command, { kind: K }>;

export type Desk = {
  readonly rooms: Rooms;
  readonly supervisor: Supervisor;
  readonly control: Hands['control'];
  readonly hold: Hold;
  readonly drills: DrillDesk;
  readonly stopped: Stopped;
  readonly levels: Levels;
  readonly asks: Asks;
  readonly pending: Pending;
  /** Not before the agent has begun. */
  readonly uplink: () => Uplink | undefined;
  readonly report: Hands['report'];
  readonly done: (id: string, ok: boolean, reason: string, detail?: Detail) => void;
  /** In place of the answer that the supervisor gives to this command. */
  readonly instead: (id: string, hear: (ok: boolean, reason: string) => void) => void;
};

/** What is done for one kind of command. */
export type Deed<K extends CommandKind> = {
  /** Why it cannot be obeyed on this till at all; asked before it counts against a bound. */
  readonly impossible?: (command: Of<K>, desk: Desk) => string | undefined;
  /** Whom it would cut off in a sale; asked of those kinds whose row in the catalogue says that it waits. */
  readonly touches?: (command: Of<K>, desk: Desk) => readonly string[];
  readonly run: (command: Of<K>, desk: Desk) => void | Promise<void>;
};

export const whyOf = ({ operator, reason }: Pick<Command, 'operator' | 'reason'>): string =>
  `${operator} asked for it: ${reason}`;
