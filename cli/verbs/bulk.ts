// What `tillwatch bulk` does: shows a plan as a person has to read it before starting it, asks for the words where many
// tills could stop selling, and tells how far it is.

import { UUID_PATTERN } from '../../protocol/ids.ts';
import type { Reply } from '../client.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { plural, table } from '../screen.ts';
import { localClock, localDay, parseDuration } from '../when.ts';
import { wrongReason } from './command.ts';

const MINUTE_MS = 60_000;
const LASTS_MS_MAX = 7 * 24 * 60 * MINUTE_MS;
const SHOWN_MAX = 10;
/** Of a plan's list, on the screen. */
const LISTED_MAX = 50;
const PAGE = 1_000;

type Counts = Readonly<Record<string, number>>;
export type BulkView = {
  readonly id: string;
  readonly kind: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly state: string;
  readonly why: string;
  readonly reason: string;
  readonly plannedBy: string;
  readonly startedBy?: string;
  readonly createdMs: number;
  readonly count: number;
  readonly stores: number;
  readonly counts: Counts;
  readonly wave: { readonly number: number; readonly size: number };
  readonly leftOut: { readonly count: number; readonly first: readonly Named[] };
  readonly stopsSelling: boolean;
  readonly wide: boolean;
  readonly confirm?: string;
};
type Named = { readonly terminal: string; readonly reason: string };
type Target = Named & { readonly store: string; readonly state: string };
type Targets = { readonly targets: readonly Target[]; readonly next: number | null };

export type PlanWish = {
  readonly kind: string;
  readonly arguments: object;
  readonly selector: object;
  readonly reason: string;
  readonly lasts: string | undefined;
};

const whatOf = ({ kind, arguments: args }: BulkView): string => {
  const component = args['component'];
  const verb = kind.replaceAll('_', '-');
  return typeof component === 'string' ? `${verb} ${component}` : verb;
};

const wrongId = (id: string): string | undefined =>
  UUID_PATTERN.test(id) ? undefined : `"${id.slice(0, 40)}" is no id of a bulk action`;

const countsText = (counts: Counts): string =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ');

function printView({ print, style }: Context, view: BulkView): void {
  const { count, stores, state, why, counts, leftOut } = view;
  const where = `${plural(count, 'terminal')} of ${plural(stores, 'store')}`;
  print(`${style.bold(`${whatOf(view)} on ${where}`)}: ${state}${why && `, ${why}`}`);
  if (state !== 'planned') print(`  wave ${view.wave.number}; ${countsText(counts)}`);
  if (leftOut.count > 0) {
    print(`  left out: ${leftOut.count}`);
    for (const { terminal, reason } of leftOut.first.slice(0, SHOWN_MAX)) {
      print(`    ${terminal}: ${reason}`);
    }
  }
}

/** @returns all pages of the list, or those in one state. */
async function listOf(context: Context, id: string, state?: string): Promise<Reply<Target[]>> {
  const targets: Target[] = [];
  const only = state === undefined ? '' : `&state=${state}`;
  for (let after: number | null = 0; after !== null; ) {
    const path: string = `/api/v1/bulk/${id}/targets?limit=${PAGE}&after=${after}${only}`;
    const reply: Reply<Targets> = await context.client.get<Targets>(path, ['targets']);
    if (!reply.ok) return reply;
    targets.push(...reply.value.targets);
    after = reply.value.next;
  }
  return { ok: true, value: targets };
}

function printTargets({ print, style }: Context, targets: readonly Target[]): void {
  const columns = [
    ...[{ title: 'terminal' }, { title: 'store' }, { title: 'state' }],
    { title: 'why', shrinks: true },
  ];
  const rows = targets.map(({ terminal, store, state, reason }) => [
    terminal,
    store,
    state,
    reason,
  ]);
  for (const line of table(columns, rows, style.columns, '  ')) print(line);
}

export async function runPlan(context: Context, wish: PlanWish): Promise<Outcome> {
  const { client, print, json, style } = context;
  const { lasts, ...asked } = wish;
  const lastsMs =
    lasts === undefined ? undefined : parseDuration('--lasts', lasts, MINUTE_MS, LASTS_MS_MAX);
  if (lastsMs?.ok === false) return ended(EXIT.usage, lastsMs.reason);
  const body = { ...asked, ...(lastsMs && { lastsMs: lastsMs.value }) };
  const made = await client.post<BulkView>('/api/v1/bulk', body);
  if (!made.ok) return ended(made.exit, made.sentence.replace(/^selector: /, ''));
  const view = made.value;
  const targets = await listOf(context, view.id);
  if (!targets.ok) return ended(targets.exit, targets.sentence);
  if (json) {
    printJson(context, { ...view, targets: targets.value });
    return done;
  }
  printView(context, view);
  printTargets(context, targets.value.slice(0, LISTED_MAX));
  const more = targets.value.length - LISTED_MAX;
  if (more > 0) print(`  and ${more} more: tillwatch bulk status ${view.id} --targets`);
  if (view.stopsSelling) print(style.warn('while it runs, these tills may not be able to sell'));
  print(`nothing is done yet: tillwatch bulk start ${view.id} --count ${view.count} --reason ...`);
  return done;
}

/** The words that a person has to write out; without a person they stand in --confirm. */
async function confirmed(context: Context, id: string, given: string | undefined) {
  if (given !== undefined || process.stdin.isTTY !== true || context.json) return given;
  const reply = await context.client.get<BulkView>(`/api/v1/bulk/${id}`, ['state']);
  if (!reply.ok || reply.value.confirm === undefined) return undefined;
  printView(context, reply.value);
  const { askLine } = await import('../prompt.ts');
  const words = `tills of ${reply.value.stores} stores may not be able to sell`;
  const line = await askLine(`${words}; write "${reply.value.confirm}" to start it: `);
  return line.ok ? line.value : '';
}

export async function runStart(
  context: Context,
  id: string,
  wish: { readonly count: number; readonly confirm: string | undefined; readonly reason: string },
): Promise<Outcome> {
  const { count, reason } = wish;
  const wrong = wrongId(id) ?? wrongReason(reason);
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  if (!Number.isSafeInteger(count) || count < 1) {
    return ended(EXIT.usage, 'say --count, the number of terminals that the plan has shown');
  }
  const confirm = await confirmed(context, id, wish.confirm);
  const body = { count, reason, ...(confirm === undefined ? {} : { confirm }) };
  const path = `/api/v1/bulk/${id}/start`;
  return show(context, await context.client.post<BulkView>(path, body));
}

function show(context: Context, reply: Reply<BulkView>): Outcome {
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (context.json) printJson(context, reply.value);
  else printView(context, reply.value);
  return done;
}

export async function runChange(
  context: Context,
  change: 'pause' | 'resume' | 'abort',
  id: string,
  reason: string,
): Promise<Outcome> {
  const wrong = wrongId(id) ?? wrongReason(reason);
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  const path = `/api/v1/bulk/${id}/${change}`;
  return show(context, await context.client.post<BulkView>(path, { reason }));
}

export async function runStatus(context: Context, id: string, all: boolean): Promise<Outcome> {
  const wrong = wrongId(id);
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  const reply = await context.client.get<BulkView>(`/api/v1/bulk/${id}`, ['state']);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const list = await listOf(context, id, all ? undefined : 'failed');
  if (!list.ok) return ended(list.exit, list.sentence);
  if (context.json) {
    printJson(context, all ? { ...reply.value, targets: list.value } : reply.value);
    return done;
  }
  printView(context, reply.value);
  if (list.value.length > 0) printTargets(context, list.value);
  return done;
}

export async function runList(context: Context): Promise<Outcome> {
  const reply = await context.client.get<{ bulks: readonly BulkView[] }>('/api/v1/bulk', ['bulks']);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (context.json) {
    printJson(context, reply.value);
    return done;
  }
  const { bulks } = reply.value;
  if (bulks.length === 0) context.print('no bulk actions');
  else {
    const columns = ['planned', 'what', 'terminals', 'state', 'who', 'bulk'];
    const rows = bulks.map((one) => [
      `${localDay(one.createdMs)} ${localClock(one.createdMs).slice(0, 5)}`,
      ...[whatOf(one), String(one.count), one.state, one.startedBy ?? one.plannedBy, one.id],
    ]);
    const titles = columns.map((title) => ({ title }));
    for (const line of table(titles, rows, Math.max(context.style.columns, 120))) {
      context.print(line);
    }
  }
  return done;
}
