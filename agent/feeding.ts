// Tells the state machines what the machine says of itself beside the samples of each sweep: how much each component
// takes (each limits.everyMs) and how hard the processors are pressed (once a second). Kept from the sweep's own
// work, because these cost more and are wanted seldom: the agent has half a percent of one core.

import type { Component } from './component.ts';
import type { Hands } from './hands.ts';
import { parsePressure } from './watchdog/proc.ts';

const PRESSURE_EVERY_MS = 1_000;

export type FeedingOptions = {
  readonly components: readonly Component[];
  readonly hands: Pick<Hands, 'ports' | 'control' | 'push'>;
};

export class Feeding {
  readonly #options: FeedingOptions;
  /** By component, with the life that it is for: when it is measured next. */
  readonly #due = new Map<string, { readonly instance: string; readonly at: number }>();
  #pressureAt = Number.NEGATIVE_INFINITY;

  constructor(options: FeedingOptions) {
    this.#options = options;
  }

  /** At each sweep. */
  look(now: number): void {
    if (now - this.#pressureAt >= PRESSURE_EVERY_MS) this.#press(now);
    for (const component of this.#options.components) this.#measure(component, now);
  }

  #press(now: number): void {
    const { components, hands } = this.#options;
    this.#pressureAt = now;
    const text = hands.ports.files.reread('/proc/pressure/cpu');
    // Kernels without it say nothing, and nothing is made up.
    const cpuSome = parsePressure(text)?.some;
    if (cpuSome === undefined) return;
    for (const { name, life } of components) {
      if (life !== undefined) hands.push(name, { kind: 'pressure', cpuSome });
    }
  }

  #measure(component: Component, now: number): void {
    const { name, life, policy } = component;
    if (life === undefined) {
      this.#due.delete(name);
      return;
    }
    const due = this.#due.get(name);
    const next = { instance: life.instance, at: now + policy.limits.everyMs };
    if (due?.instance === life.instance && now < due.at) return;
    this.#due.set(name, next);
    // Of a new life the first look would only find a program that is being loaded.
    if (due?.instance !== life.instance) return;
    const { control, push } = this.#options.hands;
    const tree = control.usage(life, true);
    if (tree === undefined) return;
    const open = control.descriptors(life);
    component.descriptors = open.descriptors;
    push(name, { kind: 'usage', ...tree, ...open });
  }
}
