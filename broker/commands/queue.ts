// One command in the broker's queue, pure: what becomes of it when its terminal is there, when a result
// arrives, when time passes. The terminal runs a command at most once and answers every copy, so the
// broker may send again as often as it likes until it hears `accepted`. Its own verdicts (expired,
// unknown) are guesses made without news; any later word of the terminal corrects them.

import {
  COMMAND_STATES,
  type Command,
  type CommandResult,
  FINAL_STATES,
} from '../../protocol/commands.ts';
import type { CommandOrigin } from '../traces/command-spans.ts';

/** `pending`: not delivered yet; `sent`: delivered at least once and not answered; `cancelled`: taken back. */
export const QUEUE_STATES = ['pending', 'sent', ...COMMAND_STATES, 'cancelled'] as const;
export type QueueState = (typeof QUEUE_STATES)[number];
const ENDS: readonly QueueState[] = [...FINAL_STATES, 'cancelled'];

/** A command that is not answered is sent again after 2 s, 4 s, ... and at last every minute. */
export const RESEND_MS_MIN = 2_000;
export const RESEND_MS_MAX = 60_000;
/** An accepted command without a final result for so long, and past its expiry, is `unknown`. */
export const SILENCE_MS_MAX = 15 * 60_000;
export const HISTORY_MAX = 32;

export type HistoryEntry = {
  readonly state: QueueState;
  readonly timeMs: number;
  readonly reason: string;
  /** What the terminal told beside it, by kind of command. */
  readonly detail?: CommandResult['detail'];
};

export type QueuedCommand = {
  readonly command: Command;
  readonly state: QueueState;
  /** A final state that the broker assumed; the terminal may still correct it. */
  readonly assumed: boolean;
  readonly sends: number;
  readonly nextSendMs: number;
  readonly changedMs: number;
  readonly history: readonly HistoryEntry[];
  /** Where its trace begins; absent in records of an earlier broker. */
  readonly origin?: CommandOrigin;
  /** The spans of its end are in the ledger. */
  readonly traced?: boolean;
  /** The bulk action that it is a part of. */
  readonly bulk?: string;
};

export type QueueEvent =
  /** The terminal just subscribed to its commands: what was sent before may be lost. */
  | { readonly kind: 'terminal_ready' }
  | { readonly kind: 'tick'; readonly connected: boolean }
  | { readonly kind: 'result'; readonly result: CommandResult }
  /** Somebody takes it back; what the terminal has taken already goes on. */
  | { readonly kind: 'cancel'; readonly reason: string }
  /** It comes from a backup: nobody knows what became of it since, and it must not begin by itself. */
  | { readonly kind: 'restored'; readonly reason: string };

export type QueueEffect =
  | { readonly kind: 'send' }
  | { readonly kind: 'finished'; readonly state: QueueState; readonly reason: string };

export type QueueStep = {
  readonly queued: QueuedCommand;
  readonly effects: readonly QueueEffect[];
};

export const isFinal = (state: QueueState): boolean => ENDS.includes(state);

/** Whether anything can still happen to it without the terminal's word. */
export const isOpen = (queued: QueuedCommand): boolean => !isFinal(queued.state);

export const enqueue = (command: Command, origin?: CommandOrigin): QueuedCommand => ({
  command,
  ...(origin && { origin }),
  state: 'pending',
  assumed: false,
  sends: 0,
  nextSendMs: 0,
  changedMs: command.issuedMs,
  history: [{ state: 'pending', timeMs: command.issuedMs, reason: command.reason }],
});

const RANK: Record<QueueState, number> = {
  pending: 0,
  sent: 1,
  accepted: 2,
  running: 3,
  rejected: 4,
  succeeded: 4,
  failed: 4,
  expired: 4,
  unknown: 4,
  cancelled: 4,
};

function enter(
  queued: QueuedCommand,
  entry: HistoryEntry,
  now: number,
  assumed: boolean,
): QueueStep {
  const { state, reason } = entry;
  const next = {
    ...queued,
    state,
    assumed,
    changedMs: now,
    history: [...queued.history, entry].slice(-HISTORY_MAX),
  };
  return { queued: next, effects: isFinal(state) ? [{ kind: 'finished', state, reason }] : [] };
}

function send(queued: QueuedCommand, now: number, sends: number): QueueStep {
  const waitMs = Math.min(RESEND_MS_MAX, RESEND_MS_MIN * 2 ** Math.min(sends, 10));
  const sent = { ...queued, sends: queued.sends + 1, nextSendMs: now + waitMs };
  const entry: HistoryEntry = { state: 'sent', timeMs: now, reason: '' };
  const entered = queued.state === 'sent' ? sent : enter(sent, entry, now, false).queued;
  return { queued: entered, effects: [{ kind: 'send' }] };
}

export const isUnanswered = (queued: QueuedCommand): boolean =>
  queued.state === 'pending' || queued.state === 'sent';

/** What the broker assumes when nobody tells it otherwise. */
function giveUp(queued: QueuedCommand, now: number): QueueStep | undefined {
  const { expiresMs } = queued.command;
  if (isUnanswered(queued)) {
    if (now < expiresMs) return undefined;
    const reason =
      queued.state === 'pending'
        ? 'the terminal was not there before it expired'
        : 'the terminal did not answer before it expired';
    return enter(queued, { state: 'expired', timeMs: now, reason }, now, true);
  }
  if (now < Math.max(expiresMs, queued.changedMs) + SILENCE_MS_MAX) return undefined;
  const reason = `the terminal said ${queued.state} and nothing since`;
  return enter(queued, { state: 'unknown', timeMs: now, reason }, now, true);
}

function takeResult(queued: QueuedCommand, result: CommandResult, now: number): QueueStep {
  const { state, timeMs, reason, detail } = result;
  const unchanged: QueueStep = { queued, effects: [] };
  const isKnown = queued.history.some((entry) => entry.state === state && entry.timeMs === timeMs);
  if (isKnown) return unchanged;
  const told = Object.keys(detail).length === 0 ? {} : { detail };
  const entry = { state, timeMs, reason, ...told };
  if (queued.assumed || RANK[state] > RANK[queued.state]) return enter(queued, entry, now, false);
  // A word that arrives behind a later one is history; a second final word changes nothing at all.
  if (isFinal(state)) return unchanged;
  const history = [...queued.history, entry].sort((a, b) => a.timeMs - b.timeMs);
  return { queued: { ...queued, history: history.slice(-HISTORY_MAX) }, effects: [] };
}

/** One that was sent may have been taken all the same: then the terminal's word corrects this one. */
function cancel(queued: QueuedCommand, reason: string, now: number): QueueStep {
  if (!isUnanswered(queued)) return { queued, effects: [] };
  const wasSent = queued.state === 'sent';
  const told = wasSent ? `${reason}; it was on its way already` : reason;
  return enter(queued, { state: 'cancelled', timeMs: now, reason: told }, now, wasSent);
}

/** Total: any event in any state, twice or late. */
export function step(queued: QueuedCommand, event: QueueEvent, now: number): QueueStep {
  if (event.kind === 'result') return takeResult(queued, event.result, now);
  if (event.kind === 'cancel') return cancel(queued, event.reason, now);
  if (event.kind === 'restored') {
    if (!isUnanswered(queued)) return { queued, effects: [] };
    return enter(queued, { state: 'cancelled', timeMs: now, reason: event.reason }, now, true);
  }
  const unchanged: QueueStep = { queued, effects: [] };
  if (!isOpen(queued)) return unchanged;
  const given = giveUp(queued, now);
  if (given !== undefined) return given;
  if (!isUnanswered(queued)) return unchanged;
  if (event.kind === 'terminal_ready') return send(queued, now, 0);
  return event.connected && queued.state === 'sent' && now >= queued.nextSendMs
    ? send(queued, now, queued.sends)
    : unchanged;
}
