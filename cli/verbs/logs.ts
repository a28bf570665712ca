// `tillwatch logs`: asks one terminal, or some, for the records of a window of time and shows them while they come in; or
// with --follow for what is printed from now on. A terminal that is not there answers when it is back: the request
// waits with the broker, and Ctrl-C leaves it there. What was received can be shown again with --request.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseId, UUID_PATTERN } from '../../protocol/ids.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { LogRequestView, TerminalView } from '../client.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { endNotes, followAll, outcomeOf, sizeWords } from '../logs/follow.ts';
import { type LogsOptions, readAsk, readTailAsk } from '../logs/options.ts';
import { openFileSink, openScreenSink, type Sink } from '../logs/sink.ts';
import { refusedFor } from '../names.ts';
import { plural } from '../screen.ts';
import { allTerminals } from '../terminals.ts';
import { isZone, type Zone } from '../zone.ts';
import { askOnce } from './command.ts';

export type { LogsOptions } from '../logs/options.ts';

type Asked = { readonly id: string; readonly terminal: string };
const isOutcome = (value: object): value is Outcome => 'exit' in value;

/** The store's, as one of its terminals tells it; this machine's where none does. */
async function zoneFor(
  context: Context,
  terminals: readonly string[],
  { utc, selector = {} }: LogsOptions,
): Promise<Zone> {
  if (utc) return 'UTC';
  let told: string | undefined;
  const [terminal] = terminals;
  if (terminal !== undefined) {
    const reply = await context.client.get<TerminalView>(`/api/v1/terminals/${terminal}`);
    if (reply.ok) told = reply.value.timeZone;
  } else {
    const all = await allTerminals(context.client);
    const { store, region } = selector;
    const found = all.ok
      ? all.value.filter(
          (one) =>
            (store === undefined || one.store === store) &&
            (region === undefined || one.region === region),
        )
      : [];
    told = found.find(({ timeZone }) => timeZone !== undefined)?.timeZone;
  }
  return told !== undefined && isZone(told) ? told : undefined;
}

async function askOne(
  context: Context,
  terminal: string,
  path: string,
  { body, components }: { body: object; components: readonly string[] },
): Promise<readonly Asked[] | Outcome> {
  const whole = `/api/v1/terminals/${terminal}/${path}`;
  const created = await askOnce<{ id: string }>(context.client, whole, body);
  if (created.ok) return [{ id: created.value.id, terminal }];
  const [component = ''] = components;
  return await refusedFor(context.client, created, { terminal, component });
}

type Group = {
  readonly requests: readonly Asked[];
  readonly skipped?: readonly { readonly terminal: string; readonly reason: string }[];
};

async function askMany(
  context: Context,
  body: object,
  { note }: LogsOptions,
): Promise<readonly Asked[] | Outcome> {
  const created = await askOnce<Group>(context.client, '/api/v1/logs', body);
  if (!created.ok) return ended(created.exit, created.sentence);
  const { requests, skipped = [] } = created.value;
  for (const { terminal, reason } of skipped) note(`${terminal} is left out: ${reason}`);
  return requests;
}

async function create(
  context: Context,
  terminals: readonly string[],
  options: LogsOptions,
  zone: Zone,
): Promise<readonly Asked[] | Outcome> {
  const { selector, components, follow } = options;
  const usage = (reason: string): Outcome => ended(EXIT.usage, reason);
  for (const terminal of terminals) {
    const named = parseId('terminal', terminal);
    if (!named.ok) return usage(named.reason);
  }
  const [terminal, second] = terminals;
  if (terminal === undefined && selector === undefined) {
    return usage(
      'say which terminal: tillwatch logs bm-lane-1, or some of them with --store or --region',
    );
  }
  if (terminal !== undefined && selector !== undefined) {
    return usage('name terminals or say which with --store, --region, --label, --runs: not both');
  }
  const isOne = terminal !== undefined && second === undefined;
  if (follow) {
    const ask = readTailAsk(options);
    if (!ask.ok) return usage(ask.reason);
    if (!isOne) return usage('--follow watches one terminal');
    return await askOne(context, terminal, 'tail', { body: ask.value, components });
  }
  const ask = readAsk(options, context.nowMs(), zone);
  if (!ask.ok) return usage(ask.reason);
  if (isOne) return await askOne(context, terminal, 'logs', { body: ask.value, components });
  const body = { selector: selector ?? { terminals }, ...ask.value };
  return await askMany(context, body, options);
}

/** An earlier request names its terminal and its zone by itself. */
async function recall(context: Context, id: string): Promise<LogRequestView | Outcome> {
  if (!UUID_PATTERN.test(id)) {
    return ended(EXIT.usage, `--request "${id.slice(0, 40)}" is no id of a request`);
  }
  const known = await context.client.get<LogRequestView>(`/api/v1/logs/${id}`);
  return known.ok ? known.value : ended(known.exit, known.sentence);
}

/** A file for one terminal; for several a folder with a file of each. */
function openSinks(
  context: Context,
  asked: readonly Asked[],
  { output, isShown }: LogsOptions,
  zone: Zone,
): Result<Sink[]> {
  const isMany = asked.length > 1;
  const page = { day: '' };
  const sinks: Sink[] = [];
  for (const { terminal } of asked) {
    if (output === undefined) {
      const shown = { isShown, zone, page, terminal: isMany ? terminal : undefined };
      sinks.push(openScreenSink(context, shown));
      continue;
    }
    if (isMany) {
      try {
        mkdirSync(output, { recursive: true, mode: 0o700 });
      } catch (error) {
        return fail(`--output: ${(error as Error).message}`);
      }
    }
    const opened = openFileSink(isMany ? join(output, `${terminal}.log`) : output);
    if (!opened.ok) return opened;
    sinks.push(opened.value);
  }
  return ok(sinks);
}

function conclude(views: readonly LogRequestView[], options: LogsOptions, zone: Zone): Outcome {
  const isWatched = options.isShown || options.output !== undefined;
  for (const view of views) {
    const named = views.length > 1 ? `${view.terminal}: ` : '';
    if (isWatched && view.trace !== undefined) options.note(`${named}trace ${view.trace}`);
    for (const sentence of endNotes(view, zone)) options.note(`${named}${sentence}`);
    if (!isWatched) continue;
    const masked = view.redactions === 0 ? '' : `, ${plural(view.redactions, 'value')} masked`;
    const where = options.output === undefined ? '' : ` in ${options.output}`;
    options.note(
      `${named}${plural(view.lines, 'record')}, ${sizeWords(view.bytes)}${masked}${where}`,
    );
  }
  return views.map(outcomeOf).find((outcome) => outcome !== undefined) ?? done;
}

function printIds({ json, print }: Context, asked: readonly Asked[]): Outcome {
  const [only] = asked;
  if (json) printJson({ print }, asked.length === 1 ? { id: only?.id } : { requests: asked });
  else for (const { id } of asked) print(id);
  return done;
}

export async function runLogs(
  context: Context,
  terminals: readonly string[],
  options: LogsOptions,
): Promise<Outcome> {
  const known = options.request === undefined ? undefined : await recall(context, options.request);
  if (known !== undefined && isOutcome(known)) return known;
  const told = known?.timeZone;
  const zone =
    known === undefined || options.utc
      ? await zoneFor(context, terminals, options)
      : told !== undefined && isZone(told)
        ? told
        : undefined;
  const asked = known === undefined ? await create(context, terminals, options, zone) : [known];
  if (isOutcome(asked)) return asked;
  if (!options.wait) return printIds(context, asked);
  const sinks = openSinks(context, asked, options, zone);
  if (!sinks.ok) return ended(EXIT.usage, sinks.reason);
  const followed = asked.flatMap(({ id }, at) => {
    const sink = sinks.value[at];
    return sink === undefined ? [] : [{ id, sink }];
  });
  const views = await followAll(context, followed, { ...options, zone });
  options.progress('');
  const records = sinks.value.map((sink) => sink.end());
  if (isOutcome(views)) return views;
  if (context.json) {
    const all = views.map((view, at) =>
      options.output === undefined ? { ...view, records: records[at] } : view,
    );
    printJson(context, all.length === 1 ? all[0] : { requests: all });
  }
  return conclude(views, options, zone);
}
