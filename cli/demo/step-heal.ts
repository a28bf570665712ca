// The steps in which something breaks: a hung sale with an open basket, a component killed from outside, a
// restart that the on-call asks for, and an agent killed. Each moment that is told is the time at which
// the till recorded the event, as the broker received it.

import * as v from 'valibot';
import type { EventView } from '../client.ts';
import { plural } from '../screen.ts';
import { followCommand } from '../verbs/command.ts';
import { askTill, type Basket } from './cashier.ts';
import { findMarked, signalTo } from './identity.ts';
import { dataDirOf, portFileOf, TILLS } from './plan.ts';
import { money } from './teller.ts';
import { type Failure, field, isOf, pidOf, type Step, viewWhen, type World } from './world.ts';

const HANG_MS_MAX = 30_000;
const CRASH_MS_MAX = 20_000;
const COMMAND_MS_MAX = 30_000;
const ADOPT_MS_MAX = 30_000;
const BASKET_LINES = 3;

/** A sentence for each event of a recovery; undefined for those that say nothing new to a watcher. */
function words(event: EventView): string | undefined {
  const reason = field(event, 'reason');
  if (event.kind === 'incident_opened') return `confirmed, a ${field(event, 'cause')}: ${reason}`;
  if (event.kind !== 'component_state') return undefined;
  switch (field(event, 'to')) {
    case 'suspect':
      return `suspected: ${reason}`;
    case 'stopping':
      return 'killed, with everything that it had started';
    case 'backoff':
      return `waits before the next start: ${reason}`;
    case 'starting':
      return 'started again';
    case 'ready':
      return `ready, process ${field(event, 'pid')}`;
    default:
      return `${field(event, 'to')}: ${reason}`;
  }
}

const evidenceSchema = v.object({
  suspect: v.object({
    wallMs: v.number(),
    processes: v.array(v.object({ wchan: v.optional(v.string(), ''), threads: v.number() })),
    logLines: v.array(v.string()),
  }),
});

/** What the agent collected at the first suspicion; it travels with the incident. */
function evidenceOf(event: EventView): { timeMs: number; text: string } | undefined {
  const read = v.safeParse(evidenceSchema, event.fields['evidence']);
  if (!read.success) return undefined;
  const { wallMs, processes, logLines } = read.output.suspect;
  const [main] = processes;
  const facts = [
    ...(main?.wchan ? [`asleep in ${main.wchan}`] : []),
    ...(main ? [plural(main.threads, 'thread')] : []),
    `its last ${plural(logLines.length, 'log line')}`,
  ];
  return { timeMs: wallMs, text: `evidence: ${facts.join(', ')}` };
}

type Recovery = {
  readonly terminal: string;
  readonly component: string;
  readonly since: number;
  readonly brokenMs: number;
  readonly msMax: number;
};

/** Tells each event as it arrives until the incident is over. @returns that last event */
async function tellRecovery(world: World, what: Recovery): Promise<EventView | undefined> {
  const mine = isOf(what.terminal, what.component);
  const untilMs = performance.now() + what.msMax;
  for (let after = what.since; ; ) {
    const event = await world.watch.first(after, untilMs - performance.now(), mine);
    if (event === undefined) return undefined;
    after = event.id;
    const evidence = evidenceOf(event);
    if (evidence !== undefined) world.tell.at(evidence.timeMs - what.brokenMs, evidence.text);
    const text = words(event);
    if (text !== undefined) world.tell.at(event.timeMs - what.brokenMs, text);
    if (event.kind === 'incident_recovered') return event;
  }
}

const seconds = (event: EventView, name: string): string =>
  `${(Number(event.fields[name]) / 1000).toFixed(2)} s`;

const basketText = ({ lines, totalMinor }: Basket): string =>
  `${plural(lines.length, 'line')}, ${money(totalMinor)}`;

const sameBasket = (before: Basket, after: Basket): boolean =>
  before.id === after.id &&
  before.totalMinor === after.totalMinor &&
  JSON.stringify(before.lines) === JSON.stringify(after.lines);

const till = (id: string) => TILLS.find((one) => one.id === id) ?? TILLS[0];

export const saleHangs: Step = {
  title: 'A till hangs in the middle of a sale',
  run: async (world) => {
    const terminal = 'bm-lane-1';
    const cashier = world.cashiers.get(terminal);
    const place = till(terminal);
    if (cashier === undefined || place === undefined) return `nobody sells at ${terminal}`;
    const before = await cashier.openBasket(BASKET_LINES);
    world.tell.say(`A customer stands at ${terminal}, the basket is open: ${basketText(before)}.`);
    const pid = await pidOf(world, terminal, 'sale');
    const since = world.watch.now();
    const port = portFileOf(dataDirOf(world.place, place, 'sale'), 'sale');
    const fault = await askTill(port, 'POST', '/fault', { kind: 'deadlock' });
    const brokenMs = Date.now();
    if (fault?.status !== 202) return 'the drill could not be started';
    world.tell.say(`Now its sale process ${pid} waits for ever for a lock: really hung.`);
    const end = await tellRecovery(world, {
      terminal,
      component: 'sale',
      since,
      brokenMs,
      msMax: HANG_MS_MAX,
    });
    if (end === undefined) return `the hung sale did not come back in ${HANG_MS_MAX / 1000} s`;
    const after = await cashier.basket();
    cashier.goOn();
    if (!sameBasket(before, after)) return 'the basket is not what it was before the hang';
    world.tell.good(
      `selling again ${seconds(end, 'readyMs')} after its last sign of life, ` +
        `the same basket on the screen: ${basketText(after)}`,
    );
    return undefined;
  },
};

export const hardwareCrashes: Step = {
  title: 'A component is killed from outside',
  run: async (world) => {
    const terminal = 'ha-lane-1';
    const pid = await pidOf(world, terminal, 'hardware');
    const salePid = await pidOf(world, terminal, 'sale');
    // Nothing but what carries our mark and has that pid.
    const identity = findMarked(world.place.mark).find((one) => one.pid === pid);
    const since = world.watch.now();
    const brokenMs = Date.now();
    if (identity === undefined || !signalTo(identity, 'SIGKILL')) {
      return 'the hardware process was not found';
    }
    world.tell.say(`kill -9 ${pid}: hardware of ${terminal}, which drives the receipt printer.`);
    const what = { terminal, component: 'hardware', since, brokenMs, msMax: CRASH_MS_MAX };
    const end = await tellRecovery(world, what);
    if (end === undefined) return `hardware did not come back in ${CRASH_MS_MAX / 1000} s`;
    if ((await pidOf(world, terminal, 'sale')) !== salePid) return 'its sale was restarted too';
    world.tell.good(`back ${seconds(end, 'readyMs')} after its death; its sale never stopped`);
    return undefined;
  },
};

export const onCallRestarts: Step = {
  title: 'The on-call engineer restarts a component',
  run: async (world): Promise<Failure> => {
    const [terminal, component, reason] = ['bm-lane-2', 'sync', 'uploads looked slow'];
    const before = await pidOf(world, terminal, component);
    world.tell.say(`tillwatch restart ${terminal} ${component} --reason "${reason}"`);
    const createdMs = Date.now();
    const created = await world.client.post<{ id: string }>(
      `/api/v1/terminals/${terminal}/commands`,
      { kind: 'restart', arguments: { component }, reason },
    );
    if (!created.ok) return created.sentence;
    const limit = AbortSignal.timeout(COMMAND_MS_MAX);
    const time = { nowMs: Date.now, sleep: (ms: number) => pause(ms, limit) };
    const final = await followCommand(world.client, created.value.id, time, (entry) => {
      const why = entry.reason ? `: ${entry.reason}` : '';
      world.tell.at(entry.timeMs - createdMs, `${entry.state}${why}`);
    }).catch(() => undefined);
    if (final === undefined) return `the command did not end in ${COMMAND_MS_MAX / 1000} s`;
    if (!final.ok) return final.sentence;
    if (final.value.state !== 'succeeded') return `the command ended as ${final.value.state}`;
    const view = await viewWhen(world, terminal, COMMAND_MS_MAX, ({ components }) =>
      components.some(({ name, state, pid }) => {
        return name === component && state === 'ready' && pid !== before;
      }),
    );
    if (view === undefined) return `${component} of ${terminal} is not a new process`;
    world.tell.good('signed for this one till, run once, and in the audit log with its reason');
    return undefined;
  },
};

async function pause(ms: number, limit: AbortSignal): Promise<void> {
  limit.throwIfAborted();
  await new Promise((resolve) => setTimeout(resolve, ms));
}

export const agentDies: Step = {
  title: 'The watchdog itself is killed',
  run: async (world) => {
    const terminal = 'ha-lane-1';
    const agent = world.children.identity(`agent-${terminal}`);
    const before = await viewWhen(world, terminal, ADOPT_MS_MAX, ({ components }) =>
      components.every(({ state }) => state === 'ready'),
    );
    if (agent === undefined || before === undefined) return `no agent runs on ${terminal}`;
    const since = world.watch.now();
    const brokenMs = Date.now();
    if (!signalTo(agent, 'SIGKILL')) return 'the agent was not found';
    world.tell.say(`kill -9 ${agent.pid}: the agent of ${terminal}. Its components sell on alone.`);
    const started = await world.watch.first(
      since,
      ADOPT_MS_MAX,
      (event) => event.terminal === terminal && event.kind === 'agent_started',
    );
    if (started === undefined) return `no new agent in ${ADOPT_MS_MAX / 1000} s`;
    const adopted = started.fields['adopted'];
    const names = Array.isArray(adopted) ? adopted.map(String) : [];
    world.tell.at(
      started.timeMs - brokenMs,
      `a new agent runs and took over ${names.join(', ') || 'nothing'}`,
    );
    const pids = (view: typeof before) => view.components.map(({ pid }) => pid).join(' ');
    const restarts = (view: typeof before) =>
      view.components.reduce((sum, { restartsTotal }) => sum + restartsTotal, 0);
    const after = await viewWhen(world, terminal, ADOPT_MS_MAX, ({ agent: now, components }) => {
      const isNew = (now?.starts ?? 0) > (before.agent?.starts ?? 0);
      return isNew && components.every(({ state }) => state === 'ready');
    });
    if (after === undefined) return `${terminal} is not ready under its new agent`;
    if (pids(after) !== pids(before)) return 'a component was started again with the agent';
    if (restarts(after) !== restarts(before)) return 'a restart was counted that never was';
    world.tell.good(`the same three processes as before: ${pids(after)}`);
    return undefined;
  },
};
