// Whom the supervisor watches: the components of the configuration and, for the time of a drill, a guest. A guest is
// watched like the others and stands in no plan, sum or memory of them; so who asks says whether all or only the
// configured are meant.

import type { Component } from './component.ts';

export class Watched {
  readonly #configured = new Map<string, Component>();
  readonly #guests = new Map<string, Component>();
  /** Both. One list for ever, because others keep it. */
  readonly all: Component[] = [];

  constructor(components: readonly Component[]) {
    for (const component of components) this.#configured.set(component.name, component);
    this.all.push(...components);
  }

  find(name: string): Component | undefined {
    return this.#configured.get(name) ?? this.#guests.get(name);
  }

  isGuest(name: string): boolean {
    return this.#guests.has(name);
  }

  configured(): Component[] {
    return [...this.#configured.values()];
  }

  names(): Set<string> {
    return new Set(this.#configured.keys());
  }

  admit(guest: Component): void {
    this.#guests.set(guest.name, guest);
    this.all.push(guest);
  }

  /** Once it has stopped. */
  dismiss(name: string): void {
    const guest = this.#guests.get(name);
    if (guest === undefined) return;
    this.#guests.delete(name);
    this.all.splice(this.all.indexOf(guest), 1);
  }
}
