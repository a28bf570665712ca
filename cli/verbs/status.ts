// `tillwatch status`: the till as its own watchdog sees it, for whoever stands in front of it: what runs, since when
// and why, what is wrong, what the watchdog may still do about it, and whether somebody holds it. One screen of
// 80 columns; it needs no network.

import * as v from 'valibot';
import { type TillAnswer, type TillComponent, tillSchema } from '../../protocol/till.ts';
import { done, EXIT, ended, type Outcome } from '../exit.ts';
import { age, plural, type Style, table, tame, wrap } from '../screen.ts';
import type { TillContext } from '../till-verbs.ts';
import { localClock } from '../when.ts';

const DAY_MS = 24 * 3_600_000;

/** `restart 3 of 5, reset 1 of 2`. */
export const leftText = (left: TillComponent['left']): string =>
  left.map(({ rung, times, of }) => `${rung} ${times} of ${of}`).join(', ');

const isUsed = ({ left }: TillComponent): boolean => left.some(({ times, of }) => times < of);

/** What is wrong with one component and what is left to do about it. */
function troubleOf(component: TillComponent, style: Style): string[] {
  const { name, state, incident, left } = component;
  const lines: string[] = [];
  if (incident !== undefined) {
    lines.push(style.warn(`${name}: open incident, ${incident.cause}: ${tame(incident.reason)}`));
  }
  if (state === 'quarantined') {
    lines.push(style.bad(`${name}: a human is needed; it is tried again slowly`));
  }
  if (incident !== undefined || isUsed(component)) {
    lines.push(`${name}: left of its ladder: ${leftText(left)}`);
  }
  return lines;
}

/** Whether it is one of the fleet, and for how long. */
export function identityLines(identity: TillAnswer['identity'], style: Style): string[] {
  if (identity === undefined) return [];
  const { state, why, endsInMs = 0 } = identity;
  if (state === 'plain_text') return ['link in plain text: no certificate'];
  if (state !== 'ready') {
    return wrap(`not enrolled: ${tame(why)}`, style.columns).map(style.warn);
  }
  if (endsInMs < 0) return [style.bad(`enrolled; its certificate ended ${age(-endsInMs)} ago`)];
  const days = Math.floor(endsInMs / DAY_MS);
  const left = days > 0 ? plural(days, 'day') : age(endsInMs);
  return [`enrolled; its certificate is good for another ${left}`];
}

/** Under which document of the fleet, and whether that is only tried yet. */
export function configurationLines(
  configuration: TillAnswer['configuration'],
  style: Style,
): string[] {
  if (configuration === undefined) return [];
  const { state, name = '', version = 0, overridden, triedMs = 0, left } = configuration;
  const over = overridden === true ? ', with settings of this till over it' : '';
  const which = `configuration ${tame(name)} ${version}`;
  const now =
    state === 'own'
      ? `configuration: its own file${over}`
      : state === 'kept'
        ? `${which}${over}`
        : style.warn(`${which} on trial for ${age(triedMs)}${over}`);
  if (left === undefined) return [now];
  const text = `configuration ${tame(left.name)} ${left.version} was left: ${tame(left.reason)}`;
  return [now, ...wrap(text, style.columns).map(style.warn)];
}

function headLines(till: TillAnswer, style: Style): string[] {
  const { terminal, agent, pid, upMs, hold, disk, operation, drill, components } = till;
  const ready = components.filter(({ state }) => state === 'ready').length;
  const lines = [
    `${style.bold(tame(terminal))}: ${ready} of ${plural(components.length, 'component')} ready`,
    `agent ${tame(agent)}, pid ${pid}, up ${age(upMs)}, disk ${disk.replaceAll('_', ' ')}`,
    ...identityLines(till.identity, style),
    ...configurationLines(till.configuration, style),
  ];
  if (hold !== undefined) {
    const until = localClock(hold.untilMs).slice(0, 5);
    const text = `held by ${hold.by} for another ${age(hold.leftMs)}, until ${until}: ${hold.reason}`;
    lines.push(...wrap(text, style.columns).map(style.warn));
  }
  if (operation !== undefined) {
    const { rung, component, phase } = operation;
    lines.push(style.warn(`recovery: ${rung} for ${component}, ${phase}`));
  }
  if (drill !== undefined) {
    const of = drill.component === '' ? '' : ` of ${tame(drill.component)}`;
    lines.push(style.warn(`a drill is under way: ${tame(drill.fault)}${of}, on purpose`));
  }
  return lines;
}

export function statusLines(till: TillAnswer, style: Style): string[] {
  const state = (cell: string) =>
    cell === 'ready' ? style.good(cell) : cell === 'quarantined' ? style.bad(cell) : cell;
  const rows = till.components.map((one) => [
    one.name,
    one.version,
    one.state,
    age(one.forMs),
    one.mode,
    one.pid === undefined ? '-' : String(one.pid),
    one.busy ? `busy; ${one.reason}` : one.reason,
  ]);
  const columns = [
    { title: 'COMPONENT' },
    { title: 'VERSION' },
    { title: 'STATE', paint: state },
    { title: 'FOR', align: 'right' },
    { title: 'MODE' },
    { title: 'PID', align: 'right' },
    { title: 'REASON', shrinks: true },
  ] as const;
  const troubles = till.components.flatMap((one) => troubleOf(one, style));
  return [
    ...headLines(till, style),
    '',
    ...table(columns, rows, style.columns),
    ...(troubles.length === 0 ? [] : ['', ...troubles.flatMap((t) => wrap(t, style.columns))]),
  ];
}

export async function runStatus({ print, style, ask, json }: TillContext): Promise<Outcome> {
  const reply = await ask({ kind: 'status' });
  if (!reply.ok) return ended(reply.exit, reply.sentence);
  if (json) {
    print(JSON.stringify(reply.value, undefined, 2));
    return done;
  }
  const till = v.safeParse(tillSchema, reply.value);
  if (!till.success) {
    return ended(EXIT.unavailable, 'the agent is of another version than this program: try --json');
  }
  for (const line of statusLines(till.output, style)) print(line);
  return done;
}
