// Asks a component's own /metrics whether work waits and whether any completes: the only sign of a stall that a
// component gives which knows nothing of us. What is missing among its metrics is told once in the log and proves
// nothing, because a misspelt name in a configuration must never kill a till; so no number is ever guessed.
// Judged elsewhere (hang.ts): here three numbers are read, at a rhythm that suits the deadline.

import type { ComponentConfig } from '../../configuration/config.ts';
import type { Sample } from '../../protocol/metric-body.ts';
import type { Result } from '../../protocol/result.ts';
import type { Log, Timers } from '../ports.ts';
import { parseExposition } from '../telemetry/exposition.ts';
import { scrape } from '../telemetry/scrape.ts';
import type { Probe } from './probes.ts';

export type ProgressSpec = NonNullable<ComponentConfig['progress']>;
export type ProgressTold = {
  readonly waiting: number;
  readonly completed: number;
  readonly remoteDown: boolean;
};
type Series = ProgressSpec['waiting'];

/** Eight looks within the deadline, so that a stall is no more than an eighth older than it is known. */
const LOOKS = 8;
const EVERY_MS_MIN = 1_000;
const EVERY_MS_MAX = 15_000;

export const progressEveryMs = ({ stalledMs }: ProgressSpec): number =>
  Math.min(EVERY_MS_MAX, Math.max(EVERY_MS_MIN, stalledMs / LOOKS));

/** Over all series that have the name and these labels; undefined when there is none, or no number. */
function sumOf(samples: readonly Sample[], { metric, labels }: Series): number | undefined {
  const wanted = Object.entries(labels);
  const found = samples.filter(
    (sample) =>
      sample.name === metric && wanted.every(([name, value]) => sample.labels[name] === value),
  );
  if (found.length === 0) return undefined;
  const sum = found.reduce((before, { value }) => before + value, 0);
  return Number.isFinite(sum) ? sum : undefined;
}

/** @returns what was told, or the metric that is not there. */
export function readProgress(
  samples: readonly Sample[],
  { waiting, completed, unless }: ProgressSpec,
): ProgressTold | { readonly missing: string } {
  const told = { waiting: sumOf(samples, waiting), completed: sumOf(samples, completed) };
  const remote = unless && sumOf(samples, unless);
  if (told.waiting === undefined) return { missing: waiting.metric };
  if (told.completed === undefined) return { missing: completed.metric };
  // Whether the remote party is away is not known: then nobody may conclude that it is not.
  if (unless !== undefined && remote === undefined) return { missing: unless.metric };
  return { waiting: told.waiting, completed: told.completed, remoteDown: remote === 0 };
}

export type ProgressPorts = {
  readonly timers: Timers;
  readonly log: Log;
  /** For tests; the real scrape when not given. */
  readonly fetch?: (url: string, timers: Timers) => Promise<Result<string>>;
};

/**
 * Asks until stopped, one question at a time.
 * @param urlOf where its metrics are now; undefined while it has not said so.
 */
export function startProgress(
  spec: ProgressSpec,
  ports: ProgressPorts,
  urlOf: () => string | undefined,
  told: (progress: ProgressTold) => void,
): Probe {
  const { timers, log } = ports;
  const fetch = ports.fetch ?? scrape;
  let asking = false;
  let stopped = false;
  /** An answer to a question of an earlier round is not told: the agent itself was away meanwhile. */
  let round = 0;
  let lastTrouble = '';

  function trouble(reason: string): void {
    if (reason !== lastTrouble) log.warn('progress: could not be read', { reason });
    lastTrouble = reason;
  }

  async function once(): Promise<void> {
    const url = urlOf();
    if (asking || url === undefined) return;
    asking = true;
    const mine = round;
    const body = await fetch(url, timers);
    asking = false;
    if (stopped || mine !== round) return;
    if (!body.ok) return trouble(body.reason);
    const read = readProgress(parseExposition(body.value).samples, spec);
    if ('missing' in read) return trouble(`${read.missing} is not among its metrics`);
    lastTrouble = '';
    told(read);
  }

  const cancel = timers.every(progressEveryMs(spec), () => void once());
  return {
    dropInFlight: () => {
      round += 1;
    },
    stop: () => {
      stopped = true;
      cancel();
    },
  };
}
