// `tillwatch report would-have-acted`: what watchdogs in `observe` decided and did not do, most frequent first.
// It is what one reads for weeks before a component is let act: each line is a decision with its reason, and
// the terminal where it was last, so that somebody can go and look whether it would have been right.

import { parseId } from '../../protocol/ids.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { ago, plural, tame, wrap } from '../screen.ts';
import { parseWhen } from '../when.ts';

export type ReportOptions = {
  readonly since: string;
  readonly terminal?: string | undefined;
  readonly store?: string | undefined;
  readonly component?: string | undefined;
};

type Group = {
  readonly component: string;
  readonly cause: string;
  readonly rung: string;
  readonly version: string;
  readonly by: string;
  readonly count: number;
  readonly terminals: number;
  readonly terminal: string;
  readonly lastMs: number;
  readonly reason: string;
};
type Report = {
  readonly groups: readonly Group[];
  readonly total: number;
  readonly complete: boolean;
};

function readAsk(options: ReportOptions, nowMs: number): Result<URLSearchParams> {
  const since = parseWhen('--since', options.since, nowMs);
  if (!since.ok) return since;
  const query = new URLSearchParams({ since: String(Math.max(0, Math.floor(since.value))) });
  for (const name of ['terminal', 'store', 'component'] as const) {
    const value = options[name];
    if (value === undefined) continue;
    const checked = parseId(name, value);
    if (!checked.ok) return fail(checked.reason);
    query.set(name, value);
  }
  return ok(query);
}

/** What the rung would have been, as a deed. */
const DEEDS: Readonly<Record<string, string>> = {
  heal: 'would have been told to heal itself',
  restart: 'would have been restarted',
  dependants: 'would have been restarted with what depends on it',
  reset: 'would have been reset',
  all: 'everything would have been restarted',
  reboot: 'the terminal would have been rebooted',
  quarantine: 'would have been given to a human',
};

function groupLines(group: Group, { style, nowMs }: Context): string[] {
  const { component, version, rung, cause, count, terminals, terminal, lastMs, by } = group;
  const deed = DEEDS[rung] ?? `rung ${rung}`;
  const held = by === 'hold' ? ' (held by a technician)' : '';
  const head = `${component} ${version}: ${deed}, ${cause}, ${count} ${count === 1 ? 'time' : 'times'}`;
  const where = `on ${plural(terminals, 'terminal')}, last on ${terminal} ${ago(nowMs() - lastMs)}`;
  return [
    style.bold(tame(head)) + held,
    ...wrap(`${where}: ${tame(group.reason)}`, style.columns - 4).map((line) => `    ${line}`),
  ];
}

export async function runWouldHaveActed(
  context: Context,
  options: ReportOptions,
): Promise<Outcome> {
  const ask = readAsk(options, context.nowMs());
  if (!ask.ok) return ended(EXIT.usage, ask.reason);
  const path = `/api/v1/reports/would-have-acted?${ask.value}`;
  const reply = await context.client.get<Report>(path, ['groups', 'total']);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const { groups, total, complete } = reply.value;
  if (context.json) {
    printJson(context, reply.value);
    return done;
  }
  if (groups.length === 0) {
    context.print('Nothing: no component in observe would have been acted on in this time.');
    return done;
  }
  for (const group of groups) for (const line of groupLines(group, context)) context.print(line);
  const older = complete ? '' : '; there were more, these are the newest';
  context.print(`${plural(total, 'decision')} that nobody felt${older}`);
  return done;
}
