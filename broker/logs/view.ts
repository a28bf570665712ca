// How a request for logs stands, for people and their tools: what has arrived, put together with what became
// of its command and with where its terminal stands. A command that ended without the whole answer is why there is none.

import type { Cut } from '../../protocol/logs.ts';
import type { CommandView } from '../commands/commands.ts';
import { isFinal } from '../commands/queue.ts';
import { cancelledBy, type LogKind, type LogRecord } from './model.ts';

export const LOG_STATES = [
  'waiting',
  'running',
  'complete',
  'failed',
  'expired',
  'cancelled',
] as const;
export type LogState = (typeof LOG_STATES)[number];
const UNDER_WAY: readonly LogState[] = ['waiting', 'running'];
export const isUnderWay = ({ state }: { readonly state: LogState }): boolean =>
  UNDER_WAY.includes(state);

const GONE =
  'its lines were kept long enough and are deleted: ask again for what the terminal still has';

type Hidden = 'state' | 'redactor' | 'checked' | 'cancelled' | 'masked';
type Progress = 'what' | 'searchedBytes' | 'searchBytes' | 'dropped' | 'cutBy' | 'missed';
export type LogView = Omit<LogRecord, Hidden | Progress> & {
  readonly what: LogKind;
  readonly searchedBytes: number;
  readonly searchBytes: number;
  /** Records of a live tail that were left out. */
  readonly dropped: number;
  readonly cutBy: Cut;
  /** Card data that was found behind the redactor's back: by the terminal on the way out, or here. */
  readonly missed: number;
  readonly state: LogState;
  readonly complete: boolean;
  /** Whether the terminal is there just now: a request waits for one that is not. */
  readonly connected: boolean;
  /** So long it waits for its terminal; then it never runs. */
  readonly waitingUntilMs?: number;
  /** Of the terminal, when it is asked for. */
  readonly store: string;
  readonly timeZone?: string;
  /** Id of the trace of its command. */
  readonly trace?: string;
};

/** What is known of the terminal now. */
export type Whereabouts = {
  readonly connected: boolean;
  readonly store: string;
  readonly timeZone?: string | undefined;
};

type Standing = { readonly state: LogState; readonly error: string };

function standingOf({ cancelled }: LogRecord, command: CommandView | undefined): Standing {
  const reason = command?.history.at(-1)?.reason ?? '';
  const isEnded = command === undefined || isFinal(command.state);
  if (cancelled !== undefined && isEnded)
    return { state: 'cancelled', error: cancelledBy(cancelled) };
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
      return { state: 'cancelled', error: reason };
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
  full: LogRecord,
  command: CommandView | undefined,
  { connected, store, timeZone }: Whereabouts,
): LogView {
  const { redactor: _r, checked: _c, masked = 0, cancelled: _d, ...record } = full;
  const { searchedBytes = 0, searchBytes = 0, dropped = 0, cutBy = '', missed = 0 } = record;
  const shown = {
    ...record,
    ...{ what: record.what ?? 'lines', searchedBytes, searchBytes, dropped, cutBy },
    ...{ missed: missed + masked, connected, store, ...(timeZone && { timeZone }) },
  };
  if (record.goneMs !== undefined) {
    return { ...shown, state: 'expired', error: GONE, bytes: 0, complete: false };
  }
  const complete = record.state === 'complete';
  const standing =
    record.state === 'open'
      ? standingOf(full, command)
      : { state: record.state, error: record.error };
  const trace = command?.trace;
  const waits = standing.state === 'waiting' ? { waitingUntilMs: record.expiresMs } : {};
  return { ...shown, ...standing, ...waits, complete, ...(trace && { trace }) };
}
