// A till on which documents are tried and whose agent is killed between any two steps, whose disk fails as it likes and
// whose clock on the wall does not count. The machine is the real one; disk, agent and components are as small as they
// can be. The rules are looked at after each step, from what lies on the disk and from what was told.

import { step } from '../../agent/configuration/machine.ts';
import {
  ATTEMPTS_MAX,
  type Effect,
  type Event,
  INITIAL,
  type Model,
} from '../../agent/configuration/model.ts';
import type { Document, Found, Notes, Trial, Which } from '../../agent/configuration/types.ts';
import { dice } from './dice.ts';

/** What lies there survives everything; each change is whole or not at all. */
type Disk = { notes?: Notes; trial?: Document; good?: Document; previous?: Document };
type Text = 'works' | 'never ready' | 'kills the agent' | 'unreadable';
export type Machine = (model: Model, event: Event, now: number) => ReturnType<typeof step>;

const READY_MS = 60_000;
const STEPS_MAX = 6_000;
const LOOK_MS = 1_000;

export class Broken extends Error {}

export class World {
  readonly #dice;
  readonly #machine: Machine;
  readonly #texts = new Map<string, Text>();
  readonly disk: Disk = {};
  readonly ends = new Map<string, string>();
  /** Agents that began under each text before it was kept. */
  readonly #begun = new Map<string, number>();
  #kept: string[] = [];
  #now = 0;
  #model: Model = INITIAL;
  #queue: Event[] = [];
  /** What the running agent runs under. */
  #runs: Document | 'own' | undefined;
  #documents = 0;
  #full = false;
  kills = 0;

  constructor(seed: number, machine: Machine = step) {
    this.#dice = dice(seed);
    this.#machine = machine;
  }

  run(): void {
    const { chance, below } = this.#dice;
    this.#begin();
    for (let turn = 0; turn < STEPS_MAX; turn += 1) {
      const isQuiet = turn > STEPS_MAX - 1_500;
      if (isQuiet) this.#full = false;
      else if (chance(0.01)) this.#full = !this.#full;
      if (!isQuiet && chance(0.02)) this.#kill();
      if (this.#runs !== undefined && this.#queue.length === 0) {
        this.#now += below(2) * LOOK_MS + 100;
        if (!isQuiet && chance(0.02)) this.#receive();
        else this.#queue.push(this.#look());
      }
      const event = this.#queue.shift();
      if (event !== undefined) this.#tell(event);
      this.#check();
    }
    this.#checkEnd();
  }

  #textOf = ({ sha256 }: Document): Text => this.#texts.get(sha256) ?? 'works';

  #receive(): void {
    this.#documents += 1;
    const document = { name: 'shop', version: this.#documents, sha256: `${this.#documents}` };
    const texts = ['works', 'works', 'never ready', 'kills the agent', 'unreadable'] as const;
    this.#texts.set(document.sha256, this.#dice.pick(texts));
    const command = `c-${document.sha256}`;
    const trial: Trial = {
      ...{ document, command, attempts: 0, readyMs: READY_MS, needed: ['sale'], restarted: [] },
    };
    this.#queue.push({ kind: 'received', trial });
  }

  #look(): Event {
    const text = this.#runs === 'own' || !this.#runs ? 'works' : this.#textOf(this.#runs);
    const isUp = text === 'works' && !this.#dice.chance(0.01);
    return { ...{ kind: 'look', unready: isUp ? [] : ['sale'], quarantined: [], held: false } };
  }

  #kill(): void {
    this.kills += 1;
    this.#runs = undefined;
    this.#queue = [];
    this.#model = INITIAL;
    this.#begin();
  }

  #begin(): void {
    this.#runs = undefined;
    this.#model = INITIAL;
    const { notes, trial, good, previous } = this.disk;
    const found: Found = { notes, trial, good, previous };
    this.#queue = [{ kind: 'found', found }];
  }

  #tell(event: Event): void {
    const { model, effects } = this.#machine(this.#model, event, this.#now);
    this.#model = model;
    const life = this.kills;
    for (const effect of effects) {
      // Killed before a deed, or after it and before anybody knows.
      if (this.#dice.chance(0.01)) this.#kill();
      if (this.kills === life) this.#perform(effect);
      if (this.kills === life && this.#dice.chance(0.01)) this.#kill();
    }
  }

  #written(change: () => void): { ok: boolean; reason: string } {
    if (this.#full) return { ok: false, reason: 'full' };
    change();
    return { ok: true, reason: '' };
  }

  #perform(effect: Effect): void {
    const { disk } = this;
    switch (effect.kind) {
      case 'write':
        this.#queue.push({
          ...{
            kind: 'written',
            ...this.#written(() => Object.assign(disk, { trial: effect.document })),
          },
        });
        return;
      case 'rename':
        this.#queue.push({
          ...{
            kind: 'written',
            ...this.#written(() => Object.assign(disk, { good: effect.document })),
          },
        });
        return;
      case 'note':
        this.#queue.push({
          ...{
            kind: 'noted',
            ...this.#written(() => Object.assign(disk, { notes: effect.notes })),
          },
        });
        return;
      case 'promote':
        this.#queue.push({ kind: 'promoted', ...this.#written(() => this.#promote()) });
        return;
      case 'drop':
        if (!this.#full) delete disk.trial;
        return;
      case 'use':
        this.#use(effect.which);
        return;
      case 'stop':
        this.#queue.push(
          this.#dice.chance(0.1) ? { kind: 'stuck', reason: 'busy' } : { kind: 'stopped' },
        );
        if (effect.why === 'back') this.#queue.push({ kind: 'stopped' });
        return;
      case 'anew':
        this.#begin();
        return;
      case 'tell':
        this.#end(effect.outcome.command, effect.outcome.what);
        this.#queue.push({ kind: 'told' });
        return;
      case 'answer':
        this.#end(effect.command, effect.ok ? 'kept' : 'refused');
        return;
      default:
    }
  }

  #promote(): void {
    const { disk } = this;
    if (disk.trial === undefined) throw new Broken('nothing is there to be kept');
    if (disk.good !== undefined) disk.previous = disk.good;
    disk.good = disk.trial;
    this.#kept.push(disk.good.sha256);
    delete disk.trial;
  }

  #use(which: Which): void {
    const document = which === 'own' ? undefined : this.disk[which];
    if (which !== 'own' && document === undefined) throw new Broken(`${which} is not there`);
    const text = document && this.#textOf(document);
    if (text === 'unreadable') {
      this.#queue.push({ kind: 'unfit', which, reason: 'no' });
      return;
    }
    if (this.#runs !== undefined) throw new Broken('two texts are in force');
    if (which === 'trial' && document !== undefined) {
      const times = (this.#begun.get(document.sha256) ?? 0) + 1;
      this.#begun.set(document.sha256, times);
      if (times > ATTEMPTS_MAX) throw new Broken(`attempt ${times}`);
    }
    this.#runs = document ?? 'own';
    this.#queue.push({ kind: 'fits', which, document });
    if (which === 'trial' && text === 'kills the agent') this.#kill();
  }

  #end(command: string, what: string): void {
    if (command === '') return;
    const known = this.ends.get(command);
    // Told twice is one answer; two different ones are none.
    if (known !== undefined && known !== what) throw new Broken(`${command}: ${known} and ${what}`);
    this.ends.set(command, what);
  }

  #check(): void {
    const { good, notes } = this.disk;
    const [newest] = this.#kept.slice(-1);
    if (newest !== undefined && good?.sha256 !== newest) throw new Broken('the last good is lost');
    if (good !== undefined && this.#textOf(good) !== 'works')
      throw new Broken('a bad one was kept');
    if ((notes?.trial?.attempts ?? 0) > ATTEMPTS_MAX) throw new Broken('endless attempts');
    const runs = this.#runs;
    const isTried = notes?.trial !== undefined && this.#model.phase.kind !== 'choosing';
    if (runs === undefined || runs === 'own' || isTried) return;
    const isKnown = [good, this.disk.previous, this.disk.trial].some(
      (one) => one?.sha256 === runs.sha256,
    );
    if (!isKnown) throw new Broken('a text is in force that lies nowhere');
  }

  /** After a long time without surprises. */
  #checkEnd(): void {
    const { notes, good } = this.disk;
    if (notes?.trial !== undefined) throw new Broken('a trial without an end');
    if (this.#model.phase.kind !== 'calm') throw new Broken(`ends as ${this.#model.phase.kind}`);
    const runs = typeof this.#runs === 'object' ? this.#runs.sha256 : undefined;
    if (runs !== good?.sha256) throw new Broken('not the last good one is in force');
    if (notes?.outcome?.isTold === false) throw new Broken('an outcome that nobody was told');
  }
}
