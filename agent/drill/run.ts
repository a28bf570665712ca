// One drill on a component, from an idle till to a clean one: bring a guest in or wait until the real one is idle, let
// it fail, watch what the state machine does, see what is left, and put everything back whatever came of it. It
// only causes the fault and looks on: what heals is the watchdog itself, with the hands and defaults that it has
// for every component.

import { join } from 'node:path';
import type { DrillFault } from '../../protocol/commands.ts';
import type { DrillReport } from '../../protocol/drill.ts';
import type { NewEvent } from '../../protocol/events.ts';
import type { Component } from '../component.ts';
import { isBusy } from '../watchdog/machine.ts';
import type { ComponentEffect, ComponentEvent } from '../watchdog/model.ts';
import { isTender } from '../watchdog/tender.ts';
import type { Drill, DrillHands } from './hands.ts';
import { Patience } from './hands.ts';
import { beginFault, hear, hearHeld, hearOther, NEW_STORY, note, type Story } from './story.ts';
import { expectations, type Facts, isComplete, RULES, verdictOf } from './verdict.ts';

const IDLE_WAIT_MS_MAX = 120_000;
/** Ready and beating for so long before it is stopped. */
const WELL_MS = 1_200;
const START_MS_MAX = 30_000;
/** From its start until it says that it fails: 200 children take their time on a small machine. */
const PREPARE_MS_MAX = 60_000;
/** What comes after the end belongs to it: late evidence, a second failure. */
const SETTLE_MS = 1_000;
const LEFT_MS_MAX = 5_000;
const GONE_MS_MAX = 15_000;
const TIDY_MS = 1_000;
/** Until the last of a flood is looked at; blocks at the edges belong to nobody. */
const OUTPUT_MS_MAX = 15_000;
const SEEN_RATIO = 0.95;
/** A kept byte is a block of the file system, and the newest second is not yet looked at. */
const KEPT_SLACK_BYTES = 4 * 1024 * 1024;
/** A holder lets go later than this after the kill (terminal/drill, HOLD_AFTER_MS); who was ended, sooner. */
const FREED_MS_MAX = 2_500;

export type DrillSetting = {
  readonly id: string;
  readonly fault: DrillFault;
  readonly component: Component;
  readonly isGuest: boolean;
  readonly marker: string;
};

export class ComponentDrill implements Drill {
  readonly #hands: DrillHands;
  readonly #setting: DrillSetting;
  readonly #patience: Patience;
  #story: Story = NEW_STORY;
  #state: DrillReport['state'] = 'waiting';
  #verdict = 'it has not begun';
  #numbers: Record<string, number> = {};
  #left: readonly number[] = [];
  /** The life that failed. */
  #failed: string | undefined;
  #passive: DrillReport['passive'];
  #droppedBefore = 0;
  /** What comes now is the end that it is given. */
  #isOver = false;

  constructor(setting: DrillSetting, hands: DrillHands) {
    this.#setting = setting;
    this.#hands = hands;
    this.#patience = new Patience(hands.ports);
  }

  get #now(): number {
    return this.#hands.ports.clock.monotonicMs();
  }

  end(reason: string): void {
    this.#patience.ended ??= reason;
  }

  /** Every step of every component. */
  step(component: Component, event: ComponentEvent, effects: readonly ComponentEffect[]): void {
    if (this.#isOver) return;
    const { name, model } = component;
    if (component === this.#setting.component) {
      const { condemned } = model;
      this.#story = hear(this.#story, { event, effects, condemned }, this.#now);
    } else if (effects.length > 0) this.#story = hearOther(this.#story, name, effects);
  }

  /** What is told beside the state machine. */
  told(event: NewEvent): void {
    if (event.kind !== 'resource_held' || event.component !== this.#setting.component.name) return;
    const { what, pid, comm } = event.fields;
    const by = pid === undefined ? 'a process that hides' : `${comm ?? 'a process'} (pid ${pid})`;
    this.#story = hearHeld(this.#story, what, by, this.#now);
  }

  async run(): Promise<DrillReport> {
    const { isGuest, component, fault } = this.#setting;
    if (!isGuest && !(await this.#untilIdle(component))) {
      this.#state = 'refused';
      this.#verdict =
        this.#patience.ended ??
        `${component.name} was not ready and idle within ${IDLE_WAIT_MS_MAX / 1_000} s: nothing was done`;
      return this.report();
    }
    this.#state = 'running';
    this.#verdict = 'it is under way';
    let trouble: string | undefined;
    let facts = this.#facts();
    try {
      trouble = await this.#course();
      facts = this.#facts();
    } finally {
      this.#isOver = true;
      await this.#restore();
    }
    const expected = expectations(fault, this.#story, facts);
    const { state, verdict } = verdictOf(fault, this.#story, expected, trouble);
    this.#state = state;
    this.#verdict = verdict;
    return { ...this.report(), expectations: expected };
  }

  async #untilIdle(component: Component): Promise<boolean> {
    const isIdle = (): boolean => {
      const { state, busy, watch } = component.model;
      const hasTender = [...watch.work.values()].some(({ name }) => isTender(name));
      return state === 'ready' && !isBusy({ busy }, this.#now) && !hasTender;
    };
    return await this.#patience.until(IDLE_WAIT_MS_MAX, isIdle);
  }

  /** @returns why it cannot be judged by what was seen, if so. */
  async #course(): Promise<string | undefined> {
    const { fault } = this.#setting;
    const { timeoutMs } = RULES[fault];
    const trouble = await this.#fail();
    if (trouble !== undefined) return this.#patience.ended ?? trouble;
    const isOver = (): boolean => isComplete(fault, this.#story, this.#facts());
    if (!(await this.#patience.until(timeoutMs, isOver))) {
      return this.#patience.ended ?? `it was not over after ${timeoutMs / 1_000} s`;
    }
    await this.#patience.pause(SETTLE_MS);
    await this.#seeWhatIsLeft();
    return undefined;
  }

  async #fail(): Promise<string | undefined> {
    const { component, isGuest, fault } = this.#setting;
    const { supervisor, control } = this.#hands;
    if (isGuest) this.#begin(component);
    const isReady = (): boolean => component.model.state === 'ready';
    if (!(await this.#patience.until(START_MS_MAX, isReady))) {
      return `${component.name} was not ready in ${START_MS_MAX / 1_000} s: ${component.state?.reason ?? ''}`;
    }
    if (fault !== 'stop') {
      const hasFailed = (): boolean => this.#story.faultAt !== undefined;
      if (await this.#patience.until(PREPARE_MS_MAX, hasFailed)) return undefined;
      return 'it did not fail as it was told';
    }
    if (isGuest) await this.#patience.pause(WELL_MS);
    const { life } = component;
    if (life === undefined || !supervisor.watched.all.includes(component)) return 'it is gone';
    this.#faultBegins('it is stopped by SIGSTOP');
    return control.freeze(life, true) ? undefined : 'it could not be stopped';
  }

  #begin(component: Component): void {
    const { supervisor, isHeld } = this.#hands;
    component.onStatus = (text) => this.#heard(text);
    supervisor.watched.admit(component);
    if (isHeld()) supervisor.tell(component.name, { kind: 'hold', active: true });
    supervisor.tell(component.name, { kind: 'start', reason: 'a drill starts it' });
    this.#droppedBefore = this.#dropped();
    this.#keepTidy(component);
  }

  /** Its output, as that of every component, for as long as it is here. */
  #keepTidy(component: Component): void {
    const { output, ports, supervisor } = this.#hands;
    if (!supervisor.watched.isGuest(component.name)) return;
    output.tidy(component.name, component.life?.logFile);
    ports.timers.after(TIDY_MS, () => this.#keepTidy(component));
  }

  /** What the part of the drill says of itself. */
  #heard(text: string): void {
    const [word = '', first = '', second = ''] = text.split(/:? /);
    if (word === 'failing' && this.#story.faultAt === undefined) {
      this.#faultBegins(`it fails: ${first}`);
    } else if (word === 'flooded') {
      this.#numbers['printedBytes'] = Number(first);
      this.#numbers['floodMs'] = Number(second);
      this.#story = note(this.#story, `it has printed ${first} bytes in ${second} ms`, this.#now);
      void this.#measureOutput();
    }
  }

  #faultBegins(text: string): void {
    const { component, fault } = this.#setting;
    this.#failed = component.life?.instance;
    this.#story = beginFault(this.#story, text, this.#now);
    if (fault !== 'fork') return;
    // Its main process and the shim are none.
    this.#numbers['children'] = this.#hands.control.marked(component.name).length - 2;
  }

  #reading() {
    const { output } = this.#hands;
    return output.readings().find(({ component }) => component === this.#setting.component.name);
  }

  #dropped(): number {
    return Object.values(this.#reading()?.dropped ?? {}).reduce((sum, bytes) => sum + bytes, 0);
  }

  async #measureOutput(): Promise<void> {
    const max = this.#hands.config.output.bytesMax + KEPT_SLACK_BYTES;
    const kept = (): number => this.#reading()?.bytes ?? Number.POSITIVE_INFINITY;
    const dropped = (): number => this.#dropped() - this.#droppedBefore;
    const printed = this.#numbers['printedBytes'] ?? 0;
    const isAllSeen = (): boolean => dropped() + kept() >= printed * SEEN_RATIO && kept() <= max;
    await this.#patience.until(OUTPUT_MS_MAX, isAllSeen);
    const [keptBytes, droppedBytes] = [kept(), dropped()];
    this.#numbers = { ...this.#numbers, keptBytesMax: max, keptBytes, droppedBytes };
    const text = `${droppedBytes} bytes of it are given up, ${keptBytes} are kept`;
    this.#story = note(this.#story, text, this.#now);
  }

  async #seeWhatIsLeft(): Promise<void> {
    const { component } = this.#setting;
    const look = (): boolean => {
      this.#left = this.#hands.control.marked(component.name, component.life?.instance);
      return this.#left.length === 0;
    };
    await this.#patience.until(LEFT_MS_MAX, look, SETTLE_MS);
    const count = this.#left.length;
    const text =
      count === 0 ? 'nothing of it is left behind' : `${count} processes are left behind`;
    this.#story = note(this.#story, text, this.#now);
  }

  #facts(): Facts {
    const { component } = this.#setting;
    const { phases } = this.#story;
    const waitedMs = (phases.ready ?? Number.POSITIVE_INFINITY) - (phases.killed ?? 0);
    if (waitedMs < FREED_MS_MAX) this.#numbers['freed'] = 1;
    const mode = component.policy.mode === 'observe' ? 'observe' : undefined;
    this.#passive = this.#hands.isHeld() ? 'hold' : mode;
    const isSame = this.#failed !== undefined && component.life?.instance === this.#failed;
    return { passive: this.#passive, left: this.#left, isSame, numbers: this.#numbers };
  }

  /** In every case, and again if it was done already: nothing of a drill may stay. */
  async #restore(): Promise<void> {
    const { component, isGuest, marker } = this.#setting;
    const { control, supervisor, files, config, ports } = this.#hands;
    const { name, life } = component;
    if (life !== undefined && life.instance === this.#failed) control.freeze(life, false);
    if (!isGuest) return;
    supervisor.tell(name, { kind: 'stop', reason: 'the drill is over' });
    // Also when it was ended: the agent waits for this, because nobody else knows of the guest.
    const patience = new Patience(ports);
    await patience.until(GONE_MS_MAX, () => component.model.state === 'stopped' && !component.life);
    await control.endMarked(name);
    supervisor.watched.dismiss(name);
    ports.files.remove(marker);
    const logs = await files.list(join(config.logDir, name));
    for (const { path } of logs) await files.remove(path);
  }

  report(): DrillReport {
    const { id, fault, component } = this.#setting;
    const { phases, cause, reason, evidence, held, steps } = this.#story;
    const { restarts } = component.model;
    const { target } = RULES[fault];
    const { freed: _own, ...numbers } = this.#numbers;
    return {
      ...{
        drill: id,
        fault,
        component: component.name,
        state: this.#state,
        verdict: this.#verdict,
      },
      ...{ steps: [...steps], phases, numbers, expectations: [] },
      ...(this.#passive === undefined ? {} : { passive: this.#passive }),
      ...(target === undefined || this.#passive !== undefined ? {} : { target }),
      ...(cause === undefined ? {} : { cause }),
      ...(reason === undefined ? {} : { reason }),
      ...(evidence === undefined ? {} : { evidence }),
      leftBehind: { processes: [...this.#left], held: [...held] },
      budget: { used: restarts.length, of: component.policy.restartsMax },
    };
  }
}
