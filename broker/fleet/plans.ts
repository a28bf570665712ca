// Where terminals stand by what operators did at run time: planned by their enrolment, moved, retired. The configuration
// file plans too; of a terminal that both name, a move holds until the file says something else than it said
// then, so that neither an old file takes a move back nor a move hides a newer file. Retired is retired,
// whatever a file says.

import type { Database } from './database.ts';
import { newTerminal, type TerminalModel } from './model.ts';
import type { Models } from './models.ts';
import type { FleetStore } from './store.ts';

export type Planned = { readonly id: string; readonly store: string };

export type Plan = Planned & {
  /** The store that the configuration named then; empty: it did not name the terminal. */
  readonly configured: string;
  readonly retired: boolean;
};

export function openPlanTable({ db }: Database) {
  const select = db.prepare('SELECT terminal, store, configured, retired FROM plans');
  const upsert = db.prepare(
    `INSERT INTO plans (terminal, store, configured, retired) VALUES (?, ?, ?, ?)
     ON CONFLICT (terminal) DO UPDATE SET store = excluded.store,
       configured = excluded.configured, retired = excluded.retired`,
  );
  return {
    loadPlans: (): readonly Plan[] =>
      select.all().map((row) => ({
        id: String(row['terminal']),
        store: String(row['store']),
        configured: String(row['configured']),
        retired: row['retired'] === 1,
      })),
    savePlan: ({ id, store, configured, retired }: Plan): void => {
      upsert.run(id, store, configured, retired ? 1 : 0);
    },
  };
}

/** The terminals of the configuration and of the plans, put over what is known of them. */
export function settlePlans(
  models: Map<string, TerminalModel>,
  terminals: readonly Planned[],
  plans: readonly Plan[],
): void {
  const put = (id: string, store: string, retired = false): void => {
    const known = models.get(id) ?? newTerminal(id, store, true);
    const more = retired ? { retired } : {};
    models.set(id, { ...known, store, planned: !retired, ...more });
  };
  for (const { id, store } of terminals) put(id, store);
  const configured = new Map(terminals.map(({ id, store }) => [id, store]));
  for (const plan of plans) {
    const isSame = (configured.get(plan.id) ?? plan.configured) === plan.configured;
    if (plan.retired || isSame) put(plan.id, plan.store, plan.retired);
  }
}

/** Each is called within a transaction and takes effect in memory once that is on disk. */
export type Planner = {
  /** It belongs to the fleet from now on, and stands there; also one that was retired. */
  readonly plan: (id: string, store: string) => void;
  /** It leaves every count and list; what it said stays. */
  readonly retire: (id: string) => void;
  /** Where it stands; undefined when nobody planned it or it was retired. */
  readonly storeOf: (id: string) => string | undefined;
  /** How many are planned. */
  readonly count: () => number;
};

export type PlannerOptions = {
  readonly database: Pick<Database, 'afterCommit'>;
  readonly models: Pick<Models, 'all' | 'get' | 'put'>;
  readonly store: Pick<FleetStore, 'savePlan' | 'saveTerminal'>;
  readonly terminals: readonly Planned[];
};

const isPlanned = ({ planned, retired }: TerminalModel): boolean => planned && retired !== true;

export function createPlanner({ database, models, store, terminals }: PlannerOptions): Planner {
  const configured = new Map(terminals.map(({ id, store }) => [id, store]));
  function place(id: string, where: string, retired: boolean): void {
    store.savePlan({ id, store: where, configured: configured.get(id) ?? '', retired });
    const known = models.get(id) ?? newTerminal(id, where, true);
    const model = { ...known, store: where, planned: !retired, retired: retired || undefined };
    store.saveTerminal(model);
    database.afterCommit(() => models.put(id, model));
  }
  return {
    plan: (id, where) => place(id, where, false),
    retire: (id) => place(id, models.get(id)?.store ?? '', true),
    storeOf: (id) => {
      const known = models.get(id);
      return known !== undefined && isPlanned(known) ? known.store : undefined;
    },
    count: () => models.all().filter(isPlanned).length,
  };
}
