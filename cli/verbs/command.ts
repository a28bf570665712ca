// Any command of the catalogue, to one terminal: asks the broker for it, signed, and shows each state that the
// terminal reports until the last. One that waits for the end of a sale can take minutes; Ctrl-C leaves it where it
// is. A request whose answer was lost is repeated with the same key and makes no second command.

import { randomUUID } from 'node:crypto';
import { type CommandKind, catalogue } from '../../protocol/catalogue.ts';
import { FINAL_STATES } from '../../protocol/commands.ts';
import { parseId } from '../../protocol/ids.ts';
import { REASON_CHARS_MAX } from '../../protocol/limits.ts';
import type { Client, CommandView, Reply } from '../client.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { refusedFor } from '../names.ts';
import { tame } from '../screen.ts';

const POLL_MS = 150;
/** The broker's own rule. */
const REASON_CHARS_MIN = 3;
/** The broker ends every command at its expiry; this is for a broker that does not. */
const GRACE_MS = 60_000;
const WAIT_MS_MAX =
  Math.max(...Object.values(catalogue).map(({ expiryMs }) => expiryMs)) + GRACE_MS;

/** States that are no verb by themselves. */
const HOW_IT_ENDED: Readonly<Record<string, string>> = {
  rejected: 'was rejected',
  expired: 'came too late',
  cancelled: 'was taken back',
};

export const verbOf = (kind: CommandKind): string => kind.replaceAll('_', '-');

export const isFinal = (state: CommandView['state']): boolean =>
  state === 'cancelled' || (FINAL_STATES as readonly string[]).includes(state);

export type CommandWish = {
  readonly kind: CommandKind;
  readonly terminal: string;
  readonly arguments: object;
  readonly reason: string;
  readonly wait: boolean;
};

/** @returns what is wrong with it. */
export function wrongReason(reason: string): string | undefined {
  if (reason.trim().length < REASON_CHARS_MIN) {
    return `say why with --reason, in ${REASON_CHARS_MIN} characters or more: it stands in the audit log`;
  }
  if (reason.length > REASON_CHARS_MAX) {
    return `--reason is longer than ${REASON_CHARS_MAX} characters`;
  }
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

/** A second time where no answer came: with the same key it is the same command. */
export async function askOnce<T>(client: Client, path: string, body: object): Promise<Reply<T>> {
  const headers = { 'idempotency-key': randomUUID() };
  const first = await client.post<T>(path, body, headers);
  const isLost = !first.ok && first.exit === EXIT.unavailable && first.status === undefined;
  return isLost ? await client.post<T>(path, body, headers) : first;
}

/** What the terminal told beside the last state, as a person reads it. */
function printDetail({ json, print }: Context, { history }: CommandView): void {
  const detail = history.at(-1)?.detail;
  if (json || typeof detail !== 'object' || detail === null) return;
  for (const [name, value] of Object.entries(detail)) {
    print(tame(`  ${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`));
  }
}

const componentOf = (args: object): string | undefined => {
  const component: unknown = Reflect.get(args, 'component');
  return typeof component === 'string' ? component : undefined;
};

async function follow(context: Context, id: string, verb: string): Promise<Outcome> {
  const startedMs = context.nowMs();
  const final = await followCommand(context.client, id, context, (entry) => {
    if (context.json) return;
    const seconds = (Math.max(0, context.nowMs() - startedMs) / 1000).toFixed(2).padStart(8);
    context.print(`${seconds} s  ${entry.state.padEnd(9)}  ${entry.reason ?? ''}`.trimEnd());
  });
  if (!final.ok) return ended(final.exit, final.sentence);
  if (context.json) printJson(context, final.value);
  printDetail(context, final.value);
  printTrace(context, final.value);
  if (final.value.state === 'succeeded') return done;
  const why = final.value.history.at(-1)?.reason ?? '';
  return ended(
    EXIT.failed,
    `the ${verb} ${HOW_IT_ENDED[final.value.state] ?? final.value.state}${why === '' ? '' : `: ${why}`}`,
  );
}

export async function runCommand(context: Context, wish: CommandWish): Promise<Outcome> {
  const { kind, terminal, arguments: args, reason } = wish;
  const named = parseId('terminal', terminal);
  const wrong = named.ok ? wrongReason(reason) : named.reason;
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  const created = await askOnce<Pick<CommandView, 'id' | 'state' | 'trace'>>(
    context.client,
    `/api/v1/terminals/${terminal}/commands`,
    { kind, arguments: args, reason },
  );
  const component = componentOf(args);
  if (!created.ok) {
    const names = component === undefined ? { terminal } : { terminal, component };
    return await refusedFor(context.client, created, names);
  }
  const { id } = created.value;
  if (!wish.wait) {
    if (context.json) printJson(context, created.value);
    else context.print(`command ${id} is ${created.value.state}`);
    printTrace(context, created.value);
    return done;
  }
  const verb = verbOf(kind);
  const what = component === undefined ? `${verb} of` : `${verb} of ${component} on`;
  if (!context.json) context.print(`${what} ${terminal}, command ${id}`);
  return await follow(context, id, verb);
}
