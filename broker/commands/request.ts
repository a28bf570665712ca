// Checks what an operator asks for before it becomes a command, each refusal with a sentence that says
// what to do instead. What the terminal can judge better (is the component restartable now?) is left
// to the terminal.

import {
  COMMAND_EXPIRY_MS,
  type CommandContent,
  componentsOf,
  readContent,
} from '../../protocol/commands.ts';
import { REASON_CHARS_MAX } from '../../protocol/limits.ts';
import { fail, type Result } from '../../protocol/result.ts';
import type { TerminalView } from '../fleet/view.ts';

export const REASON_CHARS_MIN = 3;
export const EXPIRY_MS_MIN = 1_000;
export const EXPIRY_MS_MAX = 7 * 24 * 3_600_000;

export type CommandRequest = {
  readonly terminal: string;
  readonly kind: string;
  readonly arguments: unknown;
  readonly reason: string;
  readonly operator: string;
  /** How long from now it may begin; COMMAND_EXPIRY_MS unless said. */
  readonly expiresMs?: number | undefined;
  /** The caller's; what is not valid is as good as absent. */
  readonly traceparent?: string | undefined;
  /** How long ago it was asked for. */
  readonly tookMs?: number | undefined;
};

/** @param view the terminal's; a component that it is known not to have is refused here. */
export function checkRequest(request: CommandRequest, view: TerminalView): Result<CommandContent> {
  const reason = request.reason.trim();
  if (reason.length < REASON_CHARS_MIN || reason.length > REASON_CHARS_MAX) {
    return fail(`a reason of ${REASON_CHARS_MIN} to ${REASON_CHARS_MAX} characters is needed`);
  }
  // It is shown in terminals and logs, where control characters do things.
  if (/\p{Cc}/u.test(reason)) return fail('a reason is one line without control characters');
  const { expiresMs = COMMAND_EXPIRY_MS } = request;
  if (!(expiresMs >= EXPIRY_MS_MIN && expiresMs <= EXPIRY_MS_MAX)) {
    return fail(
      `expiresMs: it is a time from now, ${EXPIRY_MS_MIN} to ${EXPIRY_MS_MAX} milliseconds`,
    );
  }
  const content = readContent(request.kind, request.arguments);
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
