// How a request for logs stands, for people and their tools: what has arrived, put together with what became
// of its command. A command that ended without the whole answer is why there is none.

import type { CommandView } from '../commands/commands.ts';
import type { LogRecord } from './model.ts';

export type LogState = 'waiting' | 'running' | 'complete' | 'failed' | 'expired';

const GONE =
  'its lines were kept long enough and are deleted: ask again for what the terminal still has';

export type LogView = Omit<LogRecord, 'state' | 'redactor'> & {
  readonly state: LogState;
  readonly complete: boolean;
  /** Whether the terminal is there just now: a request waits for one that is not. */
  readonly connected: boolean;
  /** Id of the trace of its command. */
  readonly trace?: string;
};

type Standing = { readonly state: LogState; readonly error: string };

function standingOf(command: CommandView | undefined): Standing {
  const reason = command?.history.at(-1)?.reason ?? '';
  switch (command?.state) {
    case 'pending':
    case 'sent':
      return { state: 'waiting', error: '' };
    case 'accepted':
    case 'running':
      return { state: 'running', error: '' };
    case 'expired':
      return { state: 'expired', error: reason };
    case 'cancelled':
    case 'succeeded':
      return { state: 'failed', error: 'the terminal has sent everything, and it is not here' };
    case 'rejected':
    case 'failed':
    case 'unknown':
      return { state: 'failed', error: reason || `the command is ${command.state}` };
    case undefined:
      return { state: 'failed', error: 'its command is not kept any more' };
    default:
      return { state: 'failed', error: reason };
  }
}

export function viewOf(
  { redactor: _redactor, ...record }: LogRecord,
  command: CommandView | undefined,
  connected: boolean,
): LogView {
  if (record.goneMs !== undefined) {
    return { ...record, state: 'expired', error: GONE, bytes: 0, complete: false, connected };
  }
  const complete = record.state === 'complete';
  const standing =
    record.state === 'open' ? standingOf(command) : { state: record.state, error: record.error };
  const trace = command?.trace;
  return { ...record, ...standing, complete, connected, ...(trace && { trace }) };
}
