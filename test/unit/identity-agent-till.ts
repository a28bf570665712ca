// A terminal's identity with a clock that is moved by hand and a program that asks nobody.

import { openIdentity } from '../../agent/identity/identity.ts';
import type { Done, Job } from '../../agent/identity/job.ts';
import type { NewEvent } from '../../protocol/events.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { fakeTime } from './fleet-rig.ts';
import { MACHINE } from './identity-agent-rig.ts';
import { quietLog } from './outbox-rig.ts';

/** A terminal's agent, as far as its identity goes. */
export function till(folder: string, more: { random?: number; isKnown?: boolean } = {}) {
  const time = fakeTime();
  const jobs: Job[] = [];
  const ends: ((done: Result<Done>) => void)[] = [];
  const events: Extract<NewEvent, { kind: 'identity' }>['fields'][] = [];
  let stopped = 0;
  let changes = 0;
  const log = quietLog();
  const identity = openIdentity({
    ...{ folder, terminal: 'lane-1', commandKeys: [], proxy: undefined, log },
    machine: () => MACHINE,
    start: (job) => {
      jobs.push(job);
      const done = new Promise<Result<Done>>((resolve) => {
        ends.push(resolve);
      });
      return { done, stop: () => (stopped += 1) };
    },
    time: { known: () => more.isKnown ?? false, nowMs: () => time.clock.wallMs() },
    ...{ clock: time.clock, timers: time.timers, random: () => more.random ?? 0.5 },
    report: (event) => {
      if (event.kind === 'identity') events.push(event.fields);
    },
  });
  identity.onChange(() => {
    changes += 1;
  });
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  };
  return {
    ...{ identity, folder, jobs, events, log, time },
    changes: () => changes,
    stopped: () => stopped,
    end: async (done: Done): Promise<void> => {
      ends.at(-1)?.(ok(done));
      await settle();
    },
    crash: async (): Promise<void> => {
      ends.at(-1)?.(fail('the program that enrols ended without an answer'));
      await settle();
    },
  };
}
