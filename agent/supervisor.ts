// Brings the parts of the watchdog together: what components say, what the sweep sees and what processes do
// become events; the state machine of each component answers with effects; act.ts does them. What takes more
// than one component is followed beside it: the order of starts and stops (order.ts) and recoveries
// (recover.ts). It decides nothing itself.

import { randomUUID } from 'node:crypto';
import type { AgentConfig } from '../configuration/config.ts';
import { type Act, createAct } from './act.ts';
import { type Remains, remainsOf } from './budgets.ts';
import type { Expected } from './channel/admission.ts';
import type { ChannelEvent } from './channel/server.ts';
import { Component, EARLY_EVENTS_MAX } from './component.ts';
import { Feeding } from './feeding.ts';
import type { Hands } from './hands.ts';
import { onExit, takeOver } from './launch.ts';
import { Loop } from './loop.ts';
import { Order } from './order.ts';
import { ordinaryLateMs } from './pause.ts';
import { planOf } from './policy.ts';
import { type RebootLedger, Recover } from './recover.ts';
import type { Counted } from './restarts.ts';
import { Rested } from './rested.ts';
import { eventOf } from './said.ts';
import type { ComponentReading } from './telemetry/readings.ts';
import { type Model, type Remembered, type RungUse, step } from './watchdog/machine.ts';
import type { ComponentEffect, ComponentEvent } from './watchdog/model.ts';
import { orderState, type States } from './watchdog/plan.ts';
import type { RecoveryEvent } from './watchdog/recovery.ts';
import { Watched } from './watched.ts';

/** Beyond all graces: for processes that the kernel does not let die. */
const STOP_ALL_EXTRA_MS = 15_000;
const STAYS_STOPPED = 'an operator has stopped it';

export type SupervisorOptions = {
  readonly config: AgentConfig;
  /** Without `push`, which is the supervisor's own. */
  readonly hands: Omit<Hands, 'push'>;
  /** `rested`: the version of it that ended for good under an earlier agent of this boot. */
  readonly remembered: (component: string) => Remembered & { readonly rested?: string | undefined };
  readonly counted: (component: string, version: string) => Counted;
  readonly ledger: RebootLedger;
  /** Four times a second, after the components were looked at. */
  readonly onSweep: () => void;
  /** At the very end of each sweep, after everything was judged. */
  readonly onSwept: () => void;
  /** Whether an operator wants it to stay stopped. */
  readonly isStopped?: (component: string) => boolean;
  /** After each step of a component's machine. */
  readonly onStep?: (
    component: Component,
    event: ComponentEvent,
    effects: readonly ComponentEffect[],
    before: Model,
    now: number,
  ) => void;
};

export class Supervisor {
  readonly #hands: Hands;
  readonly #options: SupervisorOptions;
  readonly watched: Watched;
  readonly #act: Act;
  readonly #loop: Loop;
  readonly #order: Order;
  readonly #recover: Recover;
  readonly #feeding: Feeding;
  readonly rested: Rested;
  #sweeps = 0;

  constructor(options: SupervisorOptions) {
    const { config, hands, ledger } = options;
    this.#options = options;
    this.#hands = { ...hands, push: (name, event) => this.#loop.push(name, event) };
    this.#act = createAct(this.#hands);
    const components = config.components.map(
      (one) => new Component(one, config, options.remembered(one.name), hands.mayClimb),
    );
    this.watched = new Watched(components);
    const policies = components.map(({ policy }) => policy);
    this.#recover = new Recover({ config, policies, hands: this.#hands, ledger });
    this.rested = new Rested(options, this.#recover.interrupted);
    this.#feeding = new Feeding({ components: this.watched.all, hands: this.#hands });
    this.#order = new Order({
      plan: planOf(config),
      states: () => this.#states(),
      push: (name, event) => this.#loop.push(name, event),
    });
    this.#loop = this.#openLoop();
  }

  #openLoop(): Loop {
    const { config, hands } = this.#options;
    const { clock, timers } = hands.ports;
    return new Loop({
      clock,
      timers,
      log: hands.log,
      handle: (name, event, now) => this.#handle(name, event, now),
      settled: () => this.#order.follow(),
      paused: (gapMs, now) => this.#paused(gapMs, now),
      lateMsMax: ordinaryLateMs(config.components.map(({ hang }) => hang.blockedMs)),
      observe: () => {
        this.#observe();
        this.#judge();
        this.#options.onSwept();
      },
    });
  }

  expected(name: string): Expected | undefined {
    return this.watched.find(name)?.expected();
  }

  tell(name: string, event: ComponentEvent): void {
    this.#loop.push(name, event);
  }

  /** Takes over what an earlier agent left running. @returns the names. */
  async adoptAll(): Promise<string[]> {
    const adopted: string[] = [];
    await this.#hands.hooks.endLeftovers();
    for (const component of this.components()) {
      const { name } = component;
      const found = await this.#hands.control.adopt(name, onExit(component, this.#hands));
      if (found === undefined) continue;
      if ('life' in found) {
        const { instance, pid } = found.life;
        takeOver(component, found.life, this.#hands);
        this.#hands.log.info(`${name} runs on as pid ${pid}`, { component: name, pid, instance });
        const { wasReady, turns } = found;
        this.#loop.push(name, { kind: 'adopted', instance, pid, wasReady, turns });
        adopted.push(name);
        continue;
      }
      // It ran when the agent before ended, and died unwatched: a failure like any other.
      component.died(found.version);
      const unknown = { instance: randomUUID(), pid: 0, wasReady: true };
      this.#loop.push(name, { kind: 'adopted', ...unknown });
      this.#loop.push(name, { kind: 'exited', ...found.exited });
    }
    // Before anything is started: a component under its old name may hold the ports of the new one.
    await this.#hands.control.retireOthers(this.watched.names());
    return adopted;
  }

  /** Starts the rest, each as soon as what it needs is ready. */
  begin(): void {
    for (const { name, model } of this.components()) {
      if (model.state === 'stopped') {
        if (!this.rested.isLeft(name)) this.#order.toStart(name);
      } else if (this.rested.isStopped(name)) {
        // The agent before did not live to see its end.
        this.#loop.push(name, { kind: 'stop', reason: STAYS_STOPPED, cause: 'operator' });
      }
    }
    this.#judge();
  }

  /** What takes more than one component, asked for by an operator. */
  plan(event: RecoveryEvent): void {
    this.#recover.tell(event);
  }

  /** A technician holds the till, or lets it go. */
  hold(active: boolean): void {
    this.#recover.tell({ kind: 'hold', active });
    const names = this.watched.all.map(({ name }) => name);
    this.#loop.pushAll(names, { kind: 'hold', active });
  }

  /** Ends all in reverse order of their start. @returns the names of those that did not end. */
  async stopAll(reason: string): Promise<string[]> {
    const graces = this.components().map(({ policy }) => policy.stopGraceMs);
    const msMax = graces.reduce((sum, ms) => sum + ms, STOP_ALL_EXTRA_MS);
    await new Promise<void>((done) => {
      const cancel = this.#hands.ports.timers.after(msMax, done);
      this.#order.stopAll(reason, () => {
        cancel();
        done();
      });
      this.#judge();
    });
    return this.alive();
  }

  /** Names of components with a process. */
  alive(): string[] {
    return this.components()
      .filter(({ life }) => life !== undefined)
      .map(({ name }) => name);
  }

  components(): readonly Component[] {
    return this.watched.configured();
  }

  get operation(): Recover['operation'] {
    return this.#recover.operation;
  }

  /** The files that present lives print to. */
  openOutput(name: string): string | undefined {
    return this.watched.find(name)?.life?.logFile;
  }

  readings(): ComponentReading[] {
    const { control, ports } = this.#hands;
    const { counted } = this.#options;
    const now = ports.clock.monotonicMs();
    return this.components().map((component) => {
      const { name, version, life } = component;
      const usage = life && control.usage(life);
      return component.read(now, counted(name, version), usage);
    });
  }

  /** What the next agent of this boot should know. */
  remains(): Map<string, Remains> {
    return remainsOf(this.components(), this.rested.names);
  }

  /** What any later agent should know: the rungs that were used. */
  uses(): Record<string, readonly RungUse[]> {
    const all = this.components().map(({ name, model }) => [name, model.uses]);
    return Object.fromEntries(all);
  }

  loopStats(): ReturnType<Loop['stats']> {
    return this.#loop.stats();
  }

  /** Ends the watching, not what is watched. */
  end(): void {
    this.#loop.stop();
    for (const component of this.watched.all) {
      for (const probe of component.probes) probe.stop();
    }
  }

  hear(event: ChannelEvent): void {
    const component = this.watched.find(event.component);
    if (component === undefined || event.kind === 'disconnected') return;
    if (component.identity?.instance !== event.instance) return;
    const told = event.kind === 'said' ? eventOf(component, event.message) : { kind: event.kind };
    if (told === undefined) return;
    if (component.life !== undefined) this.#loop.push(event.component, told);
    else if (component.early.length < EARLY_EVENTS_MAX) component.early.push(told);
  }

  #handle(name: string, event: ComponentEvent, now: number): void {
    const component = this.watched.find(name);
    if (component === undefined) return;
    const isGuest = this.watched.isGuest(name);
    // While everything is being stopped the plan starts nobody again.
    const isStart = event.kind === 'start' || event.kind === 'launch';
    if (isStart && (this.#order.isStopping || this.rested.isStopped(name))) return;
    const before = component.model;
    const { model, effects } = step(component.policy, before, event, now);
    const ended = model.state === 'stopped' && before.state !== 'stopped';
    const isForGood = ended && !this.#order.isStopping && !this.#recover.isMember(name);
    this.rested.hear(name, model.state, isForGood && !isGuest);
    component.model = model;
    for (const effect of effects) this.#act(component, effect);
    if (!isGuest) this.#recover.hear(component.policy, model, effects, now);
    this.#options.onStep?.(component, event, effects, before, now);
  }

  /** Everything that was seen before the pause looks late: said before any other event. */
  #paused(gapMs: number, now: number): void {
    this.#recover.tell({ kind: 'paused', gapMs });
    for (const component of this.watched.all) {
      for (const probe of component.probes) probe.dropInFlight();
      this.#handle(component.name, { kind: 'paused', gapMs }, now);
    }
  }

  #observe(): void {
    const now = this.#hands.ports.clock.monotonicMs();
    this.#sweeps += 1;
    for (const component of this.watched.all) {
      const { name, life } = component;
      // A component in good health is looked at every second time: three files each, the agent's main cost.
      const calm = component.isCalm(now) && this.#sweeps % 2 === 1;
      const sample = calm ? undefined : life && this.#hands.control.sample(life);
      if (sample !== undefined) this.#loop.push(name, { kind: 'sample', sample });
    }
    this.#feeding.look(now);
    this.#options.onSweep();
  }

  #judge(): void {
    for (const { name } of [...this.watched.all]) this.#loop.push(name, { kind: 'tick' });
    this.#recover.tick();
  }

  #states(): States {
    return new Map(this.components().map(({ name, model }) => [name, orderState(model)]));
  }
}
