// Where drills are asked for: at the till or by a command of an operator. Says no with a sentence where the till's own
// configuration does not allow them, where one is under way, or where it would do harm; else it runs one, tells
// the fleet that it began and how it ended, and keeps the last report for whoever asks. A note in the run folder
// lets the next agent clean up after one that was killed in the middle.

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import * as v from 'valibot';
import { DRILL_FAULTS, type DrillFault } from '../../protocol/commands.ts';
import { DRILL_COMPONENT, type DrillReport, isDrillFault } from '../../protocol/drill.ts';
import type { EventFields, NewEvent } from '../../protocol/events.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Component } from '../component.ts';
import { limitsFor } from '../low-disk.ts';
import type { ComponentEffect, ComponentEvent } from '../watchdog/model.ts';
import { ballastPath, ballastPlan, DiskDrill } from './ballast.ts';
import { createGuest, findPart, findPort, LEAK_FREE_BYTES } from './guest.ts';
import type { Drill, DrillHands } from './hands.ts';
import { ComponentDrill } from './run.ts';

/** What a flood writes before the first of it is given up, with room to spare (terminal/drill, FLOOD_BYTES). */
const FLOOD_FREE_BYTES = 400 * 1024 * 1024;
const NOTE_BYTES_MAX = 4 * 1024;
const MEMINFO_BYTES_MAX = 4 * 1024;
const SEED_MAX = 2 ** 31;

export const DRILLS_NOT_ALLOWED =
  "drills are not allowed here: this till's own configuration does not say drills: true";

const ENDING = 'the agent ends just now';

const noteSchema = v.object({
  drill: v.string(),
  fault: v.picklist(DRILL_FAULTS),
  component: v.string(),
});
type Note = v.InferOutput<typeof noteSchema>;

export type DrillWish = {
  readonly fault: unknown;
  readonly component?: unknown;
  /** Who and why, for the log. */
  readonly reason: string;
  /** Of the command that asks for it. */
  readonly command?: string | undefined;
};

export class DrillDesk {
  readonly #hands: DrillHands;
  readonly #notePath: string;
  readonly #marker: string;
  #drill: Drill | undefined;
  #running: Promise<void> | undefined;
  #last: DrillReport | undefined;
  /** Between the wish and the beginning: the disk is asked. */
  #asking = false;
  #hasEnded = false;

  constructor(hands: DrillHands) {
    const { runDir } = hands.config;
    this.#hands = hands;
    this.#notePath = join(runDir, 'drill.json');
    this.#marker = join(runDir, 'drill.failed');
  }

  /** The one that runs, or the last. */
  view(): DrillReport | undefined {
    return this.#drill?.report() ?? this.#last;
  }

  get isRunning(): boolean {
    return this.#drill !== undefined || this.#asking;
  }

  /** For whoever looks at the till meanwhile. */
  get what(): { fault: string; component: string } {
    const { fault = '', component = '' } = this.#drill?.report() ?? {};
    return { fault, component };
  }

  step(component: Component, event: ComponentEvent, effects: readonly ComponentEffect[]): void {
    if (this.#drill instanceof ComponentDrill) this.#drill.step(component, event, effects);
  }

  told(event: NewEvent): void {
    if (this.#drill instanceof ComponentDrill) this.#drill.told(event);
  }

  /** Once, after everything was adopted: what an agent that was killed in a drill has left. */
  async recall(): Promise<void> {
    const { config, control, files, ports, log, report } = this.#hands;
    const noted = this.#readNote();
    await files.remove(ballastPath(config.dataDir));
    ports.files.remove(this.#marker);
    if (noted === undefined) return;
    const { drill, fault, component } = noted;
    log.warn('an agent was ended in the middle of a drill', { drill, fault, component });
    if (component === DRILL_COMPONENT) {
      const left = await control.endMarked(component);
      if (left.length > 0) log.error('processes of a drill do not die', { left });
      for (const { path } of await files.list(join(config.logDir, component))) {
        await files.remove(path);
      }
    } else this.#thaw(component);
    ports.files.remove(this.#notePath);
    const reason = 'the agent was ended in the middle of it';
    report({ kind: 'drill', component, fields: { drill, fault, phase: 'failed', reason } });
  }

  /** In act it would be healed as any other; where the watchdog only observes, nobody else would wake it. */
  #thaw(name: string): void {
    const { supervisor, control } = this.#hands;
    const life = supervisor.watched.find(name)?.life;
    if (life !== undefined) control.freeze(life, false);
  }

  #readNote(): Note | undefined {
    const { ports } = this.#hands;
    try {
      const text = ports.files.read(this.#notePath, NOTE_BYTES_MAX);
      const read = v.safeParse(noteSchema, JSON.parse(text ?? ''));
      return read.success ? read.output : undefined;
    } catch {
      return undefined;
    }
  }

  /** @returns its first report, or why it is refused. */
  async begin(wish: DrillWish): Promise<Result<DrillReport>> {
    const refused = this.#refusal(wish);
    if (refused !== undefined) return fail(refused);
    const fault = wish.fault as DrillFault;
    this.#asking = true;
    const scarce = await this.#scarcity(fault).finally(() => {
      this.#asking = false;
    });
    if (scarce !== undefined) return fail(scarce);
    if (this.#hasEnded) return fail(ENDING);
    const drill = this.#open(fault, wish.component as string | undefined);
    if (!drill.ok) return drill;
    this.#drill = drill.value;
    const { log } = this.#hands;
    log.warn(`a drill begins: ${fault}`, { reason: wish.reason, component: wish.component });
    this.#running = this.#run(drill.value, wish.command);
    return ok(drill.value.report());
  }

  #refusal({ fault, component }: DrillWish): string | undefined {
    const { config, supervisor } = this.#hands;
    if (!config.drills) return DRILLS_NOT_ALLOWED;
    if (this.#hasEnded) return ENDING;
    if (!isDrillFault(fault)) return `a drill is one of: ${DRILL_FAULTS.join(', ')}`;
    if (this.isRunning) return 'a drill is under way: one at a time';
    if (component === undefined) {
      const isTaken = supervisor.watched.find(DRILL_COMPONENT) !== undefined;
      return isTaken ? `a component here is called ${DRILL_COMPONENT}` : undefined;
    }
    if (fault !== 'stop') {
      return 'only stop can be drilled on a component of the till: nothing else can be taken back';
    }
    const isKnown = typeof component === 'string' && supervisor.watched.names().has(component);
    return isKnown ? undefined : 'no component is called so here';
  }

  /** @returns what there is too little of. */
  async #scarcity(fault: DrillFault): Promise<string | undefined> {
    const { config, readSpace, ports } = this.#hands;
    if (fault === 'leak') {
      const text = ports.files.read('/proc/meminfo', MEMINFO_BYTES_MAX) ?? '';
      const kibibytes = Number(/^MemAvailable: +(\d+) kB/m.exec(text)?.[1] ?? Number.NaN);
      const isScarce = kibibytes * 1024 < LEAK_FREE_BYTES;
      return isScarce ? 'this machine has too little memory free for a leak' : undefined;
    }
    if (fault !== 'log-flood' && fault !== 'disk-full') return undefined;
    const folder = fault === 'log-flood' ? config.logDir : config.dataDir;
    const reading = (await readSpace(folder)) ?? (await readSpace(config.dataDir));
    if (reading === undefined) return 'the disk does not say how much is free';
    if (fault === 'disk-full') {
      const plan = ballastPlan(reading, config.disk);
      return plan.ok ? undefined : plan.reason;
    }
    const { lowBytes } = limitsFor(config.disk, reading.totalBytes);
    const isScarce = reading.readOnly || reading.freeBytes < lowBytes + FLOOD_FREE_BYTES;
    return isScarce ? 'the disk has too little room for a flood' : undefined;
  }

  #open(fault: DrillFault, name: string | undefined): Result<Drill> {
    const { config, supervisor, ports, version } = this.#hands;
    const id = randomUUID();
    if (fault === 'disk-full') return ok(new DiskDrill(id, this.#hands));
    const known = name === undefined ? undefined : supervisor.watched.find(name);
    const common = { id, fault, marker: this.#marker };
    if (known !== undefined) {
      return ok(new ComponentDrill({ ...common, component: known, isGuest: false }, this.#hands));
    }
    const part = findPart(ports.files);
    if (part === undefined) return fail("the drill's own program is not installed here");
    const port = fault === 'port-held' ? findPort(ports.files, ports.random) : undefined;
    if (fault === 'port-held' && port === undefined) return fail('no port is free for it');
    const seed = Math.floor(ports.random() * SEED_MAX);
    const about = { fault, part, port, version, seed, marker: this.#marker, till: config };
    const component = createGuest(about);
    return ok(new ComponentDrill({ ...common, component, isGuest: true }, this.#hands));
  }

  #tell(report: DrillReport, phase: EventFields<'drill'>['phase'], detail?: DrillReport): void {
    const { drill, fault, component, verdict: reason } = report;
    const fields = { drill, fault, phase, reason, ...(detail === undefined ? {} : { detail }) };
    this.#hands.report({ kind: 'drill', component, fields });
  }

  async #run(drill: Drill, command: string | undefined): Promise<void> {
    const { ports, log, commandDone } = this.#hands;
    const first = drill.report();
    const { drill: id, fault, component } = first;
    ports.files.remove(this.#marker);
    const noted: Note = { drill: id, fault, component };
    const written = ports.files.replace(this.#notePath, JSON.stringify(noted), 0o600);
    if (!written.ok) log.warn(`a drill that this agent does not outlive: ${written.reason}`);
    this.#tell({ ...first, verdict: 'it was asked for' }, 'begun');
    // Only a bug gets here: the till must go on, and the next drill must be possible.
    const report = await drill.run().catch((error: unknown): DrillReport => {
      log.error('a drill broke off', { drill: id, reason: String(error) });
      return { ...drill.report(), state: 'failed', verdict: 'it broke off: see the log' };
    });
    ports.files.remove(this.#notePath);
    const isPassed = report.state === 'passed';
    this.#last = report;
    this.#drill = undefined;
    log.warn(`a drill ends: ${fault} ${report.state}: ${report.verdict}`, { drill: id });
    this.#tell(report, isPassed ? 'passed' : 'failed', report);
    if (command !== undefined) commandDone(command, isPassed, report.verdict, report);
  }

  /** The agent ends. @returns when nothing of a drill is left. */
  async end(reason: string): Promise<void> {
    this.#hasEnded = true;
    this.#drill?.end(reason);
    await this.#running;
  }
}
