// Who runs as what, seen from outside: every component writes its pid where it serves, and a new pid is a restart,
// whatever the agent says of it. A restart of a component while none of its drills was in flight is a false kill.

import { readFileSync } from 'node:fs';
import type { Rig } from '../rig.ts';

const LOOK_MS = 50;
/** What is left of an incident after the component serves again. */
const AFTER_MS = 2_000;

export type Restart = { readonly component: string; readonly pid: number; readonly atMs: number };
type Window = { readonly component: string; readonly fromMs: number; toMs: number };

export type Lives = {
  readonly pidOf: (component: string) => number | undefined;
  /** A drill of a component is in flight until the returned function is called. */
  readonly drilled: (component: string) => () => void;
  readonly isDrilled: (component: string, wallMs: number) => boolean;
  readonly restarts: () => readonly Restart[];
  readonly falseKills: () => readonly Restart[];
  readonly stop: () => void;
};

export function readPort(rig: Rig, name: string): { pid: number; port: number } | undefined {
  try {
    return JSON.parse(readFileSync(rig.portFile(name), 'utf8')) as { pid: number; port: number };
  } catch {
    return undefined; // it is just being written, or removed at an end in good order
  }
}

export function watchLives(rig: Rig, components: readonly string[]): Lives {
  const pids = new Map<string, number>();
  const restarts: Restart[] = [];
  const windows: Window[] = [];
  const isDrilled = (component: string, wallMs: number): boolean =>
    windows.some((w) => w.component === component && wallMs >= w.fromMs && wallMs <= w.toMs);
  const look = (): void => {
    for (const component of components) {
      const pid = readPort(rig, component)?.pid;
      if (pid === undefined || pid === pids.get(component)) continue;
      if (pids.has(component)) restarts.push({ component, pid, atMs: Date.now() });
      pids.set(component, pid);
    }
  };
  look();
  const timer = setInterval(look, LOOK_MS);
  return {
    pidOf: (component) => pids.get(component),
    drilled: (component) => {
      const window = { component, fromMs: Date.now(), toMs: Number.POSITIVE_INFINITY };
      windows.push(window);
      return () => {
        window.toMs = Date.now() + AFTER_MS;
      };
    },
    isDrilled,
    restarts: () => restarts,
    falseKills: () => restarts.filter(({ component, atMs }) => !isDrilled(component, atMs)),
    stop: () => clearInterval(timer),
  };
}
