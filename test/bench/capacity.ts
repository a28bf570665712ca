// npm run bench -- capacity: what a fleet of 100, 1 000 and 10 000 terminals costs its centre at shipped settings, with
// stores, targets, a configuration and one sink: processor, memory, disk and network, how long a person waits, and how
// long the fleet is away when the broker starts again. The output is the table of OPERATIONS.md. The tills are simulated
// and speak plain text: what TLS adds to that is what `connect` measures. Each size takes less than four minutes.

import { historyBytesPerDay } from './capacity/growth.ts';
import { type Figures, type Measured, measure } from './capacity/one.ts';
import { type Report, round } from './harness.ts';
import type { Options } from './options.ts';

const SIZES = [100, 1_000, 10_000];
const SECONDS = 60;
/** Ten thousand terminals with one broker on two cores (design.md section 7). */
const CORES_MAX = 0.6;

const size = (mib: number): string =>
  mib >= 1_024 ? `${round(mib / 1_024)} GiB` : `${round(mib)} MiB`;
const number = (value: number): string => value.toLocaleString('en').replaceAll(',', ' ');

const ROWS: readonly [what: string, tell: (figures: Figures & { history: number }) => string][] = [
  ['Processor of the broker, share of one core', ({ cores = 0 }) => `${Math.round(cores * 100)} %`],
  ['Resident memory', ({ residentMib = 0 }) => size(residentMib)],
  ['Samples a second', ({ samplesPerSecond = 0 }) => number(samplesPerSecond)],
  ['Ledger, growth a day', ({ ledgerMibPerDay = 0 }) => size(ledgerMibPerDay)],
  ['History, growth a day', ({ history }) => size(history)],
  ['Registry, now', ({ registryMib = 0 }) => size(registryMib)],
  ['Registry, for each event', ({ registryBytesPerEvent = 0 }) => `${registryBytesPerEvent} B`],
  ['Network from the tills a day', ({ inMibPerDay = 0 }) => size(inMibPerDay)],
  ['Network to the tills a day', ({ outMibPerDay = 0 }) => size(outMibPerDay)],
  [
    '`tillwatch fleet`, p50 / p95',
    ({ fleetMsP50 = 0, fleetMsP95 = 0 }) =>
      `${Math.round(fleetMsP50)} / ${Math.round(fleetMsP95)} ms`,
  ],
  ['`GET /terminals` (100), p95', ({ listMsP95 = 0 }) => `${round(listMsP95)} ms`],
  ['`GET /terminals?limit=1000`, p95', ({ list1000MsP95 = 0 }) => `${round(list1000MsP95)} ms`],
  ['Restart: ready again', ({ restartReadySeconds = 0 }) => `${restartReadySeconds} s`],
  [
    'Restart: 99 % of terminals live',
    ({ restartAllLiveSeconds = 0 }) => `${restartAllLiveSeconds} s`,
  ],
];

function tableOf(all: readonly (Figures & { history: number })[]): string {
  const head = all.map(
    ({ terminals = 0, stores = 0 }) => `${number(terminals)} in ${number(stores)} stores`,
  );
  const lines = [
    ['Terminals', ...head],
    ['---', ...all.map(() => '---:')],
    ...ROWS.map(([what, tell]) => [what, ...all.map(tell)]),
  ];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export async function run(options: Options): Promise<Report> {
  const sizes = options.terminals === undefined ? SIZES : [options.terminals];
  const seconds = options.seconds ?? SECONDS;
  const perTill = historyBytesPerDay(options.seed ?? 1);
  const measured: Measured[] = [];
  for (const terminals of sizes) {
    console.error(`  ${terminals} terminals`);
    measured.push(await measure(terminals, seconds));
  }
  const all = measured.map(({ figures }) => ({
    ...figures,
    history: round((perTill * (figures['terminals'] ?? 0)) / 2 ** 20),
  }));
  const busiest = Math.max(...all.map((one: Figures) => one['waitedForProcessorPercent'] ?? 0));
  return {
    name: 'capacity',
    figures: Object.fromEntries(all.map((one: Figures) => [`of${one['terminals']}`, one])),
    targets: { 'of10000.cores': CORES_MAX },
    table: tableOf(all),
    notes: [
      `measured for ${seconds} s each; something waited for a processor up to ${busiest} % of that`,
      'simulated terminals, plain text, a real year’s faults; network with the headers of TCP and IP',
      'the history is computed from a day of one till, by the code that writes it',
      ...measured.flatMap(({ notes }) => notes),
    ],
  };
}
