// What other rooms know of a terminal and its view tells: where its store is, which labels it carries, which
// configuration it should run, whether a maintenance holds it, which of its versions are behind. The registry asks
// them by functions that they hand in, so that it knows none of them; until they do, nothing is known.

import type { Sample } from '../../protocol/metric-body.ts';
import type { TerminalModel } from './model.ts';

export type ConfigurationWish = {
  readonly name: string;
  readonly version: number;
  readonly sha256: string;
};
export type ConfigurationView = {
  /** What it runs; empty and 0 while it runs under its own file alone. */
  readonly name: string;
  readonly version: number;
  readonly sha256: string;
  /** As the till tells it: own, trial or kept; unknown while it never said. */
  readonly state: string;
  /** What it should run; undefined: nothing is meant for it. */
  readonly target?: ConfigurationWish | undefined;
  readonly behind: boolean;
  /** Why it refused its target or went back from it. */
  readonly refused?: string | undefined;
};
export type MaintenanceView = {
  readonly id: string;
  readonly by: string;
  readonly reason: string;
  readonly untilMs: number;
  readonly scope: 'terminal' | 'store';
};
export type BehindView = {
  readonly component: string;
  readonly running: string;
  readonly target: string;
};

/** Each is asked for every view: it looks something up, and nothing more. */
export type Describe = {
  readonly region: (terminal: string, model: TerminalModel) => string | undefined;
  readonly labels: (terminal: string, model: TerminalModel) => readonly string[];
  readonly configuration: (terminal: string, model: TerminalModel) => ConfigurationView | undefined;
  readonly maintenance: (terminal: string, model: TerminalModel) => MaintenanceView | undefined;
  readonly behind: (terminal: string, model: TerminalModel) => readonly BehindView[];
};

/** Store and terminal are added to the labels. */
export type Observe = (terminal: string, model: TerminalModel) => readonly Sample[];
/** The label store is said by whoever makes them. */
export type ObserveStores = (nowMs: number) => readonly Sample[];

const NOTHING: readonly never[] = [];
export const UNDESCRIBED: Describe = {
  region: () => undefined,
  labels: () => NOTHING,
  configuration: () => undefined,
  maintenance: () => undefined,
  behind: () => NOTHING,
};

export type Described = {
  readonly region: string | undefined;
  readonly labels: readonly string[];
  readonly configuration: ConfigurationView | undefined;
  readonly maintenance: MaintenanceView | undefined;
  readonly behind: readonly BehindView[];
};

export function describedOf(describe: Describe, model: TerminalModel): Described {
  const { id } = model;
  return {
    region: describe.region(id, model),
    labels: describe.labels(id, model),
    configuration: describe.configuration(id, model),
    maintenance: describe.maintenance(id, model),
    behind: describe.behind(id, model),
  };
}

/** The points at which other rooms hand in what they know. */
export function createDescriptions() {
  let describe: Describe = UNDESCRIBED;
  const observers: Observe[] = [];
  const ofStores: ObserveStores[] = [];
  return {
    /** What is left out stays as it was. */
    describeBy: (more: Partial<Describe>): void => {
      describe = { ...describe, ...more };
    },
    observeBy: (observe: Observe): void => {
      observers.push(observe);
    },
    observeStores: (observe: ObserveStores): void => {
      ofStores.push(observe);
    },
    now: (): Describe => describe,
    moreOf: (model: TerminalModel): readonly Sample[] =>
      observers.flatMap((observe) =>
        observe(model.id, model).map(({ labels, ...sample }) => ({
          ...sample,
          labels: { ...labels, store: model.store, terminal: model.id },
        })),
      ),
    samplesOfStores: (nowMs: number): readonly Sample[] =>
      ofStores.flatMap((observe) => observe(nowMs)),
  };
}
export type Descriptions = ReturnType<typeof createDescriptions>;
