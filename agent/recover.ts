// Follows the recovery plan (watchdog/recovery.ts): tells it what happens to components, and does what it asks for,
// one entry for each kind of effect. What it wants of a component goes into the loop as an event; hooks and the
// token of a reboot answer later. What it has under way is kept in the boot's folder, so that whom a killed
// agent had stopped is started again by the next.

import { join } from 'node:path';
import * as v from 'valibot';
import type { AgentConfig, ComponentConfig } from '../configuration/config.ts';
import { DEFAULTS } from '../configuration/defaults.ts';
import type { Rung } from '../protocol/events.ts';
import type { Result } from '../protocol/result.ts';
import type { Hands } from './hands.ts';
import { hookEnvironment } from './launch.ts';
import { planOf } from './policy.ts';
import type { BootClock } from './ports.ts';
import type { Model } from './watchdog/machine.ts';
import type { ComponentEffect, Policy } from './watchdog/model.ts';
import { initialRecovery, stepRecovery } from './watchdog/recovery.ts';
import { newsOf, settingOf, wishOf } from './watchdog/recovery-glue.ts';
import type {
  Interrupted,
  RebootToken,
  RecoveryEffect,
  RecoveryEvent,
  RecoveryModel,
  RecoverySetting,
} from './watchdog/recovery-model.ts';

/** What the ladder keeps on disk of it (ladder-file.ts). */
export type RebootLedger = {
  readonly upMs: () => number;
  readonly reboots: () => readonly RebootToken[];
  readonly setReboots: (reboots: readonly RebootToken[]) => void;
  readonly spendReboot: (reboots: readonly RebootToken[]) => Promise<Result<void>>;
};

export type RecoverOptions = {
  readonly config: AgentConfig;
  readonly policies: readonly Policy[];
  readonly hands: Hands;
  readonly ledger: RebootLedger;
};

type Of<K extends RecoveryEffect['kind']> = Extract<RecoveryEffect, { kind: K }>;
type Executors = { readonly [K in RecoveryEffect['kind']]: (effect: Of<K>) => void };

const interruptedSchema = v.object({
  bootId: v.string(),
  component: v.string(),
  rung: v.picklist(['dependants', 'reset', 'all', 'reboot']),
  members: v.pipe(v.array(v.string()), v.maxLength(1_000)),
});

function settingFor({ config, policies }: RecoverOptions): RecoverySetting {
  const resets = config.components.flatMap(({ name, reset }) =>
    reset === undefined ? [] : [[name, reset.timeoutMs] as const],
  );
  const { reboot } = config.ladder;
  const { hourMax, dayMax } = DEFAULTS.ladder.reboot;
  const rule = reboot && { uptimeMsMin: reboot.uptimeMsMin, hourMax, dayMax };
  return settingOf(planOf(config), policies, new Map(resets), rule);
}

function readInterrupted(text: string | undefined, clock: BootClock): Interrupted | undefined {
  try {
    const read = v.safeParse(interruptedSchema, JSON.parse(text ?? ''));
    // After a reboot everybody is started anyway.
    return read.success && read.output.bootId === clock.bootId() ? read.output : undefined;
  } catch {
    return undefined;
  }
}

export class Recover {
  readonly #options: RecoverOptions;
  readonly #setting: RecoverySetting;
  readonly #executors: Executors;
  readonly #queue: RecoveryEvent[] = [];
  readonly #path: string;
  #model: RecoveryModel;
  #running = false;
  /** Members that an agent before had stopped; no end of theirs was one for good. */
  readonly interrupted: readonly string[];

  constructor(options: RecoverOptions) {
    this.#options = options;
    const { config, hands, ledger } = options;
    const { clock, files } = hands.ports;
    this.#path = join(config.runDir, 'recovery.json');
    this.#setting = settingFor(options);
    const interrupted = readInterrupted(files.read(this.#path), clock);
    this.interrupted = interrupted?.members ?? [];
    const now = clock.monotonicMs();
    const remembered = { reboots: ledger.reboots(), interrupted };
    this.#model = initialRecovery(this.#setting, now, remembered);
    this.#executors = this.#deeds();
  }

  /** What is under way, for whoever asks at the till. */
  get operation(): { component: string; rung: Rung; phase: string } | undefined {
    const { operation, phase } = this.#model;
    return operation && { component: operation.component, rung: operation.rung, phase };
  }

  /** Whether the plan had it stopped, so that its end is not for good. */
  isMember(component: string): boolean {
    return this.#model.operation?.members.some(({ name }) => name === component) === true;
  }

  /** After each step of a component's machine. */
  hear(policy: Policy, model: Model, effects: readonly ComponentEffect[], now: number): void {
    for (const news of newsOf(this.#model, model, policy.stableMs, effects, now)) this.tell(news);
  }

  tick(): void {
    const { hands, ledger } = this.#options;
    this.tell({ kind: 'tick', uptimeMs: hands.ports.clock.bootMs(), totalMs: ledger.upMs() });
  }

  /** One at a time: an effect may answer at once. */
  tell(event: RecoveryEvent): void {
    this.#queue.push(event);
    if (this.#running) return;
    this.#running = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const now = this.#options.hands.ports.clock.monotonicMs();
      const { model, effects } = stepRecovery(this.#setting, this.#model, next, now);
      this.#model = model;
      for (const effect of effects) this.#perform(effect);
    }
    this.#running = false;
  }

  #perform(effect: RecoveryEffect): void {
    const execute = this.#executors[effect.kind] as (effect: RecoveryEffect) => void;
    execute(effect);
  }

  #deeds(): Executors {
    const { hands, ledger, config } = this.#options;
    const wish = (effect: RecoveryEffect): void => {
      const wanted = wishOf(effect);
      if (wanted !== undefined) hands.push(wanted.component, wanted.event);
    };
    return {
      stop: wish,
      start: wish,
      launch: wish,
      refuse: wish,
      answer: ({ command, ok, reason }) => hands.commandDone(command, ok, reason),
      hook: ({ component, incident }) => this.#reset(component, incident),
      note_reboot: ({ reboots }) => {
        const noted = ({ ok, reason = '' }: { ok: boolean; reason?: string }): void =>
          this.tell({ kind: 'noted', ok, reason });
        ledger
          .spendReboot(reboots)
          .then(noted, (error: unknown) => noted({ ok: false, reason: String(error) }));
      },
      reboot: ({ incident, reason }) => {
        const { reboot } = config.ladder;
        if (reboot === undefined) return;
        hands.log.warn(`the machine is rebooted: ${reason}`, { incident });
        const env = { ...hands.inherited, TILLWATCH_INCIDENT: incident };
        const { command, timeoutMs } = reboot;
        // Nobody waits for it: when the machine is still up later, the plan says so.
        hands.hooks.run(
          { kind: 'reboot', component: '', command, timeoutMs, env },
          () => undefined,
        );
      },
      remember: ({ reboots }) => ledger.setReboots(reboots),
      report: ({ event }) => {
        const { kind, component, fields } = event;
        hands.log.info(`${component === '' ? 'the till' : component}: ${kind}`, {
          component,
          ...fields,
        });
        hands.report(event);
      },
      persist: ({ interrupted }) => this.#persist(interrupted),
    };
  }

  #reset(component: string, incident: string): void {
    const { config } = this.#options;
    const found = config.components.find(({ name }) => name === component);
    const told = (ok: boolean, reason: string): void =>
      this.tell({ kind: 'hook', component, ok, reason });
    if (found?.reset === undefined) told(false, 'it has no reset hook');
    else this.#runReset(found, found.reset, incident, told);
  }

  #runReset(
    config: ComponentConfig,
    { command, timeoutMs }: NonNullable<ComponentConfig['reset']>,
    incident: string,
    told: (ok: boolean, reason: string) => void,
  ): void {
    const { hooks } = this.#options.hands;
    const env = hookEnvironment(config, incident, this.#options.hands);
    const { name: component, cwd } = config;
    hooks.run({ kind: 'reset', component, command, timeoutMs, cwd, env }, ({ ok, reason }) =>
      told(ok, reason),
    );
  }

  #persist(interrupted: Interrupted | undefined): void {
    const { ports, log } = this.#options.hands;
    if (interrupted === undefined) {
      ports.files.remove(this.#path);
      return;
    }
    const kept = JSON.stringify({ bootId: ports.clock.bootId(), ...interrupted });
    const written = ports.files.replace(this.#path, kept, 0o600);
    if (!written.ok) log.error(`recovery: ${written.reason}`);
  }
}
