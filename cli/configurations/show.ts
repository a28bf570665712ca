// `tillwatch config`, `config show`, `config history` and `config remove`: which configurations there are, who runs them,
// and where one was stopped, which tills said what, and what can be done about it.

import { parseId } from '../../protocol/ids.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { plural, table, wrap } from '../screen.ts';
import { wrongReason } from '../verbs/command.ts';
import { failedOf } from './follow.ts';
import {
  API,
  countsText,
  type DocumentView,
  momentOf,
  shortHash,
  standingText,
  stopLines,
  type VersionView,
} from './words.ts';

const NONE = 'no configuration is kept yet: tillwatch config apply NAME FILE --all --reason WHY';

const movingText = ({ rolling, latest, released }: DocumentView): string => {
  if (rolling !== undefined) return `${rolling.version} ${rolling.state}`;
  return latest.version === released?.version ? '-' : `${latest.version} ${latest.state}`;
};

export async function runConfigurations(context: Context): Promise<Outcome> {
  const { client, print, json, style } = context;
  const reply = await client.get<{ configurations: readonly DocumentView[] }>(API, [
    'configurations',
  ]);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const { configurations } = reply.value;
  if (json) {
    printJson(context, reply.value);
    return done;
  }
  if (configurations.length === 0) {
    for (const line of wrap(NONE, style.columns)) print(line);
    return done;
  }
  const rows = configurations.map((one) => [
    ...[one.name, one.scope, String(one.released?.version ?? '-'), movingText(one)],
    standingText(one),
  ]);
  const stopped = (cell: string): string => (cell.endsWith('stopped') ? style.bad(cell) : cell);
  const columns = [
    ...[{ title: 'NAME' }, { title: 'FOR', shrinks: true }, { title: 'RELEASED' }],
    ...[
      { title: 'NEWEST', paint: stopped },
      { title: 'TERMINALS', shrinks: true },
    ],
  ];
  for (const line of table(columns, rows, style.columns)) print(line);
  for (const { name, held } of configurations) {
    if (held !== undefined) print(style.bad(`${name} is not sent by itself any more: ${held}`));
  }
  return done;
}

const versionLine = (view: VersionView): string => {
  const { version, state, by, reason, startedMs, createdMs, sha256, restores } = view;
  const what = restores === undefined ? '' : ` (the text of ${restores})`;
  const when = momentOf(startedMs ?? createdMs);
  return `${state}: version ${version}${what}, ${when} by ${by}: ${reason} (${shortHash(sha256)})`;
};

async function showText(context: Context, name: string, number: string): Promise<Outcome> {
  if (!/^[1-9]\d{0,8}$/.test(number)) {
    return ended(EXIT.usage, '--version: a number, as tillwatch config history shows it');
  }
  const path = `${API}/${name}/versions/${number}`;
  const reply = await context.client.get<VersionView & { text: string }>(path, ['text']);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (context.json) printJson(context, reply.value);
  else context.print(reply.value.text.replace(/\n$/, ''));
  return done;
}

export async function runShow(
  context: Context,
  name: string,
  number: string | undefined,
): Promise<Outcome> {
  const named = parseId('name', name);
  if (!named.ok) return ended(EXIT.usage, named.reason);
  if (number !== undefined) return await showText(context, name, number);
  const reply = await context.client.get<DocumentView>(`${API}/${name}`, ['name', 'counts']);
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  const view = reply.value;
  const { print, style } = context;
  const open = view.rolling ?? (view.latest.state === 'stopped' ? view.latest : undefined);
  const failed = open?.state === 'stopped' ? await failedOf(context, open.bulk) : [];
  if (context.json) {
    printJson(context, failed.length === 0 ? view : { ...view, failed });
    return done;
  }
  print(style.bold(`${name}: for ${view.scope}`));
  if (view.released === undefined) print('nothing of it is released yet');
  else for (const line of wrap(versionLine(view.released), style.columns)) print(line);
  if (open !== undefined) {
    for (const line of wrap(versionLine(open), style.columns)) {
      print(open.state === 'stopped' ? style.bad(line) : line);
    }
    if (open.counts !== undefined) print(`  ${countsText(open.counts)}`);
    if (open.state === 'stopped') for (const line of stopLines(context, open, failed)) print(line);
    else print(`  to stop it: tillwatch bulk pause ${open.bulk} --reason ...`);
  }
  if (view.counts.meant > 0) {
    print(`${plural(view.counts.meant, 'terminal')} meant: ${standingText(view)}`);
  }
  if (view.held !== undefined) print(style.bad(`not sent by itself any more: ${view.held}`));
  return done;
}

export async function runHistory(context: Context, name: string): Promise<Outcome> {
  const named = parseId('name', name);
  if (!named.ok) return ended(EXIT.usage, named.reason);
  const reply = await context.client.get<{ versions: readonly VersionView[] }>(
    `${API}/${name}/versions`,
    ['versions'],
  );
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (context.json) {
    printJson(context, reply.value);
    return done;
  }
  const rows = reply.value.versions.map((one) => [
    ...[String(one.version), one.state, momentOf(one.startedMs ?? one.createdMs), one.by],
    ...[shortHash(one.sha256), one.why === '' ? one.reason : `${one.reason}; ${one.why}`],
  ]);
  const columns = [
    ...[{ title: 'VERSION' }, { title: 'STATE' }, { title: 'WHEN' }, { title: 'WHO' }],
    ...[{ title: 'TEXT' }, { title: 'WHY', shrinks: true }],
  ];
  for (const line of table(columns, rows, context.style.columns)) context.print(line);
  return done;
}

type Removed = {
  readonly terminals: number;
  readonly instead: readonly { readonly name: string; readonly terminals: number }[];
};

/** A person is shown who runs it, and asked. */
async function asked(context: Context, name: string) {
  const { client, print } = context;
  const no = (outcome: Outcome) => ({ ok: false as const, outcome });
  const reply = await client.get<DocumentView>(`${API}/${name}`, ['latest']);
  if (!reply.ok) return no(ended(reply.exit, reply.sentence));
  const { person } = await import('../prompt.ts');
  if (!person.isThere) return no(ended(EXIT.usage, 'nobody is there to be asked: add --yes'));
  const { latest } = reply.value;
  print(`${name}, for ${latest.scope}: ${standingText(reply.value)}`);
  print('they go on with it, or get what is meant for more terminals, if there is such a one');
  if (!(await person.confirm('forget all its versions? (yes/no) '))) {
    return no(ended(EXIT.failed, 'nothing is done'));
  }
  return { ok: true as const, version: latest.version };
}

export async function runRemove(
  context: Context,
  name: string,
  { reason, yes }: { readonly reason: string; readonly yes: boolean },
): Promise<Outcome> {
  const { client, print, json } = context;
  const named = parseId('name', name);
  const wrong = named.ok ? wrongReason(reason) : named.reason;
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  const sure = yes || json ? { ok: true as const, version: undefined } : await asked(context, name);
  if (!sure.ok) return sure.outcome;
  const body = { reason, ...(sure.version === undefined ? {} : { version: sure.version }) };
  const gone = await client.post<Removed>(`${API}/${name}/remove`, body);
  if (!gone.ok) return ended(gone.exit, gone.sentence);
  if (json) printJson(context, gone.value);
  else print(removedText(name, gone.value));
  return done;
}

/** Who goes on with it, and who does not: a document for more terminals may be meant for them now. */
function removedText(name: string, { terminals, instead }: Removed): string {
  const moved = instead.reduce((sum, one) => sum + one.terminals, 0);
  const left = terminals - moved;
  const parts = instead.map((one) => {
    const what = one.terminals === 1 ? 'gets' : 'get';
    return `${plural(one.terminals, 'terminal')} ${what} ${one.name} by themselves now`;
  });
  const stay = `${plural(left, 'terminal')} ${left === 1 ? 'goes' : 'go'} on with it`;
  if (left > 0 || moved === 0) parts.push(stay);
  return `${name} is forgotten; ${parts.join('; ')}`;
}
