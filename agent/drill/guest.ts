// The component that a drill is about where it is no real one: made from the shipped defaults like any other, of a
// small program that fails as it is told (terminal/drill), without rungs that would touch others. It stands in no
// configuration and in no plan; an agent that is killed leaves it to the next one, which ends what nobody
// configured.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { componentSchema } from '../../configuration/component.ts';
import type { AgentConfig } from '../../configuration/config.ts';
import type { DrillFault } from '../../protocol/commands.ts';
import { DRILL_COMPONENT } from '../../protocol/drill.ts';
import { Component } from '../component.ts';
import type { Files } from '../ports.ts';
import { readTcp } from '../watchdog/sockets.ts';

const MEBIBYTE = 1024 * 1024;
/** Over what the program takes by itself, below what it leaks up to (terminal/drill, LEAK_BYTES). */
export const LEAK_CEILING_BYTES = 112 * MEBIBYTE;
/** What a leak needs free, so that it is the drill's ceiling that is met and not the machine's. */
export const LEAK_FREE_BYTES = 512 * MEBIBYTE;
/** Ports for the drill, below those that the kernel hands out by itself. */
const PORT_MIN = 21_000;
const PORTS = 9_000;
const PORTS_TRIED_MAX = 100;

/** Beside the agent's own program where it is built, in the sources where it is not. */
export function findPart(files: Pick<Files, 'nodeOf'>): string | undefined {
  const here = fileURLToPath(import.meta.url);
  const folder = dirname(here);
  const candidates = here.endsWith('.ts')
    ? [join(folder, '..', '..', 'terminal', 'drill', 'main.ts')]
    : [join(folder, 'drill.mjs'), join(folder, '..', 'drill.mjs')];
  return candidates.find((path) => files.nodeOf(path) !== undefined);
}

export function findPort(files: Files, random: () => number): number | undefined {
  const taken = new Set(readTcp(files).map(({ port }) => port));
  for (let tries = 0; tries < PORTS_TRIED_MAX; tries += 1) {
    const port = PORT_MIN + Math.floor(random() * PORTS);
    if (!taken.has(port)) return port;
  }
  return undefined;
}

export type GuestOptions = {
  readonly fault: DrillFault;
  readonly part: string;
  readonly marker: string;
  readonly port: number | undefined;
  readonly version: string;
  readonly till: Pick<AgentConfig, 'mode' | 'ladder'>;
  readonly seed: number;
};

export function createGuest(options: GuestOptions): Component {
  const { fault, part, marker, port, version, till, seed } = options;
  const command = [process.execPath, part, fault, marker, ...(port ? [String(port)] : [])];
  const shipped = v.parse(componentSchema, {
    name: 'of-a-drill',
    version,
    command,
    ...(fault === 'leak' ? { limits: { memoryBytes: LEAK_CEILING_BYTES } } : {}),
    ...(port === undefined ? {} : { holds: { ports: [port] } }),
  });
  // No configured component may have its name, so it gets it here.
  const config = { ...shipped, name: DRILL_COMPONENT };
  // Alone in its till: no dependants, no `all`, no reboot.
  const { reboot: _none, ...ladder } = till.ladder;
  const alone = { mode: till.mode, ladder, components: [config] };
  return new Component(config, alone, { seed, restarts: [], uses: [] });
}
