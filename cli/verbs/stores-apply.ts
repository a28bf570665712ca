// `tillwatch stores apply FILE`: reads the file here, with everything that is wrong with it at once, shows what it would
// change, asks, and applies just that: what somebody else changed meanwhile is refused by the broker.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { plural, wrap } from '../screen.ts';
import { wrongReason } from './command.ts';

export type ApplyWish = {
  readonly file: string;
  readonly reason: string;
  readonly prune: boolean;
  readonly isDry: boolean;
  readonly isYes: boolean;
  /** Show every line. */
  readonly isWhole: boolean;
};

type Field = { readonly field: string; readonly before: string; readonly after: string };
type Change = {
  readonly kind: string;
  readonly store: string;
  readonly sentence: string;
  readonly fields?: readonly Field[];
  readonly terminals?: readonly string[];
};
type Counted = 'added' | 'changed' | 'removed' | 'same' | 'absent' | 'planned' | 'moved';
type Counts = Readonly<Record<Counted, number>>;
type Plan = {
  readonly counts: Counts;
  readonly digest: string;
  readonly changes: readonly Change[];
  readonly more: number;
  readonly absent: readonly string[];
  readonly applied: boolean;
};

const LINES_MAX = 60;
const MARKS: Readonly<Record<string, string>> = {
  ...{ added: '+', planned: '+', named: '+', changed: '~', moved: '>' },
  ...{ removed: '-', dropped: '-', kept: '!', retired: '!' },
};
const PATH = '/api/v1/stores';

/** Lines of one change; a store that changes in many ways has one for each. */
function linesOf({ kind, store, sentence, fields }: Change, { style }: Context): string[] {
  const mark = MARKS[kind] ?? '?';
  const says = fields?.map(({ field, before, after }) => `${field}: ${before} -> ${after}`);
  const paint = mark === '+' ? style.good : mark === '-' || mark === '!' ? style.warn : style.bold;
  return (says ?? [sentence]).flatMap((text) =>
    wrap(`${store}: ${text}`, style.columns - 4).map((line, at) =>
      at === 0 ? `${paint(mark)} ${line}` : `    ${line}`,
    ),
  );
}

function countsText({ added, changed, removed, same, planned, moved }: Counts): string {
  const parts = [
    ...(added > 0 ? [`${plural(added, 'store')} added`] : []),
    ...(changed > 0 ? [`${changed} changed`] : []),
    ...(removed > 0 ? [`${removed} removed`] : []),
    ...(same > 0 ? [`${same} as before`] : []),
  ];
  const terminals = [
    ...(planned > 0 ? [`${plural(planned, 'terminal')} planned`] : []),
    ...(moved > 0 ? [`${moved} moved`] : []),
  ];
  return [parts, terminals]
    .filter((some) => some.length > 0)
    .map((some) => some.join(', '))
    .join('; ');
}

function show(context: Context, plan: Plan, { isWhole }: ApplyWish): void {
  const { print, style } = context;
  const lines = plan.changes.flatMap((change) => linesOf(change, context));
  const shown = isWhole ? lines : lines.slice(0, LINES_MAX);
  for (const line of shown) print(line);
  const hidden = lines.length - shown.length;
  if (hidden > 0) print(`... and ${plural(hidden, 'line')} more: --all`);
  if (plan.more > 0) print(`... and ${plural(plan.more, 'change')} more than one answer holds`);
  const { absent } = plan.counts;
  if (absent > 0) {
    const named = plan.absent.slice(0, 5).join(', ');
    const more = absent > 5 ? ' ...' : '';
    const which = `${plural(absent, 'store')} not in the file`;
    for (const line of wrap(
      `${which} (${named}${more}): they stay; --prune forgets them`,
      style.columns,
    )) {
      print(line);
    }
  }
  print(style.bold(countsText(plan.counts)));
}

async function mayApply({ print }: Context, wish: ApplyWish): Promise<Outcome | undefined> {
  const wrong = wrongReason(wish.reason);
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  if (wish.isYes) return undefined;
  const { person } = await import('../prompt.ts');
  if (!person.isThere) {
    return ended(EXIT.usage, 'nothing is applied: say --yes where nobody can be asked');
  }
  if (await person.confirm('apply this? [y/N] ')) return undefined;
  print('nothing is applied');
  return done;
}

async function readFile(wish: ApplyWish): Promise<readonly unknown[] | Outcome> {
  let text: string;
  try {
    text = readFileSync(wish.file, 'utf8');
  } catch (error) {
    return ended(EXIT.usage, `cannot read ${wish.file}: ${(error as Error).message}`);
  }
  const { readStoresFile } = await import('../../broker/stores/file.ts');
  const { textOf } = await import('../../broker/stores/shape.ts');
  const read = await readStoresFile(text, basename(wish.file));
  if (read.ok) return read.stores.map(textOf);
  const many = read.problems.length;
  const head = `${wish.file}: ${plural(many, 'problem')}; nothing is changed`;
  return ended(EXIT.usage, [head, ...read.problems.map((line) => `  ${line}`)].join('\n'));
}

export async function runApply(context: Context, wish: ApplyWish): Promise<Outcome> {
  const { client, print, json } = context;
  const stores = await readFile(wish);
  if ('exit' in stores) return stores;
  const body = { stores, prune: wish.prune };
  const planned = await client.post<Plan>(`${PATH}/plan`, body);
  if (!planned.ok) return ended(planned.exit, planned.sentence);
  const { changes, counts, digest } = planned.value;
  if (!json) {
    if (changes.length === 0) {
      const same = plural(counts.same, 'store');
      print(`nothing changes: ${same} ${counts.same === 1 ? 'is' : 'are'} as the file says`);
    }
    if (changes.length > 0 || counts.absent > 0) show(context, planned.value, wish);
  }
  if (wish.isDry || changes.length === 0) {
    if (json) printJson(context, planned.value);
    return done;
  }
  const not = await mayApply(context, wish);
  if (not !== undefined) return not;
  const applied = await client.post<Plan>(`${PATH}/apply`, {
    ...body,
    digest,
    reason: wish.reason,
  });
  if (!applied.ok) return ended(applied.exit, applied.sentence);
  if (json) printJson(context, applied.value);
  else print('applied');
  return done;
}
