// What `tillwatch target` does: shows what is set and how many run it, who is behind, and what a change would mean before
// it is made. Whoever says yes says it to what was shown: the broker refuses it when somebody changed targets since.

import { parseId } from '../../protocol/ids.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { type Column, plural, table } from '../screen.ts';
import { localDay } from '../when.ts';
import { wrongReason } from './command.ts';

const LIMIT_MAX = 1_000;

type Target = {
  readonly component: string;
  readonly version: string;
  readonly role: string;
  readonly rank: string;
  readonly value: string;
  readonly by: string;
  readonly reason: string;
  readonly setMs: number;
  readonly meant: number;
  readonly running: number;
  readonly behind: number;
  readonly silent: number;
  readonly conflicts: number;
};
type Targets = { readonly targets: readonly Target[]; readonly digest: string };
type Late = {
  readonly terminal: string;
  readonly store: string;
  readonly component: string;
  readonly running: string;
  readonly target: string;
};
type Behind = {
  readonly behind: readonly Late[];
  readonly silent: readonly Late[];
  readonly total: number;
  readonly silentTotal: number;
};
type Plan = {
  readonly changes: readonly {
    readonly rank: string;
    readonly value: string;
    readonly before?: string;
    readonly after?: string;
  }[];
  readonly meant: number;
  readonly overruled: number;
  readonly behind: number;
  readonly silent: number;
  readonly digest: string;
};

export type TargetWish = {
  readonly component: string;
  /** Undefined: it is cleared. */
  readonly version: string | undefined;
  readonly role: string | undefined;
  readonly rank: string;
  readonly values: readonly string[];
};

const whom = ({ rank, value }: { readonly rank: string; readonly value: string }): string =>
  rank === 'all' ? 'everywhere' : `${rank} ${value}`;

export async function runTargets(context: Context): Promise<Outcome> {
  const reply = await context.client.get<Targets>('/api/v1/targets', ['targets']);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (context.json) {
    printJson(context, reply.value);
    return done;
  }
  const { targets } = reply.value;
  if (targets.length === 0) {
    context.print('no targets: tillwatch target set COMPONENT VERSION --all --reason ...');
    return done;
  }
  const { style } = context;
  const late = (cell: string): string => (cell === '0' ? cell : style.warn(cell));
  const columns: readonly Column[] = [
    ...[{ title: 'COMPONENT' }, { title: 'VERSION' }, { title: 'ROLE' }, { title: 'WHERE' }],
    { title: 'RUN IT', align: 'right' },
    { title: 'BEHIND', align: 'right', paint: late },
    { title: 'SILENT', align: 'right' },
    { title: 'SET', shrinks: true },
  ];
  const rows = targets.map((one) => [
    ...[one.component, one.version, one.role, whom(one)],
    ...[String(one.running), String(one.behind), String(one.silent)],
    `${localDay(one.setMs)} by ${one.by}: ${one.reason}`,
  ]);
  for (const line of table(columns, rows, style.columns)) context.print(line);
  for (const one of targets.filter(({ conflicts }) => conflicts > 0)) {
    const of = plural(one.conflicts, 'terminal');
    context.print(
      style.warn(
        `${one.component} of ${whom(one)}: another label wins on ${of}: clear one of the two`,
      ),
    );
  }
  return done;
}

export async function runBehind(
  context: Context,
  { component, limit: given }: { readonly component: string | undefined; readonly limit: string },
): Promise<Outcome> {
  const limit = Number(given || Number.NaN);
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) {
    return ended(EXIT.usage, `--limit: a whole number from 1 to ${LIMIT_MAX}`);
  }
  const named = component === undefined ? undefined : parseId('component', component);
  if (named?.ok === false) return ended(EXIT.usage, named.reason);
  const query = new URLSearchParams({ limit: String(limit), ...(component && { component }) });
  const reply = await context.client.get<Behind>(`/api/v1/targets/behind?${query}`, ['behind']);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (context.json) {
    printJson(context, reply.value);
    return done;
  }
  const { behind, silent, total, silentTotal } = reply.value;
  if (total === 0) context.print('all that are heard of run their target versions');
  else {
    const titles = ['TERMINAL', 'STORE', 'COMPONENT', 'RUNS', 'TARGET'];
    const rows = behind.map((one) => [
      ...[one.terminal, one.store, one.component, one.running, one.target],
    ]);
    const columns = titles.map((title) => ({ title }));
    for (const line of table(columns, rows, context.style.columns)) context.print(line);
    if (total > behind.length) context.print(`... and ${total - behind.length} more: --limit`);
  }
  if (silentTotal > 0) {
    const names = silent.slice(0, 5).map(({ terminal }) => terminal);
    const more = silentTotal > names.length ? ', ...' : '';
    context.print(
      `silent, and behind when they last spoke: ${silentTotal} (${names.join(', ')}${more})`,
    );
  }
  return done;
}

function printPlan({ print, style }: Context, { component }: TargetWish, plan: Plan): void {
  for (const change of plan.changes) {
    const [before, after] = [change.before ?? 'nothing', change.after ?? 'nothing'];
    print(`${style.bold(component)} ${whom(change)}: ${before} -> ${after}`);
  }
  const overruled =
    plan.overruled === 0 ? '' : `; of ${plan.overruled} something more specific is set`;
  print(`it means ${plural(plan.meant, 'terminal')}${overruled}`);
  if (plan.behind > 0) print(`${plural(plan.behind, 'terminal')} will be behind`);
  if (plan.silent > 0) print(`${plural(plan.silent, 'terminal')} not heard of`);
}

export type How = { readonly reason: string; readonly isYes: boolean; readonly isDry: boolean };

export async function runChange(context: Context, wish: TargetWish, how: How): Promise<Outcome> {
  const { client, json, print } = context;
  const named = parseId('component', wish.component);
  const wrong = named.ok ? (how.isDry ? undefined : wrongReason(how.reason)) : named.reason;
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  const { component, version, role, rank, values } = wish;
  const asked = { component, version, role, rank, values };
  const shown = await client.post<Plan>('/api/v1/targets/plan', asked);
  if (!shown.ok) return ended(shown.exit, shown.sentence);
  const plan = shown.value;
  if (!json) printPlan(context, wish, plan);
  if (how.isDry) {
    if (json) printJson(context, plan);
    return done;
  }
  if (!how.isYes && !json) {
    const { person } = await import('../prompt.ts');
    if (!person.isThere) return ended(EXIT.usage, 'nobody is there to ask: say --yes');
    if (!(await person.confirm('apply it? [y/N] '))) return ended(EXIT.usage, 'nothing is changed');
  }
  const { digest } = plan;
  const { reason } = how;
  const query = new URLSearchParams({ component, rank, values: values.join(','), digest, reason });
  const reply =
    version === undefined
      ? await client.remove<Plan>(`/api/v1/targets?${query}`)
      : await client.post<Plan>('/api/v1/targets', { ...asked, digest, reason });
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (json) printJson(context, reply.value);
  else print(version === undefined ? 'cleared' : 'set');
  return done;
}
