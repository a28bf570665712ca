// What the agent holds of one component beside its model: the process that runs, the secrets it speaks with,
// its probes and the last it said. Plain state with the few questions that others ask about it; decisions
// are in watchdog/, deeds in act.ts.

import type { ComponentConfig } from '../configuration/config.ts';
import type { ComponentState } from '../protocol/events.ts';
import type { Expected } from './channel/admission.ts';
import { policyOf, type Till } from './policy.ts';
import type { Counted } from './restarts.ts';
import type { ComponentReading } from './telemetry/readings.ts';
import type { Life } from './watchdog/control.ts';
import { healthAgeMs, initialModel, type Model, type Remembered } from './watchdog/machine.ts';
import type { ComponentEvent, Policy } from './watchdog/model.ts';
import type { Probe } from './watchdog/probes.ts';

/** Said by a process whose start is not told yet; more than this no honest component says by then. */
export const EARLY_EVENTS_MAX = 200;

export class Component {
  readonly config: ComponentConfig;
  readonly policy: Policy;
  model: Model;
  /** The process, once its start is known. */
  life: Life | undefined;
  /** Of the process that runs or is being started. */
  identity: { readonly instance: string; readonly token: string } | undefined;
  /** Heard between a process's first word and the news that it was started. */
  early: ComponentEvent[] = [];
  probes: Probe[] = [];
  /** The newest answer of each probe, for evidence. */
  readonly answers = new Map<string, string>();
  status = '';
  /** Who wants to hear its status as it is said. */
  onStatus: (text: string) => void = () => undefined;
  /** Who wants the spans that it says. */
  onSpan: (otlp: Readonly<Record<string, unknown>>) => void = () => undefined;
  /** Open descriptors of the main process, as last counted. */
  descriptors: number | undefined;
  /** The version of the last life, until the next is begun: its end is told with it. */
  ran: string | undefined;
  /** Why it is in its state, and since when. */
  state: { readonly reason: string; readonly at: number } | undefined;
  /** Of the last life that ended, for as long as the agent lives. */
  #ended: string | undefined;
  /** As the component says it of itself, which counts more than what was configured. */
  #toldVersion: string | undefined;
  #metricsUrl: string | undefined;
  #loopDelayMsMax: number | undefined;
  /** As seen by samples since the agent began: each is a series from then on. */
  readonly #states = new Set<ComponentState>(['ready']);

  constructor(
    config: ComponentConfig,
    till: Till,
    remembered: Remembered,
    mayClimb?: () => boolean,
  ) {
    this.config = config;
    this.policy = policyOf(config, till, mayClimb);
    this.model = initialModel(this.policy, remembered);
  }

  get name(): string {
    return this.config.name;
  }

  /** Of the program that runs, or that has just ended; an adopted one keeps its own until it is started anew. */
  get version(): string {
    return this.#toldVersion ?? this.life?.version ?? this.ran ?? this.config.version;
  }

  /** The version that ran last and no longer does: of this one is what is counted when it is started again. */
  get ended(): string {
    return this.#ended ?? this.config.version;
  }

  statusTold(text: string): void {
    this.status = text;
    this.onStatus(text);
  }

  stateTold(reason: string, at: number): void {
    this.state = { reason, at };
  }

  expected(): Expected | undefined {
    if (this.identity === undefined || !this.config.channel) return undefined;
    const { beatMs, blockedMs: deadlineMs } = this.policy;
    return { ...this.identity, pid: this.life?.pid, beatMs, deadlineMs };
  }

  /** Ready, and its last sign of health is no older than it should be. */
  isCalm(now: number): boolean {
    const { instrumented, beatMs, blockedMs } = this.policy;
    const ageMs = healthAgeMs(this.model, now) ?? Number.POSITIVE_INFINITY;
    return this.model.state === 'ready' && ageMs <= (instrumented ? 1.5 * beatMs : blockedMs / 2);
  }

  beatTold(loopDelayMsMax: number): void {
    this.#loopDelayMsMax = Math.max(this.#loopDelayMsMax ?? 0, loopDelayMsMax);
  }

  /** Where its own metrics are: as configured, or as it said itself. */
  get metricsUrl(): string | undefined {
    return this.config.metricsUrl ?? this.#metricsUrl;
  }

  /** While no agent watched: its end and its next start are told of the version that it was. */
  died(version: string | undefined): void {
    this.ran = version;
    this.#ended = version;
  }

  versionTold(version: string | undefined): void {
    if (version !== undefined) this.#toldVersion = version;
  }

  readyTold(metricsUrl: string | undefined): void {
    this.#metricsUrl = metricsUrl;
  }

  /** The process is gone, and with it what was only true of it. */
  forget(): void {
    this.ran = this.life && this.version;
    this.#toldVersion = undefined;
    this.#ended = this.ran ?? this.#ended;
    for (const probe of this.probes) probe.stop();
    this.probes = [];
    this.answers.clear();
    this.early = [];
    this.life = undefined;
    this.identity = undefined;
    this.status = '';
    this.descriptors = undefined;
    this.#metricsUrl = undefined;
    this.#loopDelayMsMax = undefined;
  }

  /** For one sample of metrics; the longest delay counts from the reading before. */
  read(
    now: number,
    counted: Counted,
    usage: { residentBytes: number; cpuSeconds: number } | undefined,
  ): ComponentReading {
    const beatAgeMs = this.policy.instrumented ? healthAgeMs(this.model, now) : undefined;
    const loopDelayMsMax = this.#loopDelayMsMax;
    this.#loopDelayMsMax = undefined;
    const metricsUrl = this.life && this.metricsUrl;
    this.#states.add(this.model.state);
    return {
      name: this.name,
      version: this.config.version,
      runningVersion: this.version,
      state: this.model.state,
      states: this.#states,
      mode: this.policy.mode,
      ...counted,
      workInFlight: this.model.watch.work.size,
      ...(this.descriptors === undefined ? {} : { descriptors: this.descriptors }),
      ...(beatAgeMs === undefined ? {} : { beatAgeMs }),
      ...(loopDelayMsMax === undefined ? {} : { loopDelayMsMax }),
      ...(metricsUrl === undefined ? {} : { metricsUrl }),
      ...usage,
    };
  }
}
