// Of a terminal, what the broker knows beside what the terminal said: which configuration it should run, which maintenance
// holds it, which of its versions are behind. As broker/fleet/describe.ts promises it.

type Wish = { readonly name: string; readonly version: number; readonly sha256: string };

export type ConfigurationView = Wish & {
  /** As the till tells it: own, trial or kept; unknown while it never said. */
  readonly state: string;
  readonly target?: Wish;
  readonly behind: boolean;
  readonly refused?: string;
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
