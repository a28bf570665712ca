// What `tillwatch maintenance window` does: adds, lists and removes what is done at planned times in the local time of
// each store. The list says when each begins next and what it did last, also where nothing could be done.

import { MAINTENANCE_MS_MAX } from '../../protocol/limits.ts';
import type { Reply } from '../client.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { didYouMean } from '../nearest.ts';
import { age, plural } from '../screen.ts';
import type { Selector } from '../selector.ts';
import { localClock, localDay, parseDuration } from '../when.ts';
import { wrongReason } from './command.ts';

const MINUTE_MS = 60_000;
const ACTIONS = ['restart-all', 'reboot', 'observe'];
/** Of what one did. */
const RUNS_SHOWN_MAX = 5;

type Run = {
  readonly store: string;
  readonly date: string;
  readonly atMs: number;
  readonly state: string;
  readonly bulk?: string;
  readonly why: string;
};
type Window = {
  readonly name: string;
  readonly where: Readonly<Record<string, unknown>>;
  readonly at: string;
  readonly forMs: number;
  readonly action: string;
  readonly by: string;
  readonly reason: string;
  readonly stores: number;
  readonly withoutZone: readonly string[];
  readonly next?: { readonly atMs: number; readonly zone: string };
  readonly runs: readonly Run[];
};

export type WindowWish = {
  readonly name: string;
  readonly selector: Selector | undefined;
  readonly at: string | undefined;
  readonly time: string | undefined;
  readonly action: string | undefined;
  readonly reason: string;
};

function wrongWish({ selector, at, time, action, reason }: WindowWish): string | undefined {
  if (selector === undefined || Object.keys(selector).length > 1) {
    return 'say which stores with one of --store, --region, --label and --all';
  }
  if (at === undefined) return 'say when with --at, as in --at "sun 03:00"';
  if (time === undefined) return 'say how long it may take with --for, as in --for 1h';
  if (action === undefined) return `say what to do with --do: ${ACTIONS.join(', ')}`;
  if (!ACTIONS.includes(action)) {
    return `--do "${action.slice(0, 40)}": one of ${ACTIONS.join(', ')}${didYouMean(action, ACTIONS)}`;
  }
  return wrongReason(reason);
}

const nextText = ({ next }: Window): string =>
  next === undefined
    ? 'never: no store of which the time zone is known'
    : `${localDay(next.atMs, next.zone)} ${localClock(next.atMs, next.zone).slice(0, 5)} (${next.zone})`;

function printWindow({ print, style }: Context, one: Window): void {
  const what = one.action.replaceAll('_', '-');
  print(`${style.bold(one.name)}: ${what}, ${one.at}, for ${age(one.forMs)}`);
  const [where] = Object.entries(one.where);
  const which = where === undefined || where[0] === 'all' ? 'all stores' : `${where.join(' ')}`;
  print(`  ${which}: ${plural(one.stores, 'store')} now; next ${nextText(one)}`);
  print(`  by ${one.by}: ${one.reason}`);
  if (one.withoutZone.length > 0) {
    print(
      style.warn(`  no time zone is known of ${one.withoutZone.join(', ')}: stores apply says it`),
    );
  }
}

export async function runAdd(context: Context, wish: WindowWish): Promise<Outcome> {
  const wrong = wrongWish(wish);
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  const forMs = parseDuration('--for', wish.time ?? '', MINUTE_MS, MAINTENANCE_MS_MAX);
  if (!forMs.ok) return ended(EXIT.usage, forMs.reason);
  const { name, at, action, reason, selector = {} } = wish;
  const { store, ...rest } = selector;
  const where = store === undefined ? rest : { stores: [store] };
  const body = {
    name,
    where,
    at,
    forMs: forMs.value,
    action: action?.replaceAll('-', '_'),
    reason,
  };
  const reply = await context.client.post<Window>('/api/v1/maintenance/windows', body);
  return show(context, reply);
}

function show(context: Context, reply: Reply<Window>): Outcome {
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (context.json) printJson(context, reply.value);
  else printWindow(context, reply.value);
  return done;
}

export async function runRemove(context: Context, name: string, reason: string): Promise<Outcome> {
  const unclear = wrongReason(reason);
  if (unclear !== undefined) return ended(EXIT.usage, unclear);
  const path = `/api/v1/maintenance/windows/${encodeURIComponent(name)}`;
  const query = new URLSearchParams({ reason });
  const reply = await context.client.remove<Window>(`${path}?${query}`);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (context.json) printJson(context, reply.value);
  else context.print(`removed: ${reply.value.name}`);
  return done;
}

export async function runWindows(context: Context): Promise<Outcome> {
  const path = '/api/v1/maintenance/windows';
  const reply = await context.client.get<{ windows: readonly Window[] }>(path, ['windows']);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (context.json) {
    printJson(context, reply.value);
    return done;
  }
  if (reply.value.windows.length === 0) context.print('no windows');
  for (const one of reply.value.windows) {
    printWindow(context, one);
    for (const run of one.runs.slice(0, RUNS_SHOWN_MAX)) {
      const bulk = run.bulk === undefined ? '' : ` (bulk ${run.bulk})`;
      context.print(`    ${run.date} ${run.store}: ${run.state}: ${run.why}${bulk}`);
    }
    const more = one.runs.length - RUNS_SHOWN_MAX;
    if (more > 0) context.print('    and more: --json');
  }
  return done;
}
