// What a step of the story is given, and what it answers: nothing when all was as it should be, else the
// sentence that says what was not. Steps never throw for that: a stack trace on the screen is a bug.

import type { Client, EventView, TerminalView } from '../client.ts';
import type { Cashier } from './cashier.ts';
import type { Children } from './children.ts';
import type { Place } from './plan.ts';
import type { Teller } from './teller.ts';
import type { Watch } from './watch.ts';
import { until } from './watch.ts';

export type World = {
  readonly place: Place;
  readonly client: Client;
  readonly watch: Watch;
  readonly tell: Teller;
  readonly children: Children;
  readonly cashiers: ReadonlyMap<string, Cashier>;
  readonly signal: AbortSignal;
  /** Wall clock: events carry it too. */
  readonly startedMs: number;
};

export type Failure = string | undefined;
export type Step = {
  readonly title: string;
  readonly run: (world: World) => Promise<Failure>;
};

export async function viewOf(world: World, terminal: string): Promise<TerminalView | undefined> {
  const reply = await world.client.get<TerminalView>(`/api/v1/terminals/${terminal}`);
  return reply.ok ? reply.value : undefined;
}

/** The pid that the broker knows of a component that is ready. */
export async function pidOf(
  world: World,
  terminal: string,
  component: string,
): Promise<number | undefined> {
  const view = await viewOf(world, terminal);
  const found = view?.components.find(({ name }) => name === component);
  return found?.state === 'ready' ? found.pid : undefined;
}

/** Waits until the broker's view of a terminal is as wanted. */
export const viewWhen = (
  world: World,
  terminal: string,
  msMax: number,
  fits: (view: TerminalView) => boolean,
): Promise<TerminalView | undefined> =>
  until(msMax, world.signal, async () => {
    const view = await viewOf(world, terminal);
    return view !== undefined && fits(view) ? view : undefined;
  });

export const isOf =
  (terminal: string, component: string) =>
  (event: EventView): boolean =>
    event.terminal === terminal && event.component === component;

export const field = (event: EventView, name: string): string => {
  const value = event.fields[name];
  return value === undefined || value === null ? '' : String(value);
};
