// `tillwatch terminal ID`: one terminal as the on-call engineer wants it: is it there, what runs on it,
// since when, and what happened last.

import { parseId } from '../../protocol/ids.ts';
import { awayWords, clockWords } from '../away-words.ts';
import type { ComponentView, TerminalView } from '../client.ts';
import { configurationLines, runningText } from '../configuration-words.ts';
import { type Context, printJson } from '../context.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { identityWords } from '../identity-words.ts';
import { refusedFor } from '../names.ts';
import { presenceWord } from '../presence-words.ts';
import { ago, COLUMNS, clip, plural, type Style, table, wrap } from '../screen.ts';
import { upkeepLines } from '../upkeep-words.ts';
import { localClock } from '../when.ts';

/** `2 (crash 1, hang 1)`, or `0`. */
export function restartText({ restarts, restartsTotal }: ComponentView): string {
  const causes = Object.entries(restarts)
    .filter(([, count]) => count > 0)
    .map(([cause, count]) => `${cause} ${count}`);
  return causes.length === 0 ? String(restartsTotal) : `${restartsTotal} (${causes.join(', ')})`;
}

/** Of 80 columns; a cell that is cut in its middle tells nobody anything, and the reason is worth more. */
const RESTART_CHARS_MAX = 13;
function restartCell(component: ComponentView, { columns }: Style): string {
  const text = restartText(component);
  const most = RESTART_CHARS_MAX + Math.max(0, columns - COLUMNS);
  return text.length <= most ? text : String(component.restartsTotal);
}

function headLines(terminal: TerminalView, now: number, style: Style): string[] {
  const seen =
    terminal.lastSeenMs === undefined ? '' : `, last seen ${ago(now - terminal.lastSeenMs)}`;
  // Nobody waits for a sign of one that is retired.
  const presence =
    terminal.identity?.state === 'retired' ? 'retired' : presenceWord(terminal.presence);
  const head = `${style.bold(terminal.id)} in ${terminal.store}: ${presence}${seen}`;
  const { agent } = terminal;
  if (!agent?.version) return [head, 'no agent has reported yet'];
  const facts = [
    `agent ${agent.version}`,
    ...(agent.node ? [`Node ${agent.node.replace(/^v/, '')}`] : []),
    `started ${plural(agent.starts ?? 1, 'time')}`,
    ...clockFacts(terminal),
    `${terminal.samples ?? 0} samples`,
    `${terminal.events ?? 0} events`,
  ];
  return [head, facts.join(', ')];
}

/** A clock that is right is told by its small correction, one that is not by how wrong it is, on a line of its own. */
function clockFacts({ clockOffsetMs, clockSkewMs }: TerminalView): string[] {
  if (clockOffsetMs === undefined || clockWords(clockSkewMs) !== undefined) return [];
  return [`clock ${signed(clockOffsetMs)} ms`];
}

const signed = (ms: number): string => `${ms < 0 ? '-' : '+'}${Math.abs(Math.round(ms))}`;

export function terminalDetailLines(terminal: TerminalView, now: number, style: Style): string[] {
  const state = (cell: string) =>
    cell.startsWith('ready')
      ? style.good(cell)
      : cell.startsWith('quarantined')
        ? style.bad(cell)
        : cell;
  const rows = terminal.components.map((component) => [
    component.name,
    component.version,
    component.mode === 'observe' ? `${component.state}, observed` : component.state,
    component.sinceMs === undefined ? '-' : ago(now - component.sinceMs),
    component.pid === undefined ? '-' : String(component.pid),
    restartCell(component, style),
    component.lastReason ?? '',
  ]);
  const columns = [
    { title: 'COMPONENT' },
    { title: 'VERSION' },
    { title: 'STATE', paint: state },
    { title: 'SINCE', align: 'right' },
    { title: 'PID', align: 'right' },
    { title: 'RESTARTS' },
    { title: 'LAST REASON', shrinks: true },
  ] as const;
  const incidents = terminal.openIncidents.map(({ component, cause, reason, openedMs }) =>
    clip(`open incident, ${ago(now - openedMs)}: ${component}, ${cause}: ${reason}`, style.columns),
  );
  const devices = (terminal.devices ?? [])
    .filter(({ troubles }) => troubles.length > 0)
    .map(({ component, device, troubles }) =>
      clip(`${device} (${component}): ${troubles.join(', ')}`, style.columns),
    );
  const { held, disk, away } = terminal;
  const clock = clockWords(terminal.clockSkewMs, terminal.clockLeftMs);
  const states = [
    ...identityWords(terminal, now).flatMap((line) => wrap(line, style.columns)),
    ...(clock === undefined ? [] : [clock]),
    ...upkeepLines(terminal),
    ...configurationLines(terminal),
    // What the broker holds because of a maintenance is told by that.
    ...(held === undefined || (terminal.maintenance !== undefined && held.by === 'broker')
      ? []
      : [`held until ${localClock(held.untilMs).slice(0, 5)} by ${held.by}: ${held.reason}`]),
    ...(disk === undefined ? [] : [`disk: ${disk.level}: ${disk.reason}`]),
  ].map((line) => style.warn(clip(line, style.columns)));
  const running = runningText(terminal);
  const runs = running === undefined ? [] : [running];
  const absence = away === undefined ? [] : wrap(`was away ${awayWords(away, now)}`, style.columns);
  if (rows.length === 0)
    return [...headLines(terminal, now, style), ...runs, ...states, ...absence];
  return [
    ...headLines(terminal, now, style),
    ...runs,
    ...states,
    ...absence,
    ...incidents,
    ...devices,
    '',
    ...table(columns, rows, style.columns),
  ];
}

export async function runTerminal(context: Context, id: string): Promise<Outcome> {
  const checked = parseId('terminal', id);
  if (!checked.ok) return ended(EXIT.usage, checked.reason);
  const reply = await context.client.get<TerminalView>(`/api/v1/terminals/${id}`, [
    'id',
    'components',
    'openIncidents',
  ]);
  if (!reply.ok) return await refusedFor(context.client, reply, { terminal: id });
  if (context.json) printJson(context, reply.value);
  else {
    for (const line of terminalDetailLines(reply.value, context.nowMs(), context.style)) {
      context.print(line);
    }
  }
  return done;
}
