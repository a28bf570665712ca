// One pair of hands for all components: those that the agent starts itself (control.ts) and those that something
// else starts (external.ts). Looking at a process is the same for both; only how it begins, how it is asked to end
// and what is remembered of it differ, and that is chosen here by the component's name, so that nobody above
// needs to know of two kinds.

import { randomUUID } from 'node:crypto';
import type { AgentConfig } from '../../configuration/config.ts';
import { type Control, type ControlOptions, createControl } from './control.ts';
import { External } from './external.ts';
import { ownerOf } from './external-others.ts';

/** @param inherited of the agent's own environment, for the commands of external components. */
export function createControls(
  { components }: Pick<AgentConfig, 'components'>,
  inherited: Readonly<Record<string, string>>,
  options: ControlOptions,
): Control {
  const own = createControl(options);
  const others = new Map<string, External>();
  for (const config of components) {
    const { external, run, name, env } = config;
    if (run !== 'external' || external === undefined) continue;
    const rest = components.filter((other) => other !== config);
    const owner = (pid: number) => ownerOf(options.ports, options.runDir, rest, pid);
    const setting = { config, external, env: { ...inherited, ...env }, ownerOf: owner };
    others.set(name, new External(setting, { ...options, killTree: own.killTree }));
  }
  return {
    ...own,
    spawn: (spec, onExit) =>
      others.get(spec.component)?.spawn(spec, onExit) ?? own.spawn(spec, onExit),
    adopt: (component, onExit) =>
      others.get(component)?.adopt(randomUUID(), onExit) ?? own.adopt(component, onExit),
    retireOthers: (configured) =>
      own.retireOthers(new Set([...configured].filter((name) => !others.has(name)))),
    record: (life, facts) => {
      const other = others.get(life.component);
      if (other === undefined) own.record(life, facts);
      else other.record(life, facts.ready);
    },
    terminate: (life) => {
      const other = others.get(life.component);
      if (other === undefined) own.terminate(life);
      else other.terminate(life);
    },
    killTree: (life) => others.get(life.component)?.killTree(life) ?? own.killTree(life),
    abandon: (component) => others.get(component)?.abandon(),
  };
}
