// The stores of a simulated fleet as an operator would write them down, for `tillwatch stores apply`: regions with a time
// zone each, hours, formats and planned terminals. Everything follows from a store's number, so that the broker, the
// demo and the simulator agree without a file between them, as in terminals.ts. It imports no library: what it
// writes is so little of YAML that text does.

import type { SimulatedTerminal } from './terminals.ts';

type Region = { readonly region: string; readonly timeZone: string };
/** Five clocks, two of which change on other days than the rest, and one that never changes. */
const REGIONS: readonly [Region, ...Region[]] = [
  { region: 'north', timeZone: 'Europe/Berlin' },
  { region: 'isles', timeZone: 'Europe/London' },
  { region: 'east', timeZone: 'Europe/Helsinki' },
  { region: 'coast', timeZone: 'America/New_York' },
  { region: 'islands', timeZone: 'Asia/Tokyo' },
];

type Kind = { readonly label: string; readonly hours: string };
const KINDS: readonly [Kind, ...Kind[]] = [
  { label: 'format=city', hours: '{ mon-sat: "08:00-20:00", sun: closed }' },
  { label: 'format=mall', hours: '{ mon-sat: "09:30-21:00", sun: "12:00-18:00" }' },
  { label: 'format=village', hours: '{ mon-fri: "08:00-13:00, 15:00-19:00", sat: "08:00-14:00" }' },
  { label: 'format=night', hours: '{ daily: "10:00-02:00" }' },
  { label: 'format=station', hours: 'always' },
];

const numberOf = (store: string): number => Math.max(0, Number(/\d+$/.exec(store)?.[0] ?? 1) - 1);

export const regionOf = (store: string): Region =>
  REGIONS[numberOf(store) % REGIONS.length] ?? REGIONS[0];

/** Each region has all kinds. */
const kindOf = (store: string): Kind =>
  KINDS[Math.floor(numberOf(store) / REGIONS.length) % KINDS.length] ?? KINDS[0];

export function storesFile(terminals: readonly SimulatedTerminal[]): string {
  const stores = new Map<string, string[]>();
  for (const { id, store } of terminals) stores.set(store, [...(stores.get(store) ?? []), id]);
  const lines = [...stores].flatMap(([store, ids]) => {
    const { region, timeZone } = regionOf(store);
    const { label, hours } = kindOf(store);
    return [
      `  - id: ${store}`,
      `    region: ${region}`,
      `    timeZone: ${timeZone}`,
      `    hours: ${hours}`,
      `    labels: [simulated, ${label}]`,
      `    terminals: [${ids.join(', ')}]`,
    ];
  });
  return `stores:\n${lines.join('\n')}\n`;
}

/** A zone's distance from UTC changes twice a year; asking for it costs microseconds. */
const AGAIN_MS = 60_000;
type Clock = {
  readonly format: Intl.DateTimeFormat;
  askedMs: number;
  hour: number;
};
const clocks = new Map<string, Clock>();

/** Of the day where the store stands, with its fraction; right to the minute. */
export function hourAt(store: string, wallMs: number): number {
  const { timeZone } = regionOf(store);
  let clock = clocks.get(timeZone);
  if (clock === undefined) {
    const parts = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
    const format = new Intl.DateTimeFormat('en-GB', { timeZone, ...parts });
    clock = { format, askedMs: Number.NEGATIVE_INFINITY, hour: 0 };
    clocks.set(timeZone, clock);
  }
  if (Math.abs(wallMs - clock.askedMs) >= AGAIN_MS) {
    const [hours = 0, minutes = 0] = clock.format.format(wallMs).split(':').map(Number);
    clock.hour = hours + minutes / 60;
    clock.askedMs = wallMs;
  }
  return clock.hour;
}
