// Programs that an agent ran to ask about a component (exec probes) and could not put away, because it was killed
// meanwhile. They carry a mark in their environment that names the run directory and the agent, so that the next
// agent of that directory ends them at its start and never its own. Not by their parent: that is gone, and
// what remains is a child of init like any daemon.

import type { Ports } from '../ports.ts';
import { signalIdentity } from './identity.ts';
import { environValue } from './proc.ts';
import { readEnviron, scan } from './tree.ts';

const PROBE_MARK = 'TILLWATCH_PROBE';
/** What a probe forks while it is killed is found by the next look. */
const ROUNDS_MAX = 3;

/** For the environment of a probe. */
export const probeEnvironment = (runDir: string, agentPid: number): Record<string, string> => ({
  [PROBE_MARK]: `${agentPid} ${runDir}`,
});

/** @returns the pids that were ended. */
export function sweepProbes(ports: Ports, runDir: string): number[] {
  const { files, clock, processes } = ports;
  const bootId = clock.bootId();
  const ended = new Set<number>();
  const isOrphan = (mark: string | undefined): boolean => {
    const match = /^(\d+) (.*)$/s.exec(mark ?? '');
    return match?.[2] === runDir && Number(match[1]) !== processes.ownPid;
  };
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const before = ended.size;
    for (const stat of scan(files)) {
      if (ended.has(stat.pid) || !isOrphan(environValue(readEnviron(files, stat), PROBE_MARK))) {
        continue;
      }
      signalIdentity(ports, { bootId, pid: stat.pid, startTicks: stat.startTicks }, 'SIGKILL');
      ended.add(stat.pid);
    }
    if (ended.size === before) break;
  }
  return [...ended];
}
