// Brings the parts of the watchdog together: what components say, what the sweep sees and what processes do
// become events; the state machine answers with effects; act.ts does them. It also holds the plan: who
// may start now, and who may stop when everything stops. It decides nothing about a single component.

import { randomUUID } from 'node:crypto';
import { type Act, createAct, type Hands, onExit, takeOver } from './act.ts';
import type { Remains } from './budgets.ts';
import type { Expected, Said } from './channel/admission.ts';
import type { ChannelEvent } from './channel/server.ts';
import { Component, EARLY_EVENTS_MAX } from './component.ts';
import type { AgentConfig } from './config.ts';
import { isLoopbackUrl } from './config-words.ts';
import { Loop } from './loop.ts';
import { ordinaryLateMs } from './pause.ts';
import { planOf } from './policy.ts';
import type { RestartsByCause } from './restarts.ts';
import type { ComponentReading } from './telemetry/readings.ts';
import { type Remembered, step } from './watchdog/machine.ts';
import type { ComponentEvent } from './watchdog/model.ts';
import { mayStart, mayStop, type PlanItem, type States } from './watchdog/plan.ts';

/** Beyond all graces: for processes that the kernel does not let die. */
const STOP_ALL_EXTRA_MS = 15_000;

export type SupervisorOptions = {
  readonly config: AgentConfig;
  /** Without `push`, which is the supervisor's own. */
  readonly hands: Omit<Hands, 'push'>;
  /** `rested`: the version of it that ended for good under an earlier agent of this boot. */
  readonly remembered: (component: string) => Remembered & { readonly rested?: string | undefined };
  readonly restarts: (component: string) => RestartsByCause;
  /** Four times a second, after the components were looked at. */
  readonly onSweep: () => void;
  /** At the very end of each sweep, after everything was judged. */
  readonly onSwept: () => void;
};

type Stopping = {
  readonly reason: string;
  /** A component that is wanted again meanwhile is not asked twice: its restart is over already. */
  readonly asked: Set<string>;
  readonly done: () => void;
};

export class Supervisor {
  readonly #hands: Hands;
  readonly #options: SupervisorOptions;
  readonly #components = new Map<string, Component>();
  readonly #plan: readonly PlanItem[];
  readonly #act: Act;
  readonly #loop: Loop;
  /** Not yet started for the first time; a component that ended for good does not come back here. */
  readonly #toStart = new Set<string>();
  /** Ended for good, as their restart policy wants it; not what was stopped with the agent. */
  readonly #rested = new Set<string>();
  #stopping: Stopping | undefined;
  #sweeps = 0;

  constructor(options: SupervisorOptions) {
    const { config, hands, remembered } = options;
    this.#options = options;
    this.#hands = { ...hands, push: (name, event) => this.#loop.push(name, event) };
    this.#plan = planOf(config);
    this.#act = createAct(this.#hands);
    for (const component of config.components) {
      const { name, version, restart } = component;
      const before = remembered(name);
      this.#components.set(name, new Component(component, config, before));
      if (before.rested === version && restart !== 'permanent') this.#rested.add(name);
    }
    const { clock, timers } = hands.ports;
    this.#loop = new Loop({
      clock,
      timers,
      log: hands.log,
      handle: (name, event, now) => this.#handle(name, event, now),
      settled: () => this.#followPlan(),
      paused: (gapMs, now) => this.#paused(gapMs, now),
      lateMsMax: ordinaryLateMs(config.components.map(({ hang }) => hang.blockedMs)),
      observe: () => {
        this.#observe();
        this.#judge();
        options.onSwept();
      },
    });
  }

  expected(name: string): Expected | undefined {
    return this.#components.get(name)?.expected();
  }

  /** Takes over what an earlier agent left running. @returns the names. */
  async adoptAll(): Promise<string[]> {
    const adopted: string[] = [];
    for (const component of this.#components.values()) {
      const { name } = component;
      const found = await this.#hands.control.adopt(name, onExit(component, this.#hands));
      if (found === undefined) continue;
      if ('life' in found) {
        const { instance, pid } = found.life;
        takeOver(component, found.life, this.#hands);
        this.#hands.log.info(`${name} runs on as pid ${pid}`, { component: name, pid, instance });
        this.#loop.push(name, { kind: 'adopted', instance, pid, wasReady: found.wasReady });
        adopted.push(name);
        continue;
      }
      // It ran when the agent before ended, and died unwatched: a failure like any other.
      const unknown = { instance: randomUUID(), pid: 0, wasReady: true };
      this.#loop.push(name, { kind: 'adopted', ...unknown });
      this.#loop.push(name, { kind: 'exited', ...found.exited });
    }
    // Before anything is started: a component under its old name may hold the ports of the new one.
    await this.#hands.control.retireOthers(new Set(this.#components.keys()));
    return adopted;
  }

  /** Starts the rest, each as soon as what it needs is ready. */
  begin(): void {
    for (const { name, model } of this.#components.values()) {
      if (model.state === 'stopped' && !this.#rested.has(name)) this.#toStart.add(name);
    }
    this.#judge();
  }

  restart(component: string, reason: string, command: string): void {
    this.#loop.push(component, { kind: 'restart', reason, command, force: false });
  }

  /** Ends all in reverse order of their start. @returns the names of those that did not end. */
  async stopAll(reason: string): Promise<string[]> {
    this.#toStart.clear();
    const graces = [...this.#components.values()].map(({ policy }) => policy.stopGraceMs);
    const msMax = graces.reduce((sum, ms) => sum + ms, STOP_ALL_EXTRA_MS);
    await new Promise<void>((done) => {
      const cancel = this.#hands.ports.timers.after(msMax, done);
      const ended = (): void => {
        cancel();
        done();
      };
      this.#stopping = { reason, asked: new Set(), done: ended };
      this.#judge();
    });
    return this.alive();
  }

  /** Names of components with a process. */
  alive(): string[] {
    return [...this.#components.values()]
      .filter(({ life }) => life !== undefined)
      .map(({ name }) => name);
  }

  /** The files that present lives print to. */
  openOutput(name: string): string | undefined {
    return this.#components.get(name)?.life?.logFile;
  }

  readings(): ComponentReading[] {
    const { control, ports } = this.#hands;
    const now = ports.clock.monotonicMs();
    return [...this.#components.values()].map((component) => {
      const usage = component.life && control.usage(component.life);
      return component.read(now, this.#options.restarts(component.name), usage);
    });
  }

  /** What the next agent should know. */
  remains(): Map<string, Remains> {
    const all = [...this.#components.values()].map(({ name, model, config }) => {
      const rested = this.#rested.has(name) ? config.version : undefined;
      return [name, { restarts: model.restarts, rested }] as const;
    });
    return new Map(all);
  }

  loopStats(): ReturnType<Loop['stats']> {
    return this.#loop.stats();
  }

  /** Ends the watching, not what is watched. */
  end(): void {
    this.#loop.stop();
    for (const component of this.#components.values()) {
      for (const probe of component.probes) probe.stop();
    }
  }

  hear(event: ChannelEvent): void {
    const component = this.#components.get(event.component);
    if (component === undefined || event.kind === 'disconnected') return;
    if (component.identity?.instance !== event.instance) return;
    const told = event.kind === 'said' ? eventOf(component, event.message) : { kind: event.kind };
    if (told === undefined) return;
    if (component.life !== undefined) this.#loop.push(event.component, told);
    else if (component.early.length < EARLY_EVENTS_MAX) component.early.push(told);
  }

  #handle(name: string, event: ComponentEvent, now: number): void {
    const component = this.#components.get(name);
    if (component === undefined) return;
    const { model, effects } = step(component.policy, component.model, event, now);
    if (model.state !== 'stopped') this.#rested.delete(name);
    else if (component.model.state !== 'stopped' && !this.#stopping) this.#rested.add(name);
    component.model = model;
    for (const effect of effects) this.#act(component, effect);
  }

  /** Everything that was seen before the pause looks late: said before any other event. */
  #paused(gapMs: number, now: number): void {
    for (const component of this.#components.values()) {
      for (const probe of component.probes) probe.dropInFlight();
      this.#handle(component.name, { kind: 'paused', gapMs }, now);
    }
  }

  #observe(): void {
    const now = this.#hands.ports.clock.monotonicMs();
    this.#sweeps += 1;
    for (const component of this.#components.values()) {
      const { name, life } = component;
      // A component in good health is looked at every second time: three files each, the agent's main cost.
      const calm = component.isCalm(now) && this.#sweeps % 2 === 1;
      const sample = calm ? undefined : life && this.#hands.control.sample(life);
      if (sample !== undefined) this.#loop.push(name, { kind: 'sample', sample });
    }
    this.#options.onSweep();
  }

  #judge(): void {
    for (const name of this.#components.keys()) this.#loop.push(name, { kind: 'tick' });
  }

  #states(): States {
    return new Map([...this.#components].map(([name, { model }]) => [name, model.state]));
  }

  #followPlan(): void {
    const stopping = this.#stopping;
    if (stopping !== undefined) this.#followStop(stopping);
    else if (this.#toStart.size > 0) {
      for (const name of mayStart(this.#plan, this.#states())) {
        if (!this.#toStart.delete(name)) continue;
        this.#loop.push(name, { kind: 'start', reason: 'the agent starts it' });
      }
    }
  }

  #followStop({ reason, asked, done }: Stopping): void {
    const states = this.#states();
    for (const name of mayStop(this.#plan, states)) {
      if (asked.has(name)) continue;
      asked.add(name);
      this.#loop.push(name, { kind: 'stop', reason });
    }
    if ([...states.values()].every((state) => state === 'stopped')) done();
  }
}

/** What a component's word means to its state machine; the rest is only kept. */
function eventOf(component: Component, said: Said): ComponentEvent | undefined {
  switch (said.kind) {
    case 'ready': {
      const { metricsUrl } = said;
      // Scraping follows this address: it must not lead away from the machine.
      component.readyTold(metricsUrl && isLoopbackUrl(metricsUrl) ? metricsUrl : undefined);
      return { kind: 'ready' };
    }
    case 'beat':
      component.beatTold(said.loopDelayMsMax ?? 0);
      return { kind: 'beat', loopDelayMsMax: said.loopDelayMsMax ?? 0 };
    case 'status':
      component.status = said.text;
      return undefined;
    case 'stopping':
      component.status = 'stopping';
      return undefined;
    case 'evidence':
      return undefined;
    case 'end':
      return { kind: 'end', id: said.id };
    default:
      return said;
  }
}
