// Ten tills: a real agent each behind a relay of its own, one component that the test kills, and for those
// whose clock is to be wrong a libfaketime that moves nothing but the agent's wall clock.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fault, Rig } from '../../real/agent-rig.ts';
import { Relay } from './relay.ts';
import type { Witness } from './witness.ts';

export const FAKETIME = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
].find((path) => existsSync(path));

/** A component that fails sooner again has the same incident still, opened once. */
export const STABLE_MS = 200;
export const EVERY_MS = 300;

export class Till {
  readonly id: string;
  readonly rig = new Rig();
  readonly relay: Relay;
  /** When its agent was killed, and when the next was started. */
  readonly kills: { atMs: number; againMs: number }[] = [];
  /** When its component was killed. */
  readonly crashes: number[] = [];
  #restarting = Promise.resolve();
  readonly #witness: Witness;
  readonly #clock = join(this.rig.folder, 'clock');

  constructor(id: string, witness: Witness, target: () => number, random: () => number) {
    this.id = id;
    this.#witness = witness;
    this.relay = new Relay(target, random);
    writeFileSync(this.#clock, '+0');
  }

  async open(): Promise<void> {
    await this.relay.open();
    this.rig.configure(
      [
        fault('victim', [], {
          metricsUrl: this.#witness.url(this.id),
          backoff: { minMs: 50, maxMs: 200, stableMs: STABLE_MS },
          budget: { restarts: 1000, windowMs: 60_000, retryMs: 60_000 },
        }),
      ],
      {
        terminal: this.id,
        broker: { plainText: true, host: '127.0.0.1', port: this.relay.port },
        link: { reconnectMsMin: 50, reconnectMsMax: 1_000 },
        sampling: { everyMs: EVERY_MS, sendMs: 3 * EVERY_MS },
      },
    );
    this.start();
  }

  start(): void {
    const last = this.kills.at(-1);
    if (last !== undefined) last.againMs = Date.now();
    void this.rig.start({
      ...(FAKETIME === undefined ? {} : { LD_PRELOAD: FAKETIME }),
      FAKETIME_TIMESTAMP_FILE: this.#clock,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    });
  }

  /** One at a time: two agents of one till would refuse each other. */
  restartAgent(awayMs: number): Promise<void> {
    this.#restarting = this.#restarting.then(async () => {
      await this.#killAgent();
      await new Promise((done) => setTimeout(done, awayMs));
      this.start();
    });
    return this.#restarting;
  }

  async #killAgent(): Promise<void> {
    const { agent } = this.rig;
    if (agent === undefined) return;
    const gone = new Promise((done) => agent.once('exit', done));
    this.kills.push({ atMs: Date.now(), againMs: Infinity });
    agent.kill('SIGKILL');
    await gone;
  }

  /** As libfaketime reads it: `+1d`, `@1970-01-02 00:00:00`. */
  setClock(words: string): void {
    writeFileSync(this.#clock, words);
  }

  /** Waits until it is well again, so that each crash is an incident of its own. */
  async crash(): Promise<void> {
    const pid = await this.rig.ready('victim', this.crashes.length + 1);
    await new Promise((done) => setTimeout(done, STABLE_MS * 4));
    process.kill(pid, 'SIGKILL');
    this.crashes.push(Date.now());
    await this.rig.ready('victim', this.crashes.length + 1);
  }

  async close(): Promise<void> {
    this.relay.close();
    await this.rig.clean();
  }
}
