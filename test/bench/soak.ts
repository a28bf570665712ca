// npm run bench -- soak: a real till sells at random while at random its components crash, hang, lie and flood and
// its machine starves, its agent is killed or paused, alone or at the same time. It counts what the watchdog did:
// time to recovery by fault and by cause, and above all false kills, which are seen from outside (lives.ts). What
// was drawn can be drawn again with the printed seed; when exactly a component is hit depends on the machine.

import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startCashier } from '../../cli/demo/cashier.ts';
import { measurePressure, type Report, round, sleep, spread } from './harness.ts';
import type { Options } from './options.ts';
import { bundleProgram } from './peers/trial.ts';
import { type EventRow, type Rig, startRig } from './rig.ts';
import { createDice } from './soak/dice.ts';
import { COMPONENTS, type Done, drillComponent, drillMachine, TROUBLES } from './soak/drills.ts';
import { type Lives, readPort, watchLives } from './soak/lives.ts';
import { soakTable } from './soak/table.ts';

const MINUTES = 10;
const GAP_MS = { min: 500, max: 5_000 };
/** Of the drills, how many have a trouble of the machine beside them, and how many are that trouble alone. */
const BESIDE_RATIO = 0.25;
const ALONE_RATIO = 0.2;
const QUIET_MS = 8_000;
const RELAXED = {
  backoff: { minMs: 250, maxMs: 30_000, stableMs: 500 },
  budget: { restarts: 1_000, windowMs: 300_000, retryMs: 60_000 },
};

const orderComponent = (root: string, program: string): object => {
  const dir = join(root, 'order');
  mkdirSync(dir, { recursive: true });
  return {
    name: 'order',
    command: [process.execPath, program],
    env: { BENCH_DIR: dir, BENCH_PORT: '0', BENCH_PORT_FILE: join(dir, 'order.json') },
    ...RELAXED,
  };
};

async function drills(rig: Rig, lives: Lives, seed: number, endMs: number) {
  const dice = createDice(seed);
  const done: Done[] = [];
  const troubles: string[] = [];
  const say = (text: string): void =>
    console.error(`  ${((performance.now() - startMs) / 1000).toFixed(1)} s ${text}`);
  const startMs = performance.now();
  while (performance.now() < endMs) {
    await sleep(dice.between(GAP_MS.min, GAP_MS.max));
    const draw = dice.between(0, 1);
    const trouble = draw < ALONE_RATIO + BESIDE_RATIO ? dice.one(TROUBLES) : undefined;
    if (trouble !== undefined) {
      troubles.push(trouble);
      say(trouble);
    }
    const beside = trouble === undefined ? Promise.resolve() : drillMachine(rig, dice, trouble);
    if (draw >= ALONE_RATIO) {
      const drill = await drillComponent(rig, lives, dice, trouble);
      done.push(drill);
      const { component, name, cause, healedMs } = drill;
      const end = healedMs === undefined ? 'NOT HEALED' : `back after ${healedMs} ms`;
      say(`${component}: ${name}: ${cause === undefined ? 'nothing to heal' : end}`);
    }
    await beside;
  }
  return { done, troubles };
}

async function allEvents(rig: Rig): Promise<EventRow[]> {
  const all: EventRow[] = [];
  for (;;) {
    const page = await rig.events(all.at(-1)?.id ?? 0);
    all.push(...page);
    if (page.length === 0) return all;
  }
}

/** Completed sales as the till has them, oldest first. */
async function salesOf(rig: Rig): Promise<{ id: string; sequence: number; basket?: string }[]> {
  type Page = { sales: { id: string; sequence: number; basket?: string }[] };
  const all: Page['sales'] = [];
  for (;;) {
    const port = readPort(rig, 'sale')?.port;
    const after = all.at(-1)?.sequence ?? 0;
    const response = await fetch(`http://127.0.0.1:${port}/sales?after=${after}`);
    const { sales } = (await response.json()) as Page;
    all.push(...sales);
    if (sales.length === 0) return all;
  }
}

/** Processes that still carry this till's folder in their environment or arguments. */
const leftProcesses = (root: string): number =>
  readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return false;
    try {
      const about = ['environ', 'cmdline'].map((file) =>
        readFileSync(`/proc/${name}/${file}`, 'utf8'),
      );
      return about.some((text) => text.includes(root));
    } catch {
      return false;
    }
  }).length;

const times = (rows: readonly EventRow[], field: string) =>
  spread(rows.map((row) => round(Number(row.fields[field]))));

function byCause(events: readonly EventRow[]): Record<string, unknown> {
  const opened = events.filter((event) => event.kind === 'incident_opened');
  const recovered = events.filter((event) => event.kind === 'incident_recovered');
  const causes = [...new Set(opened.map((event) => String(event.fields['cause'])))].sort();
  return Object.fromEntries(
    causes.map((cause) => {
      const back = recovered.filter((event) => event.fields['cause'] === cause);
      const incidents = opened.filter((event) => event.fields['cause'] === cause).length;
      const meanMs = round(
        back.reduce((sum, event) => sum + Number(event.fields['readyMs']), 0) / back.length,
      );
      const readyMs = times(back, 'readyMs');
      return [cause, { incidents, recovered: back.length, meanMs, readyMs }];
    }),
  );
}

/** Drills whose incident named another cause than it should, or had none. */
function misread(done: readonly Done[], events: readonly EventRow[]): string[] {
  const opened = events.filter((event) => event.kind === 'incident_opened');
  return done.flatMap(({ component, name, cause, fromMs, toMs }) => {
    if (cause === undefined) return [];
    const told = opened
      .filter((e) => e.component === component && e.timeMs >= fromMs - 5 && e.timeMs <= toMs)
      .map((e) => `${e.fields['cause']} (${e.fields['reason']})`);
    if (told.some((one) => one.startsWith(cause))) return [];
    return [`${component}, ${name}: told ${told.join(', ') || 'nothing'}, not ${cause}`];
  });
}

export async function run(options: Options): Promise<Report> {
  const minutes = options.minutes ?? MINUTES;
  const seed = Math.floor(options.seed ?? Math.random() * 2 ** 31);
  const pressure = measurePressure();
  const built = await bundleProgram();
  const rig = await startRig(1, RELAXED, (root) => [orderComponent(root, built.program)]);
  console.error(`soak: seed ${seed}, ${minutes} minutes, the till is in ${rig.root}`);
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await rig.close();
    isOpen = false;
  };
  try {
    for (const name of COMPONENTS) await rig.component(name);
    const lives = watchLives(rig, COMPONENTS);
    const cashier = startCashier('lane-1', rig.portFile('sale'));
    const { done, troubles } = await drills(rig, lives, seed, performance.now() + minutes * 60_000);
    // What was wrongly suspected at the end must have its time to be killed.
    await sleep(QUIET_MS);
    await cashier.stop();
    const events = await allEvents(rig);
    const sales = await salesOf(rig);
    lives.stop();
    await close();
    const outside = events.filter(
      (e) => e.kind === 'incident_opened' && !lives.isDrilled(e.component, e.timeMs),
    );
    const figures = {
      seed,
      minutes,
      cpuPressurePercent: pressure(),
      drills: done.length,
      troubles: troubles.length,
      falseKills: lives.falseKills().length,
      falseIncidents: outside.map((e) => `${e.component}: ${e.fields['reason']}`),
      notHealed: done.filter((d) => d.cause !== undefined && d.healedMs === undefined).length,
      misread: misread(done, events),
      byCause: byCause(events),
      // A trouble of the machine beside it takes its own time, and says so in a table of its own.
      byFault: grouped(
        done.filter((d) => d.beside === undefined),
        (d) => d.name,
      ),
      byTrouble: grouped(
        done.filter((d) => d.beside !== undefined),
        (d) => d.beside ?? '',
      ),
      restarts: lives.restarts().length,
      /** More than one for one fault. */
      restartsMore: lives.restarts().length - lives.falseKills().length - healed(done),
      sold: cashier.sold(),
      lostBaskets: cashier.faults().length + Math.max(0, cashier.sold() - sales.length),
      // One sale may have been completed without its answer when the cashier was stopped.
      doubledBaskets: Math.max(0, sales.length - cashier.sold() - 1),
      faultsOfSale: cashier.faults(),
      processesLeft: leftProcesses(rig.root),
    };
    return {
      name: 'soak',
      figures,
      table: soakTable(figures),
      targets: {
        falseKills: 0,
        notHealed: 0,
        lostBaskets: 0,
        doubledBaskets: 0,
        processesLeft: 0,
      },
      notes: [
        `something waited for a processor ${figures.cpuPressurePercent} % of the time`,
        `the same drills again: --seed ${seed} --minutes ${minutes}`,
        'shipped defaults but for backoff and budget, so that many failures are no crash loop',
      ],
      failed: figures.falseKills > 0,
    };
  } finally {
    await close();
    rmSync(built.root, { recursive: true, force: true });
  }
}

const healed = (done: readonly Done[]): number =>
  done.filter((d) => d.healedMs !== undefined).length;

function grouped(drilled: readonly Done[], by: (done: Done) => string): Record<string, unknown> {
  const done = drilled.filter((d) => d.cause !== undefined);
  return Object.fromEntries(
    [...new Set(done.map(by))].sort().map((name) => {
      const all = done.filter((d) => by(d) === name);
      const healed = all.flatMap(({ healedMs }) => (healedMs === undefined ? [] : [healedMs]));
      const meanMs = round(healed.reduce((sum, ms) => sum + ms, 0) / healed.length);
      return [
        name,
        { drills: all.length, healed: healed.length, meanMs, healedMs: spread(healed) },
      ];
    }),
  );
}
