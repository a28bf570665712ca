// Who is not to be started by itself: what ended for good, as its restart policy wants it, and what an operator has
// stopped. The first lasts for this boot and this version, the second until an operator says otherwise.

import type { AgentConfig } from '../configuration/config.ts';

export type RestedOptions = {
  readonly config: Pick<AgentConfig, 'components'>;
  /** The version of it that ended for good under an earlier agent of this boot. */
  readonly remembered: (component: string) => { readonly rested?: string | undefined };
  readonly isStopped?: (component: string) => boolean;
};

export class Rested {
  readonly isStopped: (component: string) => boolean;
  /** Ended for good; not what was stopped with the agent. */
  readonly names = new Set<string>();
  #spared: ReadonlySet<string> = new Set();

  /** @param interrupted only stopped for another's recovery when the agent before ended. */
  constructor(options: RestedOptions, interrupted: readonly string[]) {
    const { config, remembered, isStopped = () => false } = options;
    this.isStopped = isStopped;
    for (const { name, version, restart } of config.components) {
      const isSame = remembered(name).rested === version;
      const isDone = isSame && restart !== 'permanent' && !interrupted.includes(name);
      if (isDone) this.names.add(name);
    }
  }

  /** What ends now is started again by the next agent. */
  spare(components: Iterable<string>): void {
    this.#spared = new Set(components);
  }

  isLeft(component: string): boolean {
    return this.names.has(component) || this.isStopped(component);
  }

  /** After a step of its machine. */
  hear(component: string, state: string, isForGood: boolean): void {
    if (state !== 'stopped') this.names.delete(component);
    else if (isForGood && !this.#spared.has(component)) this.names.add(component);
  }
}
