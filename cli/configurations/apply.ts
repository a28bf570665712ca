// `tillwatch config apply` and `config rollback`: a plan is shown as a person has to read it before it is started (what
// changes, where, how carefully), and the number of terminals is asked for. Who says no, or nothing, leaves no plan
// behind. Without a person the number stands in --count.

import { parseId } from '../../protocol/ids.ts';
import type { Reply } from '../client.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { plural, wrap } from '../screen.ts';
import type { Selector } from '../selector.ts';
import { wrongReason } from '../verbs/command.ts';
import { parseDuration } from '../when.ts';
import { problemsOf, readFileText } from './check.ts';
import { follow } from './follow.ts';
import { API, type PlanView, painted, type VersionView, waveText } from './words.ts';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const DIFFERENCE_LINES_MAX = 400;

export type ApplyWish = {
  readonly name: string;
  readonly reason: string;
  readonly count: string | undefined;
  readonly wait: boolean;
  readonly lasts: string | undefined;
};

function wrongWish({ name, reason, count }: ApplyWish): string | undefined {
  const named = parseId('name', name);
  if (!named.ok) return named.reason;
  if (count !== undefined && !/^\d{1,6}$/.test(count)) return '--count: a whole number';
  return wrongReason(reason);
}

function printPlan({ print, style }: Context, plan: PlanView): void {
  const { version, difference, against, count, stores, leftOut, firstWave } = plan;
  const what = version.restores === undefined ? '' : `, the text of version ${version.restores}`;
  print(style.bold(`${version.name} version ${version.version}, for ${version.scope}${what}`));
  const lines = difference.split('\n').slice(0, -1);
  for (const line of lines.slice(0, DIFFERENCE_LINES_MAX)) print(painted(line, style));
  if (lines.length > DIFFERENCE_LINES_MAX) {
    print(`... and ${lines.length - DIFFERENCE_LINES_MAX} lines more of the difference`);
  }
  if (lines.length === 0) print(`no difference to version ${against}`);
  if (leftOut.count > 0) print(`left out: ${leftOut.count}`);
  for (const { terminal, reason } of leftOut.first) print(`  ${terminal}: ${reason}`);
  const notes =
    count === 0
      ? [
          'no terminal is there that would take it now: it is released as it is, and who comes gets it',
        ]
      : [
          waveText(count, stores, firstWave),
          'what it changes is restarted when no sale is open; a till that is not ready under it goes back by itself',
        ];
  for (const note of notes) for (const line of wrap(note, style.columns)) print(line);
}

/** @returns the number that was typed; undefined: nobody is there to type one. */
async function askCount({ count }: PlanView, given: string | undefined) {
  if (given !== undefined) return given;
  if (process.stdin.isTTY !== true) return undefined;
  const { askLine } = await import('../prompt.ts');
  const line = await askLine(`write the number of terminals (${count}) to start it: `);
  return line.ok ? line.value : '';
}

/** Nobody has to clean up after somebody who changed their mind. */
async function drop({ client }: Context, { version }: PlanView): Promise<void> {
  if (version.bulk === undefined) return;
  await client.post(`/api/v1/bulk/${version.bulk}/abort`, { reason: 'it was not started' });
}

async function startPlan(context: Context, plan: PlanView, wish: ApplyWish): Promise<Outcome> {
  const { client, print, json } = context;
  if (!json) printPlan(context, plan);
  const { name, version } = plan.version;
  const typed = json ? wish.count : await askCount(plan, wish.count);
  if (typed === undefined) {
    if (json) printJson(context, plan);
    else print(`nothing is done yet: run it again with --count ${plan.count}`);
    await drop(context, plan);
    return done;
  }
  if (typed !== String(plan.count)) {
    await drop(context, plan);
    const why = typed === '' ? 'nothing was typed' : `${typed} is not ${plan.count}`;
    return ended(EXIT.failed, `${why}: nothing is done`);
  }
  const { count } = plan;
  // The number is what a person has read; the words of a bulk action say no more.
  const body = { count, reason: wish.reason, confirm: `apply ${count}` };
  const path = `${API}/${name}/versions/${version}/start`;
  const started = await client.post<VersionView>(path, body);
  if (!started.ok) return ended(started.exit, started.sentence);
  if (wish.wait && started.value.state === 'rolling') return await follow(context, started.value);
  if (json) printJson(context, started.value);
  else if (started.value.state === 'released') print(`version ${version} of ${name} is released`);
  else {
    print(`version ${version} of ${name} rolls out: tillwatch config show ${name}`);
    print(`to stop it: tillwatch bulk pause ${started.value.bulk} --reason ...`);
  }
  return done;
}

async function planned(context: Context, made: Reply<PlanView>, wish: ApplyWish): Promise<Outcome> {
  if (!made.ok) return ended(made.exit, made.sentence.replace(/^selector: /, ''));
  return await startPlan(context, made.value, wish);
}

const duration = (name: string, text: string | undefined, leastMs: number, mostMs: number) =>
  text === undefined ? undefined : parseDuration(name, text, leastMs, mostMs);

export async function runApply(
  context: Context,
  file: string,
  wish: ApplyWish & { readonly selector: Selector | undefined; readonly ready: string | undefined },
): Promise<Outcome> {
  const wrong = wrongWish(wish);
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  const lasts = duration('--lasts', wish.lasts, 60 * SECOND_MS, 7 * 24 * HOUR_MS);
  const ready = duration('--ready', wish.ready, 5 * SECOND_MS, HOUR_MS);
  if (lasts?.ok === false) return ended(EXIT.usage, lasts.reason);
  if (ready?.ok === false) return ended(EXIT.usage, ready.reason);
  const text = await readFileText(file);
  if (!text.ok) return ended(EXIT.usage, text.reason);
  const problems = await problemsOf(text.value);
  if (problems.length > 0) {
    for (const problem of problems) context.print(problem);
    return ended(EXIT.usage, `${file} has ${plural(problems.length, 'problem')}: nothing is done`);
  }
  const body = {
    ...{ text: text.value, reason: wish.reason },
    ...(wish.selector && { selector: wish.selector }),
    ...(lasts && { lastsMs: lasts.value }),
    ...(ready && { readyMs: ready.value }),
  };
  return await planned(
    context,
    await context.client.post<PlanView>(`${API}/${wish.name}/plan`, body),
    wish,
  );
}

export async function runRollback(
  context: Context,
  wish: ApplyWish & { readonly to: string | undefined },
): Promise<Outcome> {
  const wrong = wrongWish(wish);
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  const { to, name, reason } = wish;
  if (to !== undefined && !/^[1-9]\d{0,8}$/.test(to)) {
    return ended(EXIT.usage, '--to: the number of a version, as tillwatch config history shows it');
  }
  const body = { reason, ...(to === undefined ? {} : { to: Number(to) }) };
  const made = await context.client.post<PlanView>(`${API}/${name}/rollback`, body);
  return await planned(context, made, wish);
}
