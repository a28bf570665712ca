// `tillwatch restart TERMINAL COMPONENT --reason TEXT`: asks the broker for a signed command and shows each
// state that the terminal reports until the last. A component in the middle of a sale restarts when it is
// idle, so waiting can take minutes; Ctrl-C leaves the command where it is. With --force it does not wait for the
// sale, and the reason, which stands in the audit log, has to say why.

import { COMMAND_EXPIRY_MS, FINAL_STATES } from '../../protocol/commands.ts';
import { parseId } from '../../protocol/ids.ts';
import { REASON_CHARS_MAX } from '../../protocol/limits.ts';
import type { Client, CommandView, Reply } from '../client.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { refusedFor } from '../names.ts';

const POLL_MS = 150;
/** The broker's own rule. */
const REASON_CHARS_MIN = 3;
/** The broker ends every command at its expiry; this is for a broker that does not. */
const WAIT_MS_MAX = COMMAND_EXPIRY_MS + 60_000;

/** States that are no verb by themselves. */
const HOW_IT_ENDED: Readonly<Record<string, string>> = {
  rejected: 'was rejected',
  expired: 'came too late',
};

export const isFinal = (state: CommandView['state']): boolean =>
  (FINAL_STATES as readonly string[]).includes(state);

export type RestartOptions = {
  readonly reason: string;
  readonly wait: boolean;
  /** Also in the middle of a sale. */
  readonly force?: boolean;
};

function checkArguments(terminal: string, component: string, reason: string): string | undefined {
  for (const checked of [parseId('terminal', terminal), parseId('component', component)]) {
    if (!checked.ok) return checked.reason;
  }
  if (reason.trim().length < REASON_CHARS_MIN) {
    return `say why with --reason, in ${REASON_CHARS_MIN} characters or more: it stands in the audit log`;
  }
  if (reason.length > REASON_CHARS_MAX)
    return `--reason is longer than ${REASON_CHARS_MAX} characters`;
  return undefined;
}

/** Calls `onState` for each new line of the command's history; answers with the final view. */
export async function followCommand(
  client: Client,
  id: string,
  world: Pick<Context, 'nowMs' | 'sleep'>,
  onState: (entry: CommandView['history'][number]) => void,
): Promise<Reply<CommandView>> {
  const untilMs = world.nowMs() + WAIT_MS_MAX;
  let shown = 0;
  for (;;) {
    const reply = await client.get<CommandView>(`/api/v1/commands/${id}`, ['state', 'history']);
    if (!reply.ok) return reply;
    for (const entry of reply.value.history.slice(shown)) onState(entry);
    shown = reply.value.history.length;
    if (isFinal(reply.value.state)) return reply;
    if (world.nowMs() > untilMs) {
      return { ok: false, exit: EXIT.failed, sentence: `command ${id} has not ended in time` };
    }
    await world.sleep(POLL_MS);
  }
}

/** Under which trace the whole of it is found, for a person; JSON has it anyway. */
export function printTrace(
  { json, print }: Pick<Context, 'json' | 'print'>,
  { trace }: Pick<CommandView, 'trace'>,
): void {
  if (!json && trace !== undefined) print(`trace ${trace}`);
}

export async function runRestart(
  context: Context,
  terminal: string,
  component: string,
  { reason, wait, force = false }: RestartOptions,
): Promise<Outcome> {
  const wrong = checkArguments(terminal, component, reason);
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  const created = await context.client.post<Pick<CommandView, 'id' | 'state' | 'trace'>>(
    `/api/v1/terminals/${terminal}/commands`,
    { kind: 'restart', arguments: { component, ...(force ? { force } : {}) }, reason },
  );
  if (!created.ok) return await refusedFor(context.client, created, { terminal, component });
  const { id } = created.value;
  if (!wait) {
    if (context.json) printJson(context, created.value);
    else context.print(`command ${id} is ${created.value.state}`);
    printTrace(context, created.value);
    return done;
  }
  if (!context.json) context.print(`restart of ${component} on ${terminal}, command ${id}`);
  const startedMs = context.nowMs();
  const final = await followCommand(context.client, id, context, (entry) => {
    if (context.json) return;
    const seconds = (Math.max(0, context.nowMs() - startedMs) / 1000).toFixed(2).padStart(8);
    context.print(`${seconds} s  ${entry.state.padEnd(9)}  ${entry.reason ?? ''}`.trimEnd());
  });
  if (!final.ok) return ended(final.exit, final.sentence);
  if (context.json) printJson(context, final.value);
  printTrace(context, final.value);
  if (final.value.state === 'succeeded') return done;
  const why = final.value.reason ?? final.value.history.at(-1)?.reason ?? '';
  return ended(
    EXIT.failed,
    `the restart ${HOW_IT_ENDED[final.value.state] ?? final.value.state}${why === '' ? '' : `: ${why}`}`,
  );
}
