// Identities of simulated terminals: each in a folder of its own, as a real one has it, and got the same way, with a
// token. A few at a time, because a broker issues a few at a time; what fails is tried again later. Here no program is
// started for it: the simulator is on no till, and its memory is nobody's loss.

import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { type Address, parseAddress } from '../../configuration/uplink.ts';
import { parseToken } from '../../protocol/enrolment.ts';
import { formatHello } from '../../protocol/hello.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Done } from '../identity/job.ts';
import { machineOf, newInstance } from '../identity/machine.ts';
import { keysOf } from '../identity/plain.ts';
import { ENROL_RETRY, retryMs } from '../identity/schedule.ts';
import { NO_CERTIFICATE } from '../link/reasons.ts';
import type { Way } from '../link/types.ts';
import type { Timers } from '../ports.ts';
import { type Loaded, loadIdentity, takeOver } from '../system/identity-folder.ts';
import type { SimulatedTerminal } from './terminals.ts';

/** At once. */
const ENROLLING_MAX = 4;
const TOKEN = /twe1\.[A-Za-z0-9_-]+/g;

/** @param text a list of tokens, in whatever form they stand there. @returns them by terminal. */
export function tokensIn(text: string): Result<Map<string, string>> {
  const tokens = new Map<string, string>();
  for (const [token] of text.matchAll(TOKEN)) {
    const parsed = parseToken(token);
    if (!parsed.ok) return parsed;
    const { terminal } = parsed.value;
    if (!terminal.startsWith('sim-')) {
      return fail(`${terminal} may be a real till: simulated ones are called sim-...`);
    }
    tokens.set(terminal, token);
  }
  return tokens.size > 0 ? ok(tokens) : fail('there is no token in it');
}

/** The terminals that have a token: in the stores of the list where they are known, else by their names. */
export function terminalsOf(
  tokens: ReadonlyMap<string, string>,
  known: readonly SimulatedTerminal[],
): SimulatedTerminal[] {
  const stores = new Map(known.map(({ id, store }) => [id, store]));
  return [...tokens.keys()].map((id) => ({
    id,
    store: stores.get(id) ?? id.replace(/-lane-\d+$/, ''),
  }));
}

export type IdentitiesOptions = {
  readonly folder: string;
  readonly tokens: ReadonlyMap<string, string>;
  readonly terminals: readonly SimulatedTerminal[];
  readonly timers: Timers;
  readonly random: () => number;
  /** In place of those told at enrolment. */
  readonly broker: Address | undefined;
};

export class Identities {
  readonly #o: IdentitiesOptions;
  readonly #loaded = new Map<string, Loaded>();
  readonly #waiting: string[] = [];
  readonly #failures = new Map<string, number>();
  readonly #instance = newInstance();
  #busy = 0;
  #lastReason = '';
  #ready: (terminal: string) => void = () => undefined;

  constructor(options: IdentitiesOptions) {
    this.#o = options;
    for (const { id } of options.terminals) if (!this.#load(id)) this.#waiting.push(id);
  }

  get enrolled(): number {
    return this.#loaded.size;
  }

  /** Why one of those that are not enrolled is not. */
  get lastReason(): string {
    return this.#lastReason;
  }

  /** Asks for what is missing. @param ready called for each terminal that has an identity from now on. */
  begin(ready: (terminal: string) => void): void {
    this.#ready = ready;
    this.#next();
  }

  keys(terminal: string): ReadonlyMap<string, KeyObject> {
    return keysOf(this.#loaded.get(terminal)?.record.trust.commandKeys ?? []);
  }

  way(terminal: string): Result<Way> {
    const loaded = this.#loaded.get(terminal);
    if (loaded === undefined) return fail(NO_CERTIFICATE);
    const { record, key, certificate } = loaded;
    const told = record.brokers.map(parseAddress).filter((one) => one !== undefined);
    const [first, ...rest] = this.#o.broker === undefined ? told : [this.#o.broker];
    if (first === undefined) return fail('no address of a broker is known');
    const { authorities, version } = record.trust;
    const hello = { machine: machineOf([terminal]), instance: this.#instance, trust: version };
    return ok({
      addresses: [first, ...rest],
      credentials: { key, certificate, authorities },
      username: formatHello(hello),
    });
  }

  #load(id: string): boolean {
    const loaded = loadIdentity(join(this.#o.folder, id), id);
    const token = parseToken(this.#o.tokens.get(id) ?? '');
    if (!loaded.ok || loaded.value === undefined) return false;
    // Another token is another enrolment: its fleet may be a new one.
    if (token.ok && token.value.id !== loaded.value.record.token) return false;
    this.#loaded.set(id, loaded.value);
    return true;
  }

  #next(): void {
    while (this.#busy < ENROLLING_MAX) {
      const id = this.#waiting.shift();
      if (id === undefined) return;
      this.#busy += 1;
      void this.#enrol(id).then((done) => {
        this.#busy -= 1;
        this.#ended(id, done);
        this.#next();
      });
    }
  }

  async #enrol(id: string): Promise<Done> {
    const token = this.#o.tokens.get(id);
    if (token === undefined) return { ok: false, reason: `${id} has no token`, final: true };
    const { runJob } = await import('../identity/enrolling.ts');
    const folder = join(this.#o.folder, id);
    const job = { kind: 'enrol', folder, token, terminal: id, floorMs: 0 } as const;
    return runJob({ ...job, machine: machineOf([id]) }, this.#o.timers);
  }

  #ended(id: string, done: Done): void {
    const { timers, random, folder } = this.#o;
    if (done.ok) takeOver(join(folder, id));
    if (done.ok && this.#load(id)) {
      this.#ready(id);
      return;
    }
    this.#lastReason = done.ok ? `the identity of ${id} cannot be used` : done.reason;
    if (!done.ok && done.final) return;
    const failures = (this.#failures.get(id) ?? 0) + 1;
    this.#failures.set(id, failures);
    timers.after(retryMs(ENROL_RETRY, failures, random()), () => {
      this.#waiting.push(id);
      this.#next();
    });
  }
}
