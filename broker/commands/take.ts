// From a request to a command that can be queued, or a sentence why not: who may, whether that terminal gets commands
// at all, what is asked, how many wait already. Of the broker's own requests one that waits is enough.

import { createHash, randomUUID } from 'node:crypto';
import type { Command } from '../../protocol/commands.ts';
import type { Clock } from '../clock.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { traceOfCommand } from '../traces/command-spans.ts';
import { enqueue, type QueuedCommand } from './queue.ts';
import { type CommandRequest, checkRequest, expiryOf, wrongRole } from './request.ts';
import { type StateOf, wrongStanding } from './standing.ts';
import type { CommandStore } from './store.ts';
import { type Refusal, refuse, toldArguments } from './view.ts';

/** Commands of one terminal that are not finished; more are refused until some are. */
export const OPEN_PER_TERMINAL_MAX = 32;
/** Room for the broker's own beyond that: an operator's heap must not keep a new key away from a terminal. */
const OWN_EXTRA_MAX = 4;
export const KEY_PATTERN = /^[\x21-\x7e]{1,128}$/;

export type TakerOptions = {
  readonly fleet: Pick<Fleet, 'view'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly stateOf: StateOf;
};

export type Taken = { readonly ok: true; readonly queued: QueuedCommand; readonly isNew: boolean };

/** What was asked for under a key, in few bytes. */
export const askedOf = (request: CommandRequest): string => {
  const { terminal, kind, arguments: args, said = args, reason } = request;
  const asked = JSON.stringify([terminal, kind, said, reason]);
  return createHash('sha256').update(asked).digest('hex');
};

/** What became of a request that was made before under its key; undefined when none was. */
export function findAgain(store: Pick<CommandStore, 'keyOf' | 'get'>) {
  return (request: CommandRequest): Taken | Refusal | undefined => {
    const { idempotencyKey: key } = request;
    if (key === undefined) return undefined;
    if (!KEY_PATTERN.test(key)) {
      return refuse('invalid', 'Idempotency-Key: 1 to 128 printable characters without blanks');
    }
    const kept = store.keyOf(request.actor.name, key);
    const queued = kept && store.get(kept.command);
    if (kept === undefined || queued === undefined) return undefined;
    if (kept.asked === askedOf(request)) return { ok: true, queued, isNew: false };
    const reason = 'Idempotency-Key: this key was used for another command; make a new one';
    return refuse('invalid', reason);
  };
}

/** A packed document is kept apart; its digest stands beside it. */
const sameText = (args: unknown): string =>
  JSON.stringify(toldArguments(args as Readonly<Record<string, unknown>>));

export function createTaker({ fleet, clock, stateOf }: TakerOptions, store: CommandStore) {
  const again = findAgain(store);

  /** An own command of the same content that nobody has taken yet. */
  const waiting = ({ kind }: CommandRequest, args: unknown, open: readonly QueuedCommand[]) =>
    open.find(
      ({ command }) => command.kind === kind && sameText(command.arguments) === sameText(args),
    );

  return (request: CommandRequest, isOwn: boolean): Taken | Refusal => {
    const { actor, terminal } = request;
    const forbidden = isOwn ? undefined : wrongRole(actor, request.kind);
    if (forbidden !== undefined) return forbidden;
    const view = fleet.view(terminal);
    if (view === undefined) {
      return refuse(
        'unknown_terminal',
        `there is no terminal "${terminal.slice(0, 64)}" in this fleet`,
      );
    }
    const known = again(request);
    if (known !== undefined) return known;
    const standing = wrongStanding(view.id, stateOf(view.id));
    if (standing !== undefined) return standing;
    const content = checkRequest(request, view, isOwn);
    if (!content.ok) return refuse('invalid', content.reason);
    const open = store.openOf(terminal);
    const queued = isOwn ? waiting(request, content.value.arguments, open) : undefined;
    if (queued !== undefined) return { ok: true, queued, isNew: false };
    const most = OPEN_PER_TERMINAL_MAX + (isOwn ? OWN_EXTRA_MAX : 0);
    if (open.length >= most) {
      return refuse('too_many', `${most} commands for ${view.id} are not finished yet`);
    }
    const id = randomUUID();
    const now = clock.wallMs();
    const { traceparent, ...caller } = traceOfCommand(id, request.traceparent);
    const command: Command = {
      ...content.value,
      id,
      terminal,
      issuedMs: now,
      expiresMs: now + expiryOf(request),
      operator: actor.name,
      reason: request.reason.trim(),
      traceparent,
    };
    const made = enqueue(command, {
      ...caller,
      requestedMs: now - Math.max(0, request.tookMs ?? 0),
    });
    const { bulk } = request;
    return { ok: true, queued: bulk === undefined ? made : { ...made, bulk }, isNew: true };
  };
}
