// A new configuration goes out with a mistake in it: a component that does not start. The till tries it, is not ready,
// and goes back by itself to what it ran before; what the mistake does not touch is not touched, and nobody else got it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { LOCAL_KEYS } from '../../configuration/fleet.ts';
import type { EventView } from '../client.ts';
import { type Failure, field, pidOf, type Step, viewWhen, type World } from './world.ts';

const TERMINAL = 'ha-lane-1';
const BROKEN = 'sync';
const UNTOUCHED = 'sale';
/** As short as it may be; unless somebody says so, a till gets two minutes. */
const READY_MS = 5_000;
const BACK_MS_MAX = 90_000;

type Raw = Record<string, unknown> & { components: { name: string; command: string[] }[] };
type Plan = {
  readonly version: { readonly version: number };
  readonly count: number;
  readonly confirm?: string;
};

/** What this till runs, as a document of the fleet, with a program that ends at once. */
function mistaken(world: World): string {
  const file = join(world.place.folder, 'config', `agent-${TERMINAL}.yaml`);
  const raw = parse(readFileSync(file, 'utf8')) as Raw;
  const rest = Object.entries(raw).filter(
    ([key]) => key !== 'drills' && !(LOCAL_KEYS as readonly string[]).includes(key),
  );
  const components = raw.components.map((one) =>
    one.name === BROKEN
      ? { ...one, command: [process.execPath, '--eval', 'process.exit(1)'] }
      : one,
  );
  return stringify({ ...Object.fromEntries(rest), components });
}

const told =
  (what: string) =>
  (event: EventView): boolean =>
    event.terminal === TERMINAL && event.kind === 'configuration' && field(event, 'what') === what;

async function send(world: World, reason: string): Promise<Failure> {
  const path = '/api/v1/configurations/pos';
  const wish = { text: mistaken(world), selector: { terminals: [TERMINAL] }, readyMs: READY_MS };
  const planned = await world.client.post<Plan>(`${path}/plan`, { ...wish, reason });
  if (!planned.ok) return planned.sentence;
  const { version, count, confirm } = planned.value;
  const start = { count, reason, ...(confirm === undefined ? {} : { confirm }) };
  const started = await world.client.post(`${path}/versions/${version.version}/start`, start);
  return started.ok ? undefined : started.sentence;
}

export const configurationBreaks: Step = {
  title: 'A configuration that breaks a till is taken back',
  run: async (world) => {
    const before = await pidOf(world, TERMINAL, UNTOUCHED);
    const since = world.watch.now();
    const reason = 'a new sync, not tried before';
    world.tell.say(
      `tillwatch config apply pos pos.yaml --terminal ${TERMINAL} --reason "${reason}"`,
    );
    world.tell.say(`In it, by mistake, a ${BROKEN} that does not start.`);
    const sentMs = Date.now();
    const failed = await send(world, reason);
    if (failed !== undefined) return failed;
    const trial = await world.watch.first(since, BACK_MS_MAX, told('trial'));
    if (trial === undefined) return 'the till did not try it';
    world.tell.at(trial.timeMs - sentMs, `${TERMINAL} tries version ${field(trial, 'version')}`);
    const back = await world.watch.first(since, BACK_MS_MAX, told('rolled_back'));
    if (back === undefined) return 'the till did not go back';
    world.tell.at(back.timeMs - sentMs, `back by itself: ${field(back, 'reason')}`);
    const well = await viewWhen(world, TERMINAL, BACK_MS_MAX, ({ components }) =>
      components.every(({ state }) => state === 'ready'),
    );
    if (well === undefined) return `${TERMINAL} is not well after it went back`;
    const after = await pidOf(world, TERMINAL, UNTOUCHED);
    if (before === undefined || after !== before) return `its ${UNTOUCHED} was started again`;
    world.tell.good(
      `all of it runs as before, its ${UNTOUCHED} went on as process ${after}; no other till was asked`,
    );
    return undefined;
  },
};
