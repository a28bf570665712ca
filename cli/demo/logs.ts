// Pulls a component's lines as `tillwatch logs` does: the very same request, signed by the broker for this
// one till, answered in chunks and masked where the lines are. The verb prints for people; here it is asked
// for its JSON, so that the story can pick the lines it tells of.

import { setTimeout as sleep } from 'node:timers/promises';
import type { LogRecord } from '../../protocol/log-lines.ts';
import { plainStyle } from '../screen.ts';
import { runLogs } from '../verbs/logs.ts';
import type { World } from './world.ts';

const PULL_MS_MAX = 20_000;

type Ask = { readonly terminal: string; readonly component: string; readonly reason: string };
type Pulled = {
  readonly records: readonly LogRecord[];
  readonly redactions: number;
  readonly bytes: number;
};
export type Pull = ({ readonly ok: true } & Pulled) | { readonly ok: false; readonly why: string };

export async function pullLogs(world: World, { terminal, component, reason }: Ask): Promise<Pull> {
  const limit = AbortSignal.any([world.signal, AbortSignal.timeout(PULL_MS_MAX)]);
  let text = '';
  const context = {
    print: (line: string) => {
      text = line;
    },
    style: plainStyle,
    client: world.client,
    nowMs: Date.now,
    sleep: async (ms: number) => {
      await sleep(ms, undefined, { signal: limit });
    },
    json: true,
  };
  const silent = () => undefined;
  try {
    const outcome = await runLogs(context, [terminal], {
      ...{ components: [component], since: '10m', reason, wait: true, isShown: false },
      ...{ note: silent, progress: silent },
    });
    if (outcome.exit !== 0) return { ok: false, why: outcome.sentence ?? 'no reason given' };
    return { ok: true, ...(JSON.parse(text) as Pulled) };
  } catch (error) {
    if (!limit.aborted) throw error;
    return { ok: false, why: `no lines arrived in ${PULL_MS_MAX / 1000} s` };
  }
}
