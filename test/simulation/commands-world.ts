// A terminal that gets commands through somebody hostile: who holds back, repeats, reorders, forges and bends what is
// sent, and says whatever time suits; while the terminal's agent dies, its machine reboots and its disk refuses.
// What happened is written down as facts; commands-checker.ts judges it and shares no code with the agent.

import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { openCommands } from '../../agent/commands.ts';
import type { Bounds } from '../../agent/commands-bounds.ts';
import {
  COMMAND_KINDS,
  type Command,
  keyIdOf,
  publicKeyText,
  signCommand,
} from '../../protocol/commands.ts';
import { fail, ok } from '../../protocol/result.ts';
import { type Dice, dice as diceOf } from './dice.ts';

const pair = generateKeyPairSync('ed25519');
const forger = generateKeyPairSync('ed25519');
const idOf = (key: KeyObject): string => keyIdOf(publicKeyText(key));

export const START_MS = 1_800_000_000_000;
export const LIMITS = { restarts: 5, reboots: 1 };
const STEPS = 120;
const LIE_MS_MAX = 400 * 24 * 3_600_000;

/** Facts, all by the true time and the machine's own uptime. */
export type Fact =
  | { readonly kind: 'issued'; readonly command: Command }
  /** Genuine and unbent, whoever it was for, reached a running agent. */
  | {
      readonly kind: 'arrived';
      readonly id: string;
      readonly trueMs: number;
      readonly boot: number;
    }
  | {
      readonly kind: 'ran';
      readonly command: Command;
      readonly trueMs: number;
      readonly upMs: number;
      readonly boot: number;
      readonly lieMs: number;
    };

/** Faults of the terminal's own, planted to see whether the checker notices. */
export type Sabotage = 'none' | 'forgets' | 'no_floor' | 'believes_all' | 'no_bounds' | 'no_expiry';

export class CommandsWorld {
  readonly facts: Fact[] = [];
  readonly #dice: Dice;
  readonly #sabotage: Sabotage;
  readonly #held: Uint8Array[] = [];
  #trueMs = START_MS;
  #lieMs = 0;
  #boot = 1;
  #bootMs = 30_000;
  #upMs = 30_000;
  #disk: string | undefined;
  #full = false;
  #office: ReturnType<typeof openCommands>;
  #serial = 0;

  constructor(seed: number, sabotage: Sabotage = 'none') {
    this.#dice = diceOf(seed);
    this.#sabotage = sabotage;
    this.#office = this.#start();
  }

  run(): readonly Fact[] {
    for (let step = 0; step < STEPS; step += 1) this.#step();
    return this.facts;
  }

  #start(): ReturnType<typeof openCommands> {
    const is = (what: Sabotage): boolean => this.#sabotage === what;
    const bounds: Bounds = {
      ...{ kinds: new Set(COMMAND_KINDS), components: 2 },
      perHour: is('no_bounds') ? { restarts: 1_000, reboots: 1_000 } : LIMITS,
    };
    const trusted = is('believes_all') ? [pair, forger] : [pair];
    if (is('forgets')) this.#disk = undefined;
    return openCommands({
      ...{ path: 'commands.json', terminal: 'lane-1', components: new Set(['sale']), bounds },
      keys: new Map(trusted.map(({ publicKey }) => [idOf(publicKey), publicKey])),
      nowMs: () => (is('no_expiry') ? START_MS - LIE_MS_MAX : this.#trueMs + this.#lieMs),
      isTimeKnown: () => true,
      monotonicMs: () => this.#upMs,
      ...(is('no_floor')
        ? {}
        : { uptime: () => ({ bootId: `boot-${this.#boot}`, bootMs: this.#bootMs }) }),
      read: () => this.#disk,
      write: (path, text) => {
        if (this.#full) return fail('the disk is full');
        if (path === 'commands.json') this.#disk = text;
        return ok(undefined);
      },
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      addResult: () => undefined,
      run: (command) => {
        const [trueMs, upMs, boot, lieMs] = [this.#trueMs, this.#upMs, this.#boot, this.#lieMs];
        this.facts.push({ kind: 'ran', command, trueMs, upMs, boot, lieMs });
        // Most end at once; some are still running when the agent dies.
        if (this.#dice.chance(0.7)) this.#office.done(command.id, this.#dice.chance(0.8), '');
      },
    });
  }

  #step(): void {
    const dice = this.#dice;
    const act = dice.next();
    if (act < 0.3) this.#issue();
    else if (act < 0.7) this.#deliver();
    else if (act < 0.8) this.#pass(dice.chance(0.3) ? 3 * 3_600_000 : 120_000);
    else if (act < 0.86) this.#lieMs = dice.chance(0.4) ? 0 : (dice.next() - 0.5) * LIE_MS_MAX;
    else if (act < 0.9) this.#full = dice.chance(0.3);
    else if (act < 0.96) this.#office = this.#start();
    else this.#reboot();
    this.#pass(1_000 * dice.next());
  }

  #pass(ms: number): void {
    this.#trueMs += ms;
    this.#bootMs += ms;
    this.#upMs += ms;
  }

  #reboot(): void {
    this.#boot += 1;
    this.#trueMs += 60_000;
    this.#bootMs = 5_000;
    this.#upMs += 5_000;
    this.#office = this.#start();
  }

  #issue(): void {
    const dice = this.#dice;
    this.#serial += 1;
    const id = `00000000-0000-4000-8000-${String(this.#serial).padStart(12, '0')}`;
    const kinds = [
      { kind: 'restart', arguments: { component: 'sale' } },
      { kind: 'restart_all', arguments: { force: true } },
      { kind: 'reboot', arguments: {} },
      { kind: 'release', arguments: {} },
    ] as const;
    const content = kinds[Math.floor(dice.next() * kinds.length)] ?? kinds[0];
    const command: Command = {
      ...{ id, terminal: dice.chance(0.85) ? 'lane-1' : 'lane-2', operator: 'kim', reason: 'why' },
      ...{ issuedMs: Math.round(this.#trueMs), expiresMs: Math.round(this.#trueMs) + 300_000 },
      ...{ traceparent: '', ...content },
    };
    this.facts.push({ kind: 'issued', command });
    this.#held.push(signCommand(command, pair.privateKey));
    // Somebody in the middle wants the same, and more of it.
    const evil: Command = { ...command, id: id.replace('0000-4', '0666-4'), expiresMs: 9e15 };
    if (dice.chance(0.3)) this.#held.push(signCommand(evil, forger.privateKey));
  }

  #deliver(): void {
    const dice = this.#dice;
    const times = dice.chance(0.2) ? 5 : 1;
    for (let n = 0; n < times; n += 1) {
      const recent = dice.chance(0.6) ? 3 : this.#held.length;
      const at = this.#held.length - 1 - Math.floor(dice.next() * recent);
      const genuine = this.#held[Math.max(0, at)];
      if (genuine === undefined) return;
      const bytes = Buffer.from(genuine);
      const isBent = dice.chance(0.15);
      if (isBent) bytes[Math.floor(dice.next() * bytes.length)] = Math.floor(dice.next() * 256);
      if (!isBent) this.#noteArrival(bytes);
      this.#office.receive(bytes);
    }
  }

  #noteArrival(bytes: Buffer): void {
    const text = bytes.toString('latin1');
    const id = /00000000-0000-4000-8000-\d{12}/.exec(text)?.[0];
    if (id === undefined || this.#full) return;
    this.facts.push({ kind: 'arrived', id, trueMs: this.#trueMs, boot: this.#boot });
  }
}
