// `tillwatch drill FAULT`: breaks something on purpose and tells what the watchdog did and how long it took. On a till
// it is watched as it happens; with --terminal the broker hands it to a till far away and the report comes with
// the command's result. The till's own configuration has to allow it, and says no in a sentence.

import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { DRILL_FAULTS } from '../../protocol/commands.ts';
import {
  DRILL_LINES,
  type DrillReport,
  drillReportSchema,
  isDrillFault,
  isDrillOver,
} from '../../protocol/drill.ts';
import { isId, parseId } from '../../protocol/ids.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { refusedFor } from '../names.ts';
import { didYouMean } from '../nearest.ts';
import { type Style, tame, wrap } from '../screen.ts';
import type { TillContext } from '../till-verbs.ts';
import { followCommand, printTrace } from './command.ts';

const POLL_MS = 150;
/** Longer than any drill takes; the agent ends each at its own time. */
const WATCH_MS_MAX = 15 * 60_000;
const REASON_CHARS_MIN = 3;
const LABEL_CHARS = 11;
const NOT_AN_AGENT = 'the agent is of another version than this program: try --json';

export type DrillWish = {
  readonly fault: string;
  readonly component?: string | undefined;
  readonly reason?: string | undefined;
};

export const listLines = (): string[] =>
  DRILL_FAULTS.map((fault) => `${fault.padEnd(LABEL_CHARS)} ${DRILL_LINES[fault]}`);

/** @returns what is wrong with it. */
export function wrongWish({ fault, component }: DrillWish): string | undefined {
  if (fault === '') return 'say which fault: tillwatch drill --list names them';
  if (!isDrillFault(fault)) {
    return `there is no drill "${fault}"${didYouMean(fault, DRILL_FAULTS)}: see tillwatch drill --list`;
  }
  if (component !== undefined && !isId(component)) return `"${component}" is no component`;
  if (component !== undefined && fault !== 'stop') {
    return '--component goes with stop only: nothing else can be taken back on a real one';
  }
  return undefined;
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`;

function stepLines(steps: DrillReport['steps'], { columns }: Style): string[] {
  return steps.flatMap(({ atMs, text }) => {
    const [first = '', ...rest] = wrap(tame(text), columns - 14);
    return [
      `${seconds(atMs).padStart(12)}  ${first}`,
      ...rest.map((line) => `${' '.repeat(14)}${line}`),
    ];
  });
}

const sizeText = (name: string, value: number): string =>
  /Bytes/.test(name) ? `${(value / 1_000_000).toFixed(1)} MB` : String(value);
const wordsOf = (name: string): string =>
  name
    .replace(/Bytes/, '')
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .trim();

/** What stands below the steps. */
export function endLines(report: DrillReport, style: Style): string[] {
  const { state, verdict, expectations, target, phases, leftBehind, budget, numbers } = report;
  const { processes, held } = leftBehind;
  const left = [
    ...(processes.length === 0 ? [] : [`${processes.length} processes (${processes.join(', ')})`]),
    ...held.map((what) => `${what}, for a while`),
  ];
  const paint = state === 'passed' ? style.good : style.bad;
  const fact = (label: string, text: string): string[] =>
    wrap(text, style.columns - LABEL_CHARS - 1).map(
      (line, at) => `${(at === 0 ? label : '').padEnd(LABEL_CHARS)} ${line}`,
    );
  const inTime = (ms: number | undefined, max: number): string =>
    ms === undefined
      ? '-'
      : `${seconds(ms)} (${ms <= max ? 'within' : 'more than'} ${seconds(max)})`;
  return [
    ...(target === undefined
      ? []
      : fact(
          'times',
          `found after ${inTime(phases.confirmed, target.confirmed)}, ready after ${inTime(phases.ready, target.ready)}`,
        )),
    ...(state === 'refused'
      ? []
      : fact('left behind', left.length === 0 ? 'nothing' : left.join('; '))),
    ...(budget === undefined || state === 'refused'
      ? []
      : fact('budget', `${budget.used} of ${budget.of} restarts used`)),
    ...(Object.keys(numbers).length === 0
      ? []
      : fact(
          'numbers',
          Object.entries(numbers)
            .map(([name, value]) => `${wordsOf(name)} ${sizeText(name, value)}`)
            .join(', '),
        )),
    ...expectations
      .filter(({ met }) => !met)
      .flatMap(({ what }) => fact('not so', what).map((line) => style.bad(line))),
    ...wrap(`${state}: ${tame(verdict)}`, style.columns).map((line) => paint(line)),
  ];
}

const conclude = ({ state, verdict, fault }: DrillReport): Outcome => {
  if (state === 'passed') return done;
  return state === 'refused'
    ? ended(EXIT.denied, verdict)
    : ended(EXIT.failed, `the drill ${fault} failed`);
};

function whoAsks(): string {
  try {
    return process.env['SUDO_USER'] || userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? 'unknown'}`;
  }
}

/** On this till: begun, and watched until it is over. */
export async function runDrillHere(context: TillContext, wish: DrillWish): Promise<Outcome> {
  const wrong = wrongWish(wish);
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  const { ask, print, json, style } = context;
  const { fault, component, reason } = wish;
  const request = { kind: 'drill', fault, component, by: whoAsks(), reason };
  const begun = await ask(request);
  if (!begun.ok) return ended(begun.exit, begun.sentence);
  let read = v.safeParse(drillReportSchema, begun.value);
  if (!read.success) return ended(EXIT.unavailable, NOT_AN_AGENT);
  const { drill } = read.output;
  if (!json && isDrillFault(fault)) {
    print(`${style.bold(`drill ${fault}`)}: ${DRILL_LINES[fault]}`);
    if (component !== undefined) print(`waiting until ${component} is idle`);
  }
  const untilMs = performance.now() + WATCH_MS_MAX;
  for (let shown = 0; performance.now() < untilMs; ) {
    const reply = await ask({ kind: 'drill_view' });
    if (!reply.ok) return ended(reply.exit, reply.sentence);
    read = v.safeParse(drillReportSchema, reply.value);
    if (!read.success || read.output.drill !== drill) {
      return ended(EXIT.failed, 'the agent was started anew in the middle of the drill');
    }
    const report = read.output;
    if (!json) for (const line of stepLines(report.steps.slice(shown), style)) print(line);
    shown = report.steps.length;
    if (isDrillOver(report)) {
      if (json) print(JSON.stringify(report, undefined, 2));
      else for (const line of endLines(report, style)) print(line);
      return conclude(report);
    }
    await sleep(POLL_MS);
  }
  return ended(EXIT.failed, 'the drill has not ended in time');
}

/** On a till far away, by a signed command. */
export async function runDrillThere(
  context: Context,
  terminal: string,
  wish: DrillWish,
): Promise<Outcome> {
  const named = parseId('terminal', terminal);
  const wrong = named.ok ? wrongWish(wish) : named.reason;
  if (wrong !== undefined) return ended(EXIT.usage, wrong);
  const { fault, component, reason = '' } = wish;
  if (reason.trim().length < REASON_CHARS_MIN) {
    return ended(EXIT.usage, 'say why with --reason: it stands in the audit log');
  }
  const { client, print, json, style } = context;
  const args = { fault, ...(component === undefined ? {} : { component }) };
  const created = await client.post<{ id: string }>(`/api/v1/terminals/${terminal}/commands`, {
    ...{ kind: 'drill', arguments: args, reason },
  });
  if (!created.ok) {
    return await refusedFor(client, created, { terminal, ...(component ? { component } : {}) });
  }
  if (!json) print(`drill ${fault} on ${terminal}, command ${created.value.id}`);
  const startedMs = context.nowMs();
  const final = await followCommand(client, created.value.id, context, ({ state, reason: why }) => {
    if (json) return;
    const at = seconds(Math.max(0, context.nowMs() - startedMs)).padStart(12);
    print(`${at}  ${state.padEnd(9)}  ${state === 'succeeded' ? '' : (why ?? '')}`.trimEnd());
  });
  if (!final.ok) return ended(final.exit, final.sentence);
  const last = final.value.history.at(-1);
  const report = v.safeParse(drillReportSchema, last?.detail);
  if (json) printJson(context, report.success ? report.output : final.value);
  if (!report.success) {
    return ended(
      EXIT.failed,
      `the drill ${final.value.state}: ${last?.reason ?? 'no reason given'}`,
    );
  }
  if (!json) {
    for (const line of stepLines(report.output.steps, style)) print(line);
    for (const line of endLines(report.output, style)) print(line);
    printTrace(context, final.value);
  }
  return conclude(report.output);
}
