// What the rest of the broker and its API are told of a command: how it stands, that it was queued, or why not. A
// refusal is a kind, which becomes a status, and a sentence for the person who asked.

import type { Command } from '../../protocol/commands.ts';
import { traceIdOf } from '../traces/command-spans.ts';
import type { QueuedCommand, QueueState } from './queue.ts';

export type CommandView = {
  readonly id: string;
  readonly terminal: string;
  readonly kind: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly state: QueueState;
  readonly reason: string;
  readonly operator: string;
  readonly issuedMs: number;
  readonly expiresMs: number;
  readonly sends: number;
  readonly history: QueuedCommand['history'];
  /** Id of its trace. */
  readonly trace?: string;
  /** Id of the bulk action that it is a part of. */
  readonly bulk?: string;
};

export type RefusalKind =
  | 'unknown_terminal'
  /** Another role is needed. */
  | 'forbidden'
  | 'invalid'
  /** It is not in a state in which that can be done. */
  | 'conflict'
  | 'too_many'
  | 'unavailable';
export type Refusal = {
  readonly ok: false;
  readonly kind: RefusalKind;
  readonly reason: string;
};
export type Created = {
  readonly ok: true;
  readonly id: string;
  readonly state: QueueState;
  readonly trace: string;
};

export const refuse = (kind: RefusalKind, reason: string): Refusal => ({ ok: false, kind, reason });

/** A packed document is told by its name and digest: as it travels nobody can read it. */
export function toldArguments(args: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { packed: _, ...told } = args;
  return told;
}

const withTrace = (command: Command): { trace?: string } => {
  const trace = traceIdOf(command);
  return trace === undefined ? {} : { trace };
};

export const viewOf = ({ command, state, sends, history, bulk }: QueuedCommand): CommandView => ({
  ...withTrace(command),
  ...(bulk === undefined ? {} : { bulk }),
  id: command.id,
  terminal: command.terminal,
  kind: command.kind,
  arguments: toldArguments(command.arguments),
  state,
  reason: command.reason,
  operator: command.operator,
  issuedMs: command.issuedMs,
  expiresMs: command.expiresMs,
  sends,
  history,
});
