// `npm run bench -- recovery --peers`: every peer after the other, each alone on the machine, as far as it finds
// hangs at all. Those that never do are asked one hang of each kind, all at once at the end, because five minutes of
// waiting for nothing need not be waited five times.

import { rmSync } from 'node:fs';
import { round, type Spread, spread } from '../harness.ts';
import { modelPeers } from './models.ts';
import { monitPeers } from './monit.ts';
import { FAULTS, type Fault, type Peer } from './peer.ts';
import { pm2Peers } from './pm2.ts';
import { runitPeers } from './runit.ts';
import { supervisordPeers } from './supervisord.ts';
import { ask, type Leftovers, leftovers } from './till.ts';
import { tillwatchPeers } from './tillwatch.ts';
import * as trials from './trial.ts';

const PEERS: readonly Peer[] = [
  ...tillwatchPeers,
  ...monitPeers,
  ...supervisordPeers,
  ...modelPeers,
  ...pm2Peers,
  ...runitPeers,
];
/** A slow peer is asked every fifth time only. */
const SLOW_SHARE = 5;
const PHASE_MS = 1_000;

export type FaultFigures = {
  readonly n: number;
  /** How many were not back within the time that was waited. */
  readonly never: number;
  readonly waitedMs: number;
  readonly detectedMs: Spread | undefined;
  readonly readyMs: Spread | undefined;
};
export type PeerFigures = {
  readonly name: string;
  readonly settings: string;
  readonly model: boolean;
  readonly blind: string | undefined;
  readonly faults: Partial<Record<Fault, FaultFigures>>;
  /** Computations of four seconds, and how many were killed for it; none are asked of the blind. */
  readonly computed: { n: number; killed: number };
  /** Lives that ended by a fault, and what was there after the last, the supervisor still running. */
  readonly deaths: number;
  readonly left: Leftovers;
  readonly lost: trials.Lost;
  readonly killed: trials.Death | undefined;
  /** Processes of the till that ran on after the supervisor was ended in good order. */
  readonly leftAfterStop: number;
  /** And one of them still answers on the till's port. */
  readonly portHeldAfterStop: boolean;
};
export type Outcome = {
  readonly peers: Record<string, PeerFigures>;
  readonly skipped: Record<string, string>;
};
export type PeerOptions = { readonly n: number; readonly only: readonly string[] | undefined };

function figuresOf(times: readonly trials.Times[], waitedMs: number): FaultFigures {
  const given = (values: readonly (number | undefined)[]): Spread | undefined => {
    const numbers = values.filter((value) => value !== undefined);
    return numbers.length === 0 ? undefined : spread(numbers.map(round));
  };
  return {
    n: times.length,
    never: times.filter((t) => t.readyMs === undefined).length,
    waitedMs,
    detectedMs: given(times.map((t) => t.detectedMs)),
    readyMs: given(times.map((t) => t.readyMs)),
  };
}

const line = (text: string): void => console.error(`  ${text}`);
const seconds = (ms: number | undefined): string =>
  ms === undefined ? '-' : `${(ms / 1000).toFixed(3)} s`;

class PeerRun {
  readonly #peer: Peer;
  readonly #built: { root: string; program: string };
  readonly lost: trials.Lost = { lines: 0, printed: 0 };
  readonly faults: Partial<Record<Fault, FaultFigures>> = {};
  deaths = 0;
  #running: trials.Running | undefined;

  constructor(peer: Peer, built: { root: string; program: string }) {
    this.#peer = peer;
    this.#built = built;
  }

  async running(): Promise<trials.Running> {
    this.#running ??= await trials.begin(this.#peer, this.#built.root, this.#built.program);
    return this.#running;
  }

  async close(): Promise<void> {
    if (this.#running !== undefined) await trials.finish(this.#running);
    this.#running = undefined;
  }

  async series(fault: Fault, n: number): Promise<void> {
    const waitedMs = this.#peer.waitMs ?? trials.NEVER_MS;
    const times: trials.Times[] = [];
    for (let i = 0; i < n; i += 1) {
      // Evenly over the period at which it looks, so that few faults say as much as many at random.
      const phaseMs = ((i + 0.5) / n) * (this.#peer.phaseMs ?? PHASE_MS);
      const running = await this.running();
      const order = { withinMs: waitedMs, phaseMs };
      const result = await trials.trial(running, fault, this.lost, order);
      times.push(result);
      const { detectedMs, readyMs } = result;
      const found = `detected ${seconds(detectedMs)}, back ${seconds(readyMs)}`;
      line(`${this.#peer.name}: ${fault} ${i + 1}/${n}: ${found}`);
      if (readyMs !== undefined) {
        this.deaths += 1;
        continue;
      }
      // What was never found once is not found the next time: the rest would be waiting.
      await this.close();
      break;
    }
    this.faults[fault] = figuresOf(times, waitedMs);
  }
}

async function computed(peer: Peer, run: PeerRun, n: number) {
  let killed = 0;
  for (let i = 0; i < n; i += 1) {
    const phaseMs = ((i + 0.5) / n) * (peer.phaseMs ?? PHASE_MS);
    if (await trials.computes(await run.running(), phaseMs)) killed += 1;
  }
  if (n > 0) line(`${peer.name}: ${killed} of ${n} computations of 4 s killed`);
  return { n, killed };
}

async function one(peer: Peer, built: { root: string; program: string }, n: number) {
  const run = new PeerRun(peer, built);
  try {
    for (const fault of FAULTS) {
      if (fault !== 'crash' && peer.blind !== undefined) continue;
      const times = peer.waitMs !== undefined ? Math.ceil(n / SLOW_SHARE) : n;
      await run.series(fault, times);
    }
    const computations = await computed(peer, run, peer.blind ? 0 : Math.ceil(n / 2));
    const running = await run.running();
    const left = leftovers(running.till);
    const killed = await trials.killSupervisor(running);
    await running.supervisor.stop().catch(() => undefined);
    const leftAfterStop = leftovers(running.till).running;
    const portHeldAfterStop = (await ask(running.till)) !== undefined;
    const { name, settings, blind, model = false } = peer;
    const { faults, deaths, lost } = run;
    const after = { computed: computations, leftAfterStop, portHeldAfterStop };
    return { name, settings, model, blind, faults, deaths, left, lost, killed, ...after };
  } finally {
    await run.close();
  }
}

/** One hang of each kind at a time, under all peers that are said not to see any. */
async function blindHangs(peers: readonly Peer[], built: { root: string; program: string }) {
  const found: Record<string, Partial<Record<Fault, FaultFigures>>> = {};
  for (const fault of FAULTS.filter((name) => name !== 'crash')) {
    await Promise.all(
      peers.map(async (peer) => {
        const run = new PeerRun(peer, built);
        try {
          await run.series(fault, 1);
        } finally {
          await run.close();
        }
        found[peer.key] = { ...found[peer.key], ...run.faults };
      }),
    );
  }
  return found;
}

export async function runPeers({ n, only }: PeerOptions): Promise<Outcome> {
  const wanted = PEERS.filter((peer) => only === undefined || only.includes(peer.key));
  const skipped: Record<string, string> = {};
  const present: Peer[] = [];
  for (const peer of wanted) {
    const why = await peer.missing();
    if (why === undefined) present.push(peer);
    else skipped[peer.key] = why;
  }
  const built = await trials.bundleProgram();
  const peers: Record<string, PeerFigures> = {};
  try {
    for (const peer of present) peers[peer.key] = await one(peer, built, n);
    const blind = present.filter((peer) => peer.blind !== undefined);
    const hangs = await blindHangs(blind, built);
    for (const { key } of blind) {
      const known = peers[key];
      if (known !== undefined)
        peers[key] = { ...known, faults: { ...known.faults, ...hangs[key] } };
    }
  } finally {
    rmSync(built.root, { recursive: true, force: true });
  }
  return { peers, skipped };
}
