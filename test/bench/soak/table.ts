// What a soak shows to people, in 80 columns.

import type { Spread } from '../harness.ts';

type Rows = Readonly<Record<string, unknown>>;
type Figures = {
  readonly drills: number;
  readonly troubles: number;
  readonly restarts: number;
  readonly falseKills: number;
  readonly falseIncidents: readonly string[];
  readonly misread: readonly string[];
  readonly byCause: Rows;
  readonly byFault: Rows;
  readonly byTrouble: Rows;
  readonly restartsMore: number;
  readonly sold: number;
  readonly faultsOfSale: readonly string[];
};

const seconds = (ms: number): string => (Number.isFinite(ms) ? (ms / 1000).toFixed(2) : '-');
const row = (name: string, cells: readonly string[]): string =>
  `  ${name.padEnd(20)}${cells.map((cell) => cell.padStart(10)).join('')}`;

function rows(all: Rows, count: string, back: string, spread: string): string[] {
  return Object.entries(all).map(([name, one]) => {
    const figures = one as Readonly<Record<string, number>> & Readonly<Record<string, Spread>>;
    const { p50, p95 } = figures[spread] as Spread;
    const mean = figures['meanMs'] as number;
    const counts = [String(figures[count]), String(figures[back])];
    return row(name, [...counts, seconds(mean), seconds(p50), seconds(p95)]);
  });
}

export function soakTable(figures: Figures): string {
  const { drills, troubles, restarts, falseKills, falseIncidents, misread, sold } = figures;
  const times = ['healed', 'mean s', 'p50 s', 'p95 s'];
  return [
    `${drills} faults of components, ${troubles} troubles of the machine, ${restarts} restarts,`,
    `${figures.restartsMore} of them second ones for one fault; ${sold} sales; false kills: ${falseKills}`,
    '',
    'by fault, from its injection to the first answer of the next process',
    row('', ['faults', ...times]),
    ...rows(figures.byFault, 'drills', 'healed', 'healedMs'),
    '',
    'faults beside a trouble of the machine',
    row('', ['faults', ...times]),
    ...rows(figures.byTrouble, 'drills', 'healed', 'healedMs'),
    '',
    'by cause as the agent tells it, from the last sign of health to ready',
    row('', ['incidents', ...times]),
    ...rows(figures.byCause, 'incidents', 'recovered', 'readyMs'),
    '',
    ...falseIncidents.map((text) => `  incident without a drill: ${text}`),
    ...misread.map((text) => `  cause: ${text}`),
    ...figures.faultsOfSale.map((text) => `  sale: ${text}`),
  ].join('\n');
}
