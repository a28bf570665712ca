// A scanner falls off its line and comes back. Its component stays: it opens the port again by itself, with
// pauses, and asks to be restarted only when nothing else helped; the till's other processes notice nothing.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, benchOf, lifeOf } from './devices.ts';
import { until } from './watch.ts';
import type { Step, World } from './world.ts';

const SEEN_MS_MAX = 10_000;
const BACK_MS_MAX = 15_000;
const AWAY_MS = 1_500;
const COMPONENT = 'scanner';
/** Numbers of a GS1 example and of a pencil. */
const CODES = { before: '9506000134352', after: '4006381333931' };

type Scans = { readonly last: number; readonly scans: readonly { data: string; timeMs: number }[] };

/** Scans until one is through: a scanner that is not connected beeps for nobody. */
const scanned = (world: World, bench: Bench, data: string, msMax: number) =>
  until(msMax, world.signal, async () => {
    const before = await bench.ask<Scans>(COMPONENT, '/scans');
    if (before === undefined || !(await bench.set('/scan', { data }))) return undefined;
    const path = `/scans?after=${before.last}&waitMs=200`;
    const answer = await bench.ask<Scans>(COMPONENT, path);
    return answer?.scans.find((scan) => scan.data === data);
  });

export const scannerDrops: Step = {
  title: 'A scanner drops off and comes back',
  run: async (world) => {
    const terminal = 'bm-lane-2';
    const bench = benchOf(world, terminal);
    if (bench === undefined) return `${terminal} has no scanner`;
    const life = await lifeOf(world, terminal, COMPONENT);
    if ((await scanned(world, bench, CODES.before, SEEN_MS_MAX)) === undefined) {
      return `no scan arrived in ${SEEN_MS_MAX / 1000} s`;
    }
    world.tell.say(`The scanner of ${terminal} reads ${CODES.before}. Now its cable is pulled.`);
    if (!(await bench.set('/scanner', { state: 'dropped' }))) return 'it could not be pulled';
    const goneMs = Date.now();
    const trouble = await until(SEEN_MS_MAX, world.signal, async () => {
      const facts = await bench.device(COMPONENT, 'scanner');
      return facts?.errorCode === undefined ? undefined : facts;
    });
    if (trouble === undefined) return `the till did not see it in ${SEEN_MS_MAX / 1000} s`;
    world.tell.at(
      Date.now() - goneMs,
      `offline: ${trouble.errorCode}, power ${trouble.power}, state ${trouble.state}`,
    );
    await sleep(AWAY_MS, undefined, { signal: world.signal }).catch(() => undefined);
    if (!(await bench.set('/scanner', { state: 'back' }))) return 'it could not be put back';
    const backMs = Date.now();
    const scan = await scanned(world, bench, CODES.after, BACK_MS_MAX);
    if (scan === undefined) return `no scan arrived ${BACK_MS_MAX / 1000} s after it was back`;
    world.tell.at(scan.timeMs - backMs, `plugged in again: it reads ${scan.data}`);
    const facts = await until(SEEN_MS_MAX, world.signal, async () => {
      const now = await bench.device(COMPONENT, 'scanner');
      return now?.power === 'ONLINE' ? now : undefined;
    });
    if (facts === undefined) return 'it scans and is not online';
    const now = await lifeOf(world, terminal, COMPONENT);
    if (now !== life) return 'its component was restarted';
    world.tell.good('the port was opened anew by its own component; no restart');
    return undefined;
  },
};
