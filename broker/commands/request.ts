// Checks what is asked for before it becomes a command, each refusal with a sentence that says what to do
// instead: who may, why, for how long, with which arguments. What the terminal can judge better (is the
// component restartable now?) is left to the terminal.

import { catalogue, isAllowed, isKind, type Role } from '../../protocol/catalogue.ts';
import {
  COMMAND_EXPIRY_MS,
  type CommandContent,
  componentsOf,
  readContent,
} from '../../protocol/commands.ts';
import { REASON_CHARS_MAX } from '../../protocol/limits.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { TerminalView } from '../fleet/view.ts';
import { holdsCard } from './card-words.ts';
import { type Refusal, refuse } from './view.ts';

export const REASON_CHARS_MIN = 3;
export const EXPIRY_MS_MIN = 1_000;
export const EXPIRY_MS_MAX = 7 * 24 * 3_600_000;

/** Who asks, as signing in has shown. */
export type Actor = { readonly name: string; readonly role: Role };

/** Who stands behind a command that nobody asked for. */
export const OWN_OPERATOR = 'broker';
/** The same, where it is something that an operator could have asked for. */
export const AUTOMATIC_OPERATOR = 'tillwatch';

export type CommandRequest = {
  readonly terminal: string;
  readonly kind: string;
  readonly arguments: unknown;
  readonly reason: string;
  readonly actor: Actor;
  /** How long from now it may begin; what its row of the catalogue says unless said. */
  readonly expiresMs?: number | undefined;
  /** The caller's; what is not valid is as good as absent. */
  readonly traceparent?: string | undefined;
  /** How long ago it was asked for. */
  readonly tookMs?: number | undefined;
  /** Of the caller: the same one again means the same command. */
  readonly idempotencyKey?: string | undefined;
  /** What the caller has said, where `arguments` hold something that was made for this one request. */
  readonly said?: unknown;
  /** The bulk action that it is a part of. */
  readonly bulk?: string | undefined;
};

export const expiryOf = ({ kind, expiresMs }: Pick<CommandRequest, 'kind' | 'expiresMs'>): number =>
  Math.round(expiresMs ?? (isKind(kind) ? catalogue[kind].expiryMs : COMMAND_EXPIRY_MS));

/** @returns what is wrong with it. */
export function wrongReason(given: string): string | undefined {
  const reason = given.trim();
  if (reason.length < REASON_CHARS_MIN || reason.length > REASON_CHARS_MAX) {
    return `a reason of ${REASON_CHARS_MIN} to ${REASON_CHARS_MAX} characters is needed`;
  }
  // It is shown in terminals and logs, where control characters do things.
  if (/\p{Cc}/u.test(reason)) return 'a reason is one line without control characters';
  return holdsCard(reason) ? 'a reason holds no card data: it is kept for years' : undefined;
}

/** @returns why this operator may not; a kind that is none is for others to judge. */
export function wrongRole({ name, role }: Actor, kind: string): Refusal | undefined {
  if (!isKind(kind) || isAllowed(role, catalogue[kind].role)) return undefined;
  const needed = catalogue[kind].role;
  return refuse('forbidden', `${kind} needs the role ${needed}: ${name} has the role ${role}`);
}

/** Now; undefined for who is no operator any more. */
export type RoleOf = (name: string) => Role | undefined;

/** What was asked for is done later, in somebody's name. @returns why it may not be any more. */
export function lostRight(name: string, needed: Role, roleOf: RoleOf): string | undefined {
  const role = roleOf(name);
  if (role !== undefined && isAllowed(role, needed)) return undefined;
  return `${name} ${role === undefined ? 'is no operator' : 'has not the role for it'} any more`;
}

const OWN_ONLY =
  'kind: the broker sends trust by itself, when an authority or a command key is replaced ' +
  '(tillwatch broker rotate)';

/** @param view the terminal's; a component that it is known not to have is refused here. */
export function checkContent(
  { kind, arguments: args }: Pick<CommandRequest, 'kind' | 'arguments'>,
  view: TerminalView,
): Result<CommandContent> {
  const content = readContent(kind, args);
  if (!content.ok) return content;
  const names = view.components.map(({ name }) => name);
  const stranger = componentsOf(content.value).find((name) => !names.includes(name));
  if (names.length > 0 && stranger !== undefined) {
    return fail(
      `arguments.component: ${view.id} has no component ${stranger}; it has ${names.join(', ')}`,
    );
  }
  return content;
}

/** @param isOwn the broker itself asks. */
export function checkRequest(
  request: CommandRequest,
  view: TerminalView,
  isOwn = false,
): Result<CommandContent> {
  const wrong = wrongReason(request.reason);
  if (wrong !== undefined) return fail(wrong);
  const expiresMs = expiryOf(request);
  if (!(expiresMs >= EXPIRY_MS_MIN && expiresMs <= EXPIRY_MS_MAX)) {
    return fail(
      `expiresMs: it is a time from now, ${EXPIRY_MS_MIN} to ${EXPIRY_MS_MAX} milliseconds`,
    );
  }
  const content = checkContent(request, view);
  if (!content.ok) return content;
  return content.value.kind === 'trust' && !isOwn ? fail(OWN_ONLY) : ok(content.value);
}
