// What fits together in one component only for some of its kinds: a component that something else starts needs to be
// found and gets no environment of ours, so it has no channel, no witness and no output file; and a log probe has to
// look for something. Told as config.ts tells relations: each with its path and a sentence.

import { resolve } from 'node:path';
import type { ComponentConfig } from './config.ts';

type Path = readonly (string | number)[];
export type Misfit = { readonly path: Path; readonly sentence: string };

const NO_ENVIRONMENT = 'cannot be: a component that is not started here gets no environment';

/** @param hasChannel the channel was asked for, not only left to its default. */
function misfitsOfKind(component: ComponentConfig, hasChannel: boolean): Misfit[] {
  const { run, command, external, witness, user, group } = component;
  const found: Misfit[] = [];
  const say = (key: string, sentence: string) => found.push({ path: [key], sentence });
  if (user === undefined && group !== undefined) say('group', 'belongs to a user: say user, too');
  if (run === 'managed') {
    if (command === undefined) say('command', 'is missing');
    if (external !== undefined) say('external', 'belongs to a component with run: external');
    return found;
  }
  if (external === undefined) {
    say('external', 'is missing: how to find it (pid), and how to start and stop it');
  }
  if (command !== undefined) say('command', 'is not used with run: external; see external.start');
  if (user !== undefined)
    say('user', 'is not used with run: external: what starts it says as whom');
  if (witness) say('witness', NO_ENVIRONMENT);
  if (hasChannel) say('channel', NO_ENVIRONMENT);
  return found;
}

export function misfitsOf(component: ComponentConfig, hasChannel: boolean): Misfit[] {
  const found = misfitsOfKind(component, hasChannel);
  component.probes.forEach((probe, index) => {
    if (probe.kind !== 'log') return;
    const { failOn, expect, silenceMs, path } = probe;
    if (failOn === undefined && expect === undefined && silenceMs === undefined) {
      const sentence = 'looks for nothing: give it failOn, expect or silenceMs';
      found.push({ path: ['probes', index], sentence });
    }
    if (component.run === 'external' && path === undefined) {
      const sentence = 'is missing: what is not started here has no output file of ours';
      found.push({ path: ['probes', index, 'path'], sentence });
    }
  });
  return found;
}

/** Relative files are meant from where the configuration lies, as its folders are. */
export function withPaths(component: ComponentConfig, folder: string): ComponentConfig {
  const { external, probes, run, channel, cwd } = component;
  const pid = external && 'file' in external.pid ? resolve(folder, external.pid.file) : undefined;
  return {
    ...component,
    cwd: resolve(folder, cwd ?? '.'),
    ...(external === undefined || pid === undefined
      ? {}
      : { external: { ...external, pid: { file: pid } } }),
    // It gets no environment, so it cannot know where to speak.
    channel: channel && run === 'managed',
    probes: probes.map((probe) => {
      const named = probe.kind === 'file' || probe.kind === 'log' ? probe.path : undefined;
      // Only its path changes; the type of a probe with no rest is beyond a spread.
      return named === undefined
        ? probe
        : ({ ...probe, path: resolve(folder, named) } as typeof probe);
    }),
  };
}
