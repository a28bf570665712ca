// One simulated terminal at work: performs what its pure till decides, with the agent's own link, command
// journal and clock correction around it. The only timers are the sampling and one for the till's next
// moment; a terminal that is well costs nothing in between.

import { createHash, type KeyObject } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';
import type { CommandKind } from '../../protocol/catalogue.ts';
import type { Command } from '../../protocol/commands.ts';
import { CONFIGURATION_BYTES_MAX } from '../../protocol/limits.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { type Commands, openCommands } from '../commands.ts';
import type { LinkOptions } from '../link/link.ts';
import { type Link, startLink } from '../link/link.ts';
import type { Cancel, Clock, Log, Timers } from '../ports.ts';
import { type Character, COMPONENTS } from './character.ts';
import { diceFrom, seedFor } from './dice.ts';
import type { Fault } from './faults.ts';
import { type Document, newTill, type Till, type TillEffect } from './model.ts';
import { MemoryOutbox } from './outbox.ts';
import { samplesOf } from './readings.ts';
import { Line, openOver } from './session.ts';
import { hourAt } from './stores.ts';
import { networkOf, nextMs, stepTill, type TillEvent } from './till.ts';

export type TerminalOptions = {
  readonly who: Character;
  readonly broker: LinkOptions['broker'];
  readonly backoff: NonNullable<LinkOptions['backoff']>;
  readonly keys: () => ReadonlyMap<string, KeyObject>;
  readonly everyMs: number;
  readonly sendMs: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
};

/** Never a busy loop, however many moments of a till fall together. */
const STEP_MS_MIN = 20;
/** Timers reach no further; the till is then simply asked again. */
const STEP_MS_MAX = 24 * 3_600_000;

type ApplyArguments = Extract<Command, { kind: 'apply' }>['arguments'];

/** As a till checks it (agent/deeds/apply.ts), but for what is said in it. */
function documentIn({ name, version, sha256, packed }: ApplyArguments): Result<Document> {
  try {
    const options = { maxOutputLength: CONFIGURATION_BYTES_MAX };
    const text = inflateRawSync(Buffer.from(packed, 'base64'), options);
    if (createHash('sha256').update(text).digest('hex') === sha256) {
      return ok({ name, version, sha256 });
    }
  } catch {
    // Not what it should be, however that came.
  }
  return fail('the document is not what was signed for');
}

/** What it answers to what it has not. */
function insteadOf(kind: CommandKind): string {
  if (kind === 'cancel_logs') return 'it is not open here, and will not begin';
  const has = kind === 'logs' || kind === 'tail' ? 'keeps no logs' : `does not ${kind}`;
  return `this terminal is simulated and ${has}`;
}

export class Terminal {
  readonly outbox: MemoryOutbox;
  readonly link: Link;
  readonly #o: TerminalOptions;
  readonly #line = new Line();
  readonly #commands: Commands;
  #till: Till;
  /** The till's own clock minus true time; a fault may move it. */
  #clockErrorMs: number;
  #cancelStep: Cancel = () => {};
  readonly #cancelSampling: Cancel[] = [];
  #healed = false;

  constructor(options: TerminalOptions) {
    this.#o = options;
    const { who, clock, timers, log, broker, backoff, everyMs, sendMs } = options;
    this.#clockErrorMs = who.clockErrorMs;
    const ownClock: Clock = {
      monotonicMs: clock.monotonicMs,
      wallMs: () => clock.wallMs() + this.#clockErrorMs,
    };
    const dice = diceFrom(seedFor(who.seed, 'link'));
    const random = dice.next;
    this.outbox = new MemoryOutbox({ clock: ownClock, sendMs, random, phase: random() });
    this.#commands = this.#openCommands();
    this.#till = newTill(who, clock.wallMs());
    this.step({ kind: 'boot' });
    this.link = startLink({
      terminal: who.id,
      ...{ broker, backoff, timers, log, random },
      outbox: this.outbox,
      clock: ownClock,
      onCommand: (data) => this.#commands.receive(data),
      openSession: openOver(this.#line),
    });
    // Each at its own moment of the period, so that a fleet does not sample in step.
    const first = timers.after(dice.next() * everyMs, () => {
      this.#sample();
      this.#cancelSampling.push(timers.every(everyMs, () => this.#sample()));
    });
    this.#cancelSampling.push(first);
  }

  get id(): string {
    return this.#o.who.id;
  }

  /** Its line or its power is gone. */
  isAway(): boolean {
    return this.#line.state !== 'up';
  }

  afflict(fault: Fault): void {
    if (!this.#healed) this.step({ kind: 'fault', fault });
  }

  step(event: TillEvent): void {
    const { clock, timers } = this.#o;
    const now = clock.monotonicMs();
    const { till, effects } = stepTill(this.#till, event, now);
    this.#till = till;
    for (const effect of effects) this.#perform(effect);
    this.#line.set(this.#healed ? 'up' : networkOf(till, now));
    this.#cancelStep();
    const waitMs = Math.max(STEP_MS_MIN, nextMs(till, now) - now);
    if (waitMs === Infinity) return;
    const soon = Math.min(STEP_MS_MAX, waitMs);
    this.#cancelStep = timers.after(soon, () => this.step({ kind: 'tick' }));
  }

  /** Measures nothing more, has its line back, and sends what waits as fast as the window lets it. */
  settle(): void {
    this.#healed = true;
    for (const cancel of this.#cancelSampling) cancel();
    this.#cancelStep();
    this.#line.set('up');
    this.outbox.setSendMs(0);
  }

  async stop(): Promise<void> {
    this.settle();
    await this.link.stop();
    this.outbox.close();
  }

  #perform(effect: TillEffect): void {
    switch (effect.kind) {
      case 'report':
        this.outbox.addEvent(effect.event);
        return;
      case 'command_done':
        this.#commands.done(effect.command, effect.ok, effect.reason, effect.detail);
        return;
      case 'booted':
        this.outbox.reopen(effect.torn);
        return;
      case 'clock':
        this.#clockErrorMs += effect.jumpMs;
        return;
      case 'off':
        return;
    }
  }

  #openCommands(): Commands {
    const { who, keys, log } = this.#o;
    // The journal is written before anything is done, as on a real till; here the disk is a variable.
    let journal: string | undefined;
    return openCommands({
      path: 'commands.json',
      terminal: who.id,
      keys,
      components: new Set<string>(COMPONENTS),
      nowMs: () => this.outbox.time.nowMs(),
      isTimeKnown: () => true,
      read: () => journal,
      write: (_path, text) => {
        journal = text;
        return ok(undefined);
      },
      log,
      addResult: (result) => this.outbox.addResult(result),
      run: (command) => this.#run(command),
    });
  }

  #run(command: Command): void {
    const { id, kind, operator, reason } = command;
    if (kind === 'restart') {
      const why = `${operator} asked for it: ${reason}`;
      this.step({ kind, ...command.arguments, reason: why, command: id });
    } else if (kind === 'apply') {
      const document = documentIn(command.arguments);
      if (document.ok) this.step({ kind, command: id, document: document.value });
      else this.#commands.done(id, false, document.reason);
    } else if (kind === 'hold') {
      const { forMs, maintenance } = command.arguments;
      const untilMs = this.#o.clock.monotonicMs() + forMs;
      const untilWallMs = Math.round(this.outbox.time.nowMs() + forMs);
      const held = { untilMs, untilWallMs, reason, by: operator, maintenance };
      this.step({ kind, command: id, held });
    } else if (kind === 'release') {
      const { maintenance } = command.arguments;
      this.step({ kind, command: id, by: operator, maintenance });
    } else this.#commands.done(id, kind === 'cancel_logs', insteadOf(kind));
  }

  #sample(): void {
    const { clock, who } = this.#o;
    const trueMs = clock.wallMs();
    this.step({ kind: 'sample', wallMs: trueMs, hour: hourAt(who.store, trueMs) });
    if (this.#till.offUntilMs !== undefined) return;
    const reading = {
      version: who.agentVersion,
      node: process.versions.node,
      starts: this.outbox.starts,
      residentBytes: 71_000_000,
      cpuSeconds: Math.round((clock.monotonicMs() - this.#till.bootedMs) * 4e-6 * 100) / 100,
      loopDelayMsMax: 3,
      pauses: 0,
      dropped: 0,
      channelRejected: {},
      commandCounts: this.#commands.counts(),
      held: this.#till.holds.length > 0,
      clockOffsetMs: this.link.clockOffsetMs(),
      outbox: this.outbox.stats(),
      link: this.link.stats(),
      scrapeFailures: new Map<string, number>(),
      seriesDropped: new Map<string, number>(),
    };
    const timeMs = this.outbox.time.nowMs();
    const now = clock.monotonicMs();
    this.outbox.addSnapshot({ timeMs, samples: samplesOf(this.#till, reading, now, trueMs) });
  }
}
