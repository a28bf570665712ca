// What the keeper of the fleet's documents is given of the agent, once there is one.

import type { NewEvent } from '../../protocol/events.ts';
import type { Detail } from '../commands-journal.ts';
import type { Log } from '../ports.ts';
import type { Supervisor } from '../supervisor.ts';

export type Parts = {
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  readonly supervisor: Pick<Supervisor, 'components' | 'tell' | 'rested'>;
  readonly isStopped: (component: string) => boolean;
  readonly isHeld: () => boolean;
  readonly report: (event: NewEvent) => void;
  readonly done: (id: string, ok: boolean, reason: string, detail?: Detail) => void;
  /** Ends this agent, whose process becomes the next. */
  readonly anew: (reason: string) => void;
};
