// Intake of all components: each has a taker, which is given work in the one row in which output is looked at
// (output.ts), so that nothing is read while it is freed and a disk that hangs holds one thread. The agent's own log
// is a component like any other, read in a row of its own because nobody else touches it. Nothing is asked of the
// disk while nothing is printed: output is looked at anyway, and of its own log the agent knows when it wrote.

import { AGENT_LOG } from '../../../protocol/commands.ts';
import { addCounts, type Counts, NO_COUNTS, redactString } from '../../../redact/index.ts';
import type { Clock, Log, Timers } from '../../ports.ts';
import type { IntakeDisk } from '../../system/intake-files.ts';
import type { JournalRecord, JournalStore } from '../journal/types.ts';
import type { OwnFiles } from './own-files.ts';
import { Shadows } from './shadows.ts';
import { newBuffer, Taker } from './taker.ts';
import type { Keeper } from './taker-types.ts';
import type { Behind, Intake, ListenOptions, RecordCount, RecordListener } from './types.ts';
import { type LastWords, lastWords } from './words.ts';

/** Somebody looks on: four times a second. */
const URGENT_LOOK_MS = 250;
/** While catching up: as often as something may have been printed meanwhile. */
const LOOKS_MAX = 1_000;

export type IntakeOptions = {
  readonly store: JournalStore;
  readonly disk: IntakeDisk;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly components: readonly { readonly name: string; readonly version: string }[];
  /** Those that have output and are no longer configured: it is taken, too, and its files go. */
  readonly leftovers: readonly string[];
  readonly own: OwnFiles | undefined;
  readonly agentVersion: string;
  readonly stamp: () => string;
  readonly found: (counts: Counts) => void;
  /** Who counts lines has counted these when it resolves. */
  readonly beforeWipe: (component: string, path: string, to: number) => Promise<void>;
};

/** What looks at output, when intake wants one now. */
export type Presser = (component: string) => Promise<void>;

export class RealIntake implements Intake {
  readonly shadows = new Shadows();
  readonly words: LastWords;
  readonly #o: IntakeOptions;
  readonly #takers = new Map<string, Taker>();
  readonly #buffer = newBuffer();
  /** So many wait for what a component has printed. */
  readonly #forced = new Map<string, number>();
  readonly #listeners = new Map<RecordListener, ListenOptions>();
  #press: Presser = () => Promise.resolve();
  #ownRow: Promise<void> | undefined;
  /** Looked at once at least: the agent before may have written. */
  #ownLines = -1;
  #cancelUrgent: (() => void) | undefined;
  #isStopped = false;

  constructor(options: IntakeOptions) {
    this.#o = options;
    const { components, own } = options;
    this.words = lastWords(options.disk, (component, path) => {
      const taker = this.#takers.get(component);
      const lines = (most: number): readonly string[] => taker?.last.list(most, path) ?? [];
      return { lines, to: taker?.safeTo(path) ?? 0 };
    });
    for (const { name, version } of components) {
      this.#takers.set(
        name,
        this.#taker(name, () => version, true),
      );
    }
    for (const name of options.leftovers) {
      this.#takers.set(
        name,
        this.#taker(name, () => 'unknown', true),
      );
    }
    if (own !== undefined && !this.#takers.has(AGENT_LOG)) {
      this.#takers.set(
        AGENT_LOG,
        this.#taker(AGENT_LOG, () => options.agentVersion, false),
      );
    }
  }

  /** @param press asks for a look at a component's output and resolves when it is done. */
  begin(press: Presser): void {
    this.#press = press;
  }

  #taker(component: string, versionOf: (path: string) => string, wipes: boolean): Taker {
    const { store, disk, clock, timers, log, stamp, beforeWipe, own, agentVersion } = this.#o;
    return new Taker({
      ...{ component, store, disk, clock, timers, log, versionOf, stamp, wipes },
      // The own log has a row of its own.
      buffer: wipes ? this.#buffer : newBuffer(),
      ...(wipes || own === undefined ? {} : { since: { ...own.before, version: agentVersion } }),
      redact: (text) => this.#redact(text),
      emit: (record) => this.#tell(component, record),
      beforeWipe: (path, to) => beforeWipe(component, path, to),
      saw: (path, from, bytes) => this.shadows.saw(path, from, bytes),
    });
  }

  #redact(text: string): string {
    const { value, counts } = redactString(text);
    if (counts !== NO_COUNTS) this.#o.found(addCounts(NO_COUNTS, counts));
    return value;
  }

  #tell(component: string, record: JournalRecord): void {
    for (const [listener, { components }] of this.#listeners) {
      if (components !== undefined && !components.has(component)) continue;
      try {
        listener(component, record);
      } catch (error) {
        // Only a bug gets here; what is printed must still be taken.
        this.#listeners.delete(listener);
        this.#o.log.error('a listener of records failed', { reason: String(error) });
      }
    }
  }

  /** From the row in which output is looked at. @returns whether there is more at once. */
  async lookAt(component: string, keeper: Keeper): Promise<boolean> {
    const taker = this.#takers.get(component);
    if (taker === undefined) return false;
    return await taker.look(keeper, this.#forced.has(component));
  }

  readTo(component: string, path: string): number {
    return this.#takers.get(component)?.readTo(path) ?? 0;
  }

  takenTo(component: string, path: string): number {
    return this.#takers.get(component)?.takenTo(path) ?? 0;
  }

  began(component: string, path: string): void {
    this.shadows.close(path.slice(0, path.lastIndexOf('/')), path);
    const taker = this.#takers.get(component);
    if (taker !== undefined) taker.isUrgent = true;
  }

  look(component: string): void {
    if (!this.#isOwn(component)) void this.#press(component);
    else this.lookAtOwn();
  }

  /** Once a second; nothing is asked of the disk while there is nothing new and nothing held. */
  lookAtOwn(): void {
    for (const name of this.#o.leftovers) void this.#press(name);
    const lines = this.#o.own?.lines() ?? 0;
    const taker = this.#takers.get(AGENT_LOG);
    if (lines === this.#ownLines && taker?.behindBytes() === 0) return;
    this.#ownLines = lines;
    if (this.#isOwn(AGENT_LOG)) void this.#lookAtOwn();
  }

  #isOwn(component: string): boolean {
    const { components, leftovers } = this.#o;
    const isComponent = components.some(({ name }) => name === component);
    return component === AGENT_LOG && !isComponent && !leftovers.includes(component);
  }

  #lookAtOwn(): Promise<void> {
    this.#ownRow ??= this.#readOwn().finally(() => {
      this.#ownRow = undefined;
    });
    return this.#ownRow;
  }

  async #readOwn(): Promise<void> {
    const { own, log } = this.#o;
    if (own === undefined || this.#isStopped) return;
    try {
      const files = await own.list();
      const done = (): Promise<void> => Promise.resolve();
      const keeper: Keeper = { files, isAll: true, open: own.path, free: done, remove: done };
      await this.lookAt(AGENT_LOG, keeper);
    } catch (error) {
      // Only a bug gets here.
      log.error('the own log was not looked at', { reason: String(error) });
    }
  }

  async catchUp(components: readonly string[], msMax: number): Promise<void> {
    const known = components.filter((name) => this.#takers.has(name));
    let isOver = false;
    await new Promise<void>((done) => {
      const cancel = this.#o.timers.after(msMax, () => {
        isOver = true;
        done();
      });
      void Promise.all(known.map((name) => this.#catchUpOne(name, () => isOver)))
        .catch((error: unknown) => {
          this.#o.log.error('output could not be taken', { reason: String(error) });
        })
        .finally(() => {
          cancel();
          done();
        });
    });
  }

  async #catchUpOne(component: string, isOver: () => boolean): Promise<void> {
    this.#forced.set(component, (this.#forced.get(component) ?? 0) + 1);
    try {
      for (let look = 0; look < LOOKS_MAX && !isOver(); look += 1) {
        const before = this.#takers.get(component)?.behindBytes();
        await (this.#isOwn(component) ? this.#lookAtOwn() : this.#press(component));
        const after = this.#takers.get(component)?.behindBytes();
        // Nothing is left, or nothing goes on: half a line, or a disk that takes nothing.
        if (after === 0 || (look > 0 && after === before)) return;
      }
    } finally {
      const left = (this.#forced.get(component) ?? 1) - 1;
      if (left > 0) this.#forced.set(component, left);
      else this.#forced.delete(component);
    }
  }

  listen(listener: RecordListener, options: ListenOptions = {}): () => void {
    this.#listeners.set(listener, options);
    this.#lookUrgently();
    return () => {
      this.#listeners.delete(listener);
    };
  }

  #lookUrgently(): void {
    const wanted = new Set<string>();
    for (const { urgent, components } of this.#listeners.values()) {
      if (urgent !== true) continue;
      for (const name of components ?? this.#takers.keys()) wanted.add(name);
    }
    this.#cancelUrgent?.();
    this.#cancelUrgent = undefined;
    if (wanted.size === 0 || this.#isStopped) return;
    this.#cancelUrgent = this.#o.timers.after(URGENT_LOOK_MS, () => {
      const looks = [...wanted].map((name) =>
        this.#isOwn(name) ? this.#lookAtOwn() : this.#press(name),
      );
      void Promise.all(looks).finally(() => this.#lookUrgently());
    });
  }

  lastLines(component: string, linesMax: number, path?: string): readonly string[] {
    return this.#takers.get(component)?.last.list(linesMax, path) ?? [];
  }

  counts(): readonly RecordCount[] {
    return [...this.#takers.values()].flatMap((taker) => taker.counts());
  }

  behind(): readonly Behind[] {
    return [...this.#takers]
      .map(([component, taker]) => ({ component, bytes: taker.behindBytes() }))
      .filter(({ bytes }) => bytes > 0);
  }

  versionOf(component: string): string | undefined {
    const config = this.#o.components.find(({ name }) => name === component);
    const fallback = component === AGENT_LOG ? this.#o.agentVersion : undefined;
    return this.#takers.get(component)?.newestVersion() ?? config?.version ?? fallback;
  }

  async settled(): Promise<void> {
    await this.#ownRow;
  }

  /** The agent ends: what is printed by now is taken, and the journal is closed. */
  async end(msMax: number): Promise<void> {
    await this.catchUp([...this.#takers.keys()], msMax);
    this.stop();
    this.#o.store.close();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelUrgent?.();
    this.#listeners.clear();
  }
}

export const createIntake = (options: IntakeOptions): RealIntake => new RealIntake(options);
