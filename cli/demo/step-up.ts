// First step: every component of every till is ready, by the broker's word, and each cashier has sold
// something. Last step: what the fleet looks like, and that head office has every sale.

import { readFileSync } from 'node:fs';
import type { FleetView, TerminalView } from '../client.ts';
import { plural } from '../screen.ts';
import { allTerminals } from '../terminals.ts';
import { versionLines } from '../verbs/fleet.ts';
import { centreDirOf, componentsOf, isSimulated, portFileOf, TILLS, type Till } from './plan.ts';
import { until } from './watch.ts';
import { type Failure, type Step, viewOf, viewWhen, type World } from './world.ts';

const UP_MS_MAX = 60_000;
const SALE_MS_MAX = 30_000;
const DELIVERY_MS_MAX = 30_000;

async function tillUp(world: World, till: Till): Promise<Failure> {
  const view = await viewWhen(
    world,
    till.id,
    UP_MS_MAX,
    ({ components }) =>
      components.length === componentsOf(till).length &&
      components.every(({ state }) => state === 'ready'),
  );
  if (view === undefined) return await whyNotUp(world, till);
  // The moment at which the till itself saw its last component ready.
  const since = Math.max(...view.components.map(({ sinceMs }) => sinceMs ?? 0));
  const versions = view.components.map(({ name, version }) => `${name} ${version}`).join(', ');
  world.tell.at(since - world.startedMs, `${till.id}, ${till.store}: ${versions}`);
  return undefined;
}

async function whyNotUp(world: World, { id }: Till): Promise<string> {
  const view = await viewOf(world, id);
  const missing = (view?.components ?? [])
    .filter(({ state }) => state !== 'ready')
    .map(({ name, state, lastReason }) => `${name} is ${state} (${lastReason || 'no reason'})`);
  const why = missing.join(', ') || 'nothing was heard of it';
  return `${id} was not ready in ${UP_MS_MAX / 1000} s: ${why}`;
}

const sold = (world: World): number =>
  [...world.cashiers.values()].reduce((sum, cashier) => sum + cashier.sold(), 0);

const faultsOf = (world: World): string[] =>
  [...world.cashiers.values()].flatMap((cashier) => cashier.faults());

export const everythingUp: Step = {
  title: 'Three tills in two stores come up',
  run: async (world) => {
    const failures = await Promise.all(TILLS.map((till) => tillUp(world, till)));
    const failed = failures.find((failure) => failure !== undefined);
    if (failed !== undefined) return failed;
    const selling = await until(SALE_MS_MAX, world.signal, () =>
      [...world.cashiers.values()].every((cashier) => cashier.sold() > 0) ? true : undefined,
    );
    if (selling === undefined) {
      return faultsOf(world)[0] ?? `no sale on every till in ${SALE_MS_MAX / 1000} s`;
    }
    const count = TILLS.flatMap(componentsOf).length;
    world.tell.good(
      `${count} components run, and each cashier sells: ${plural(sold(world), 'sale')} so far`,
    );
    return undefined;
  },
};

/** Head office counts what sync has delivered. */
async function delivered(world: World): Promise<number> {
  try {
    const file = portFileOf(centreDirOf(world.place), 'centre');
    const { port } = JSON.parse(readFileSync(file, 'utf8')) as { port: number };
    const response = await fetch(`http://127.0.0.1:${port}/sales/count`);
    return ((await response.json()) as { count: number }).count;
  } catch {
    return 0;
  }
}

function restartsText(tills: readonly TerminalView[], amongOthers: boolean): string {
  const counts = new Map<string, number>();
  for (const { name, restarts } of tills.flatMap(({ components }) => components)) {
    for (const [cause, count] of Object.entries(restarts)) {
      if (count > 0)
        counts.set(`${name} (${cause})`, (counts.get(`${name} (${cause})`) ?? 0) + count);
    }
  }
  const causes = [...counts].map(([what, count]) => `${count} ${what}`).join(', ') || 'none';
  const starts = tills.reduce((sum, { agent }) => sum + (agent?.starts ?? 1), 0);
  const whose = amongOthers ? 'Restarts on the real ones' : 'Restarts';
  return `${whose}: ${causes}. Agents started again: ${starts - TILLS.length}.`;
}

export const theFleet: Step = {
  title: 'What the operations centre sees',
  run: async (world) => {
    const rung = sold(world);
    const arrived = await until(DELIVERY_MS_MAX, world.signal, async () => {
      const count = await delivered(world);
      return count >= rung ? count : undefined;
    });
    const fleet = await world.client.get<FleetView>('/api/v1/fleet');
    if (!fleet.ok) return fleet.sentence;
    const all = await allTerminals(world.client);
    if (!all.ok) return all.sentence;
    const real = all.value.filter(({ id }) => !isSimulated(id));
    const simulated = all.value.length - real.length;
    if (simulated > 0) {
      world.tell.lines([`${real.length} real terminals, ${simulated} simulated:`, '']);
    }
    world.tell.lines(versionLines(fleet.value));
    world.tell.lines(['']);
    world.tell.say(restartsText(real, simulated > 0));
    const lost = faultsOf(world)[0];
    if (lost !== undefined) return lost;
    if (arrived === undefined) return `head office has not got all of ${rung} sales`;
    world.tell.good(`${rung} sales rung up, all of them at head office; no basket lost a line`);
    return undefined;
  },
};

/** For the line now and then while the demo stays up. */
export const salesSoFar = sold;
export const faultsSoFar = faultsOf;
