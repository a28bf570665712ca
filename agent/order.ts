// Who may start now, and who may stop when everything stops: follows the plan of `after` (watchdog/plan.ts) at each
// change of state. It keeps only what is still to be done; failures and recoveries are not its business.

import type { ComponentEvent } from './watchdog/model.ts';
import { mayStart, mayStop, type PlanItem, type States } from './watchdog/plan.ts';

type Stopping = {
  readonly reason: string;
  /** A component that is wanted again meanwhile is not asked twice: its restart is over already. */
  readonly asked: Set<string>;
  readonly done: () => void;
};

export type OrderOptions = {
  readonly plan: readonly PlanItem[];
  readonly states: () => States;
  readonly push: (component: string, event: ComponentEvent) => void;
};

export class Order {
  readonly #options: OrderOptions;
  /** Not yet started for the first time; a component that ended for good does not come back here. */
  readonly #toStart = new Set<string>();
  #stopping: Stopping | undefined;

  constructor(options: OrderOptions) {
    this.#options = options;
  }

  get isStopping(): boolean {
    return this.#stopping !== undefined;
  }

  toStart(name: string): void {
    this.#toStart.add(name);
  }

  /** @param done when all have stopped. */
  stopAll(reason: string, done: () => void): void {
    this.#toStart.clear();
    this.#stopping = { reason, asked: new Set(), done };
  }

  /** Called whenever the queue of events is empty. */
  follow(): void {
    const { plan, states, push } = this.#options;
    if (this.#stopping !== undefined) this.#followStop(this.#stopping);
    else if (this.#toStart.size > 0) {
      for (const name of mayStart(plan, states(), this.#toStart)) {
        if (!this.#toStart.delete(name)) continue;
        push(name, { kind: 'start', reason: 'the agent starts it' });
      }
    }
  }

  #followStop({ reason, asked, done }: Stopping): void {
    const states = this.#options.states();
    for (const name of mayStop(this.#options.plan, states)) {
      if (asked.has(name)) continue;
      asked.add(name);
      this.#options.push(name, { kind: 'stop', reason });
    }
    if ([...states.values()].every((state) => state === 'stopped')) done();
  }
}
