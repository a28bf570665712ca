// The list of commands, the newest first, and taking one back.

import { UUID_PATTERN } from '../../protocol/ids.ts';
import type { CommandView } from '../client.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { table } from '../screen.ts';
import { localClock, localDay } from '../when.ts';
import { wrongReason } from './command.ts';

type Listed = CommandView & {
  readonly kind: string;
  readonly operator: string;
  readonly issuedMs: number;
  readonly arguments: Readonly<Record<string, unknown>>;
};

export type CommandFilter = {
  readonly terminal: string | undefined;
  readonly state: string | undefined;
  readonly limit: string;
};

const whatOf = ({ kind, arguments: args }: Listed): string =>
  [kind.replaceAll('_', '-'), args['component'], args['device'], args['level']]
    .filter((word) => typeof word === 'string')
    .join(' ');

export async function runCommands(context: Context, filter: CommandFilter): Promise<Outcome> {
  const query = new URLSearchParams({ limit: filter.limit });
  if (filter.terminal !== undefined) query.set('terminal', filter.terminal);
  if (filter.state !== undefined) query.set('state', filter.state);
  const path = `/api/v1/commands?${query}`;
  const reply = await context.client.get<{ commands: readonly Listed[] }>(path, ['commands']);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const { commands } = reply.value;
  if (context.json) printJson(context, reply.value);
  else if (commands.length === 0) context.print('no commands');
  else {
    const columns = [
      { title: 'when' },
      { title: 'terminal' },
      { title: 'what' },
      { title: 'state' },
      { title: 'who' },
      { title: 'command' },
      { title: 'why', shrinks: true },
    ];
    const rows = commands.map((one) => [
      `${localDay(one.issuedMs)} ${localClock(one.issuedMs).slice(0, 8)}`,
      ...[one.terminal, whatOf(one), one.state, one.operator, one.id, one.reason ?? ''],
    ]);
    for (const line of table(columns, rows, Math.max(context.style.columns, 132))) {
      context.print(line);
    }
  }
  return done;
}

export async function runCancel(context: Context, id: string, reason: string): Promise<Outcome> {
  if (!UUID_PATTERN.test(id))
    return ended(EXIT.usage, `"${id.slice(0, 40)}" is no id of a command`);
  const wrong = wrongReason(reason);
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  const path = `/api/v1/commands/${id}?reason=${encodeURIComponent(reason)}`;
  const reply = await context.client.remove<CommandView>(path);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (context.json) printJson(context, reply.value);
  else context.print(`command ${id} is ${reply.value.state}`);
  return done;
}
