// Decides and does: what queue.ts makes of an event is written to the database, the audit log and the session. Every
// change of a command goes through here. A command and its audit entry become true together, and nothing is sent
// that is not on disk.

import type { KeyObject } from 'node:crypto';
import { signCommand } from '../../protocol/commands.ts';
import type { Audit } from '../audit.ts';
import type { Clock } from '../clock.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Metrics } from '../metrics.ts';
import type { Log } from '../ports.ts';
import type { CommandTraces } from '../traces/recorder.ts';
import { type QueuedCommand, type QueueEvent, type QueueState, step } from './queue.ts';
import type { CommandStore } from './store.ts';

export type Finished = {
  readonly command: string;
  readonly terminal: string;
  readonly state: QueueState;
  readonly reason: string;
  readonly bulk?: string;
};
/** Called once it is on disk; again when a late word of the terminal corrects what was assumed. */
export type FinishListener = (finished: Finished) => void;

export type MoverOptions = {
  readonly fleet: Pick<Fleet, 'database'>;
  /** The broker's private Ed25519 key; a function where it is replaced while the broker runs. */
  readonly key: KeyObject | (() => KeyObject);
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly metrics: Pick<Metrics, 'commandsFinished'>;
  readonly log: Log;
  /** Hands the signed bytes to the terminal's session, if there is one. */
  readonly send: (terminal: string, bytes: Uint8Array) => void;
};

/** Call it within a transaction. */
export type Move = (queued: QueuedCommand, event: QueueEvent) => QueuedCommand;

export function createMover(
  options: MoverOptions,
  store: CommandStore,
  traces: Pick<CommandTraces, 'finished'> | undefined,
  tell: FinishListener,
): Move {
  const { fleet, clock, audit, metrics, log, key } = options;
  const { database } = fleet;
  const keyNow = (): KeyObject => (typeof key === 'function' ? key() : key);

  function finish(queued: QueuedCommand, state: QueueState, reason: string): void {
    const { command, assumed, changedMs, bulk } = queued;
    const { id, terminal, kind, operator } = command;
    const action = `command.${kind}.finish`;
    const detail = { command: id, result: reason };
    audit.write({
      operator,
      action,
      subject: terminal,
      reason: command.reason,
      outcome: state,
      detail,
    });
    database.afterCommit(() => {
      metrics.commandsFinished(state);
      log.info('command finished', { command: id, terminal, state, reason });
      traces?.finished(id, assumed ? changedMs : undefined);
      tell({ command: id, terminal, state, reason, ...(bulk === undefined ? {} : { bulk }) });
    });
  }

  return (queued, event) => {
    const next = step(queued, event, clock.wallMs());
    if (next.queued !== queued) store.save(next.queued);
    const { command } = queued;
    for (const effect of next.effects) {
      if (effect.kind === 'finished') finish(queued, effect.state, effect.reason);
      else {
        database.afterCommit(() =>
          options.send(command.terminal, signCommand(store.whole(command), keyNow())),
        );
      }
    }
    return next.queued;
  };
}
