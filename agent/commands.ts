// Commands from operators, each run at most once: this file holds the journal's file, the answers and the counts;
// the decisions are pure and in commands-journal.ts. The signature is checked before anything else is looked at, also
// before a command may wait for the broker's time to be known, so that whoever can send and not sign costs no
// more than a check. What is refused is counted by why and told sparingly (commands-refused.ts).

import type { KeyObject } from 'node:crypto';
import {
  BAD_SIGNATURE,
  type Command,
  type CommandResult,
  UNTRUSTED_KEY,
  verifyCommand,
  verifyHead,
} from '../protocol/commands.ts';
import type { NewEvent } from '../protocol/events.ts';
import { REASON_CHARS_MAX } from '../protocol/limits.ts';
import { ok, type Result } from '../protocol/result.ts';
import { type Bounds, counted, NO_UPTIME } from './commands-bounds.ts';
import type { Uptime } from './commands-floor.ts';
import {
  advance,
  type CommandJournal,
  type Detail,
  EMPTY_JOURNAL,
  findEntry,
  found,
  parseJournal,
  receive,
  recover,
  type Setting,
  type Step,
} from './commands-journal.ts';
import { Refused } from './commands-refused.ts';
import type { Log } from './ports.ts';
import type { TraceCommand } from './telemetry/spans-command.ts';
import { AGENT_VERSION } from './version.ts';

export {
  advance,
  type CommandJournal,
  EMPTY_JOURNAL,
  JOURNAL_COMMANDS_MAX,
  receive,
  recover,
} from './commands-journal.ts';

/** Commands that wait for the broker's time to be known. */
export const COMMANDS_WAITING_MAX = 32;
/** Answers a minute to what is no news: a recording that is played again and again fills no outbox. */
export const ANSWERS_AGAIN_MAX = 60;
/** Ends that wait for a disk that takes them; what is more is `unknown` after the next start. */
const UNTOLD_MAX = 64;
const MINUTE_MS = 60_000;
/** More than any hour allows. */
const SPENT = 1_000;

type Keys = ReadonlyMap<string, KeyObject>;

export type CommandsOptions = {
  readonly path: string;
  readonly terminal: string;
  /** By key id; asked for at each use where they change. */
  readonly keys: Keys | (() => Keys);
  readonly components: ReadonlySet<string>;
  readonly nowMs: () => number;
  /** Whether `nowMs` is the broker's time: till then a command could only be judged by a till's own clock. */
  readonly isTimeKnown: () => boolean;
  readonly read: (path: string) => string | undefined;
  /** Durable when it returns. */
  readonly write: (path: string, text: string) => Result<void>;
  readonly log: Log;
  readonly addResult: (result: CommandResult) => void;
  readonly run: (command: Command) => void;
  readonly trace?: TraceCommand;
  /** Begun by an earlier agent and gone on with by this one. */
  readonly resumed?: ReadonlySet<string>;
  /** Without them: no uptime is known, and nothing is bounded. */
  readonly uptime?: () => Uptime;
  readonly bounds?: Bounds;
  readonly monotonicMs?: () => number;
  /** The till's own clock; without it every signature's time is believed. */
  readonly wallMs?: () => number;
  readonly report?: (event: NewEvent) => void;
  /** A moment that is past for certain, such as when the own certificate was issued. */
  readonly pastMs?: () => number;
  /** Why it cannot be obeyed here at all. */
  readonly impossible?: (command: Command) => string | undefined;
};

export type Commands = {
  readonly receive: (data: Uint8Array) => void;
  /** To be called again and again: judges what came before the time was known, and tells what was refused. */
  readonly judgeWaiting: () => void;
  readonly done: (id: string, succeeded: boolean, reason: string, detail?: Detail) => void;
  /** By state, and by why what got no state was refused. */
  readonly counts: () => Readonly<Record<string, number>>;
};

class Office {
  /** Ends that were not written down. */
  readonly #untold = new Map<string, [string, boolean, string, Detail | undefined]>();
  readonly #options: CommandsOptions;
  readonly #counts = new Map<string, number>();
  readonly #waiting: Uint8Array[] = [];
  readonly #refused: Refused;
  #journal: CommandJournal = EMPTY_JOURNAL;
  #again = { count: 0, sinceMs: Number.NEGATIVE_INFINITY };

  constructor(options: CommandsOptions) {
    this.#options = options;
    const { path, read, write, log, nowMs, report = () => undefined } = options;
    this.#refused = new Refused({ monotonicMs: options.monotonicMs ?? nowMs, report });
    const text = read(path);
    const parsed = parseJournal(text);
    if (parsed.ok) this.#journal = parsed.value;
    else {
      log.error(`command journal ${path} ${parsed.reason}: it is set aside`, { path });
      write(`${path}.damaged`, text ?? '');
      // Nobody knows what it counted: as with the ladder's file, no reboot is better than a loop of them.
      const uptime = counted(NO_UPTIME, this.#uptime());
      const spent = { bound: 'reboots', atMs: uptime.upMs, count: SPENT } as const;
      this.#journal = { ...EMPTY_JOURNAL, isLost: true, uptime, uses: [spent] };
      write(path, JSON.stringify(this.#journal));
    }
    const { bootId } = this.#uptime();
    const kept = this.#keep(recover(this.#journal, nowMs(), options.resumed, bootId));
    if (!kept.ok) log.error(kept.reason);
  }

  #uptime(): Uptime {
    return this.#options.uptime?.() ?? { bootId: '', bootMs: 0 };
  }

  /** On disk first, then told. */
  #keep(step: Step): Result<void> {
    const { write, path, nowMs, trace } = this.#options;
    const [{ entries }, sinceMs] = [this.#journal, nowMs()];
    // A floor that is only lifted waits for the next write: it is lifted again by the same command.
    if (step.journal.entries !== entries) {
      const written = write(path, JSON.stringify(step.journal));
      if (!written.ok) return written;
    }
    const isNews = step.journal.entries !== entries;
    this.#journal = step.journal;
    for (const entry of step.answers) {
      if (!isNews && !this.#mayAnswerAgain()) continue;
      const { id, state, reason, timeMs, detail = {} } = entry;
      this.#count(state);
      this.#options.addResult({ commandId: id, state, reason, timeMs, detail });
      trace?.(findEntry(entries, id), entry, sinceMs);
    }
    return ok(undefined);
  }

  #mayAnswerAgain(): boolean {
    const now = (this.#options.monotonicMs ?? this.#options.nowMs)();
    if (now - this.#again.sinceMs >= MINUTE_MS) this.#again = { count: 0, sinceMs: now };
    this.#again.count += 1;
    return this.#again.count <= ANSWERS_AGAIN_MAX;
  }

  #count(state: string): void {
    this.#counts.set(state, (this.#counts.get(state) ?? 0) + 1);
  }

  /** The broker sends again what is not answered, so that nothing is lost with a full queue. */
  receive(data: Uint8Array): void {
    const verified = this.#verify(data);
    if (verified === undefined) return;
    if (this.#options.isTimeKnown()) this.#judge(verified);
    else if (this.#waiting.length < COMMANDS_WAITING_MAX) this.#waiting.push(Buffer.from(data));
  }

  /** Once a second; so is an end told that the disk did not take. */
  judgeWaiting(): void {
    this.#refused.look();
    this.#limit();
    const [untold] = this.#untold.values();
    if (untold !== undefined) this.done(...untold);
    if (this.#waiting.length === 0 || !this.#options.isTimeKnown()) return;
    for (const data of this.#waiting.splice(0)) {
      // Once more: whose keys are believed may have changed meanwhile.
      const verified = this.#verify(data);
      if (verified !== undefined) this.#judge(verified);
    }
  }

  /** Not by the till's own clock: years ahead it would lock out every command, years behind it would forbid none. */
  #limit(): void {
    const { isTimeKnown, nowMs, write, path } = this.#options;
    if (!this.#journal.isLost || !isTimeKnown()) return;
    this.#journal = found(this.#journal, nowMs());
    write(path, JSON.stringify(this.#journal));
  }

  #verify(data: Uint8Array): Command | undefined {
    const { keys: given, log } = this.#options;
    const keys = typeof given === 'function' ? given() : given;
    const verified = verifyCommand(data, keys);
    if (verified.ok) return verified.value;
    const { reason } = verified;
    const isUnsigned = reason === UNTRUSTED_KEY || reason === BAD_SIGNATURE;
    const before = this.#refused.counts();
    const why = isUnsigned ? 'unsigned' : 'unreadable';
    this.#refused.hear(why, reason);
    // Whoever sends a thousand of them a second must not fill the log either.
    if (before[why] === undefined) log.warn(`command refused: ${reason}`);
    if (!isUnsigned) this.#tellUnknown(verifyHead(data, keys), reason);
    return undefined;
  }

  /** A newer broker asks for what we do not know: whoever waits for it is told why it will not come. */
  #tellUnknown(head: ReturnType<typeof verifyHead>, why: string): void {
    const { terminal, nowMs, addResult } = this.#options;
    if (!head.ok || head.value.terminal !== terminal || !this.#mayAnswerAgain()) return;
    const what = `the agent of this terminal is of version ${AGENT_VERSION} and cannot do that`;
    const reason = `${what}: ${why}`.slice(0, REASON_CHARS_MAX);
    this.#count('rejected');
    const { id: commandId } = head.value;
    addResult({ commandId, state: 'rejected', reason, timeMs: nowMs(), detail: {} });
  }

  #setting(): Setting {
    const { terminal, components, nowMs, bounds, impossible, pastMs, wallMs } = this.#options;
    const now = {
      ...{ nowMs: nowMs(), uptime: this.#uptime(), pastMs: pastMs?.(), wallMs: wallMs?.() },
    };
    return { terminal, components, bounds, impossible, ...now };
  }

  #judge(command: Command): void {
    const { log, nowMs, run, addResult } = this.#options;
    const { id } = command;
    this.#limit();
    const step = receive(this.#journal, command, this.#setting());
    const kept = this.#keep(step);
    if (!kept.ok) {
      const reason = `it could not be written down before acting: ${kept.reason}`;
      log.error(`command ${id} rejected: ${reason}`);
      this.#count('rejected');
      addResult({ commandId: id, state: 'rejected', reason, timeMs: nowMs(), detail: {} });
      return;
    }
    const [answer] = step.answers;
    if (step.why !== undefined) this.#refused.hear(step.why, answer?.reason ?? '', id);
    const [{ kind, operator, reason }, state] = [command, answer?.state];
    if (step.run || step.why === undefined) {
      log.info(`command ${kind} is ${state}`, { id, kind, operator, reason, state });
    }
    if (!step.run) return;
    const running = this.#keep(advance(this.#journal, id, 'running', '', nowMs()));
    if (running.ok) run(command);
    else this.done(id, false, running.reason);
  }

  done(id: string, succeeded: boolean, reason: string, detail?: Detail): void {
    const { log, nowMs } = this.#options;
    const state = succeeded ? 'succeeded' : 'failed';
    const kept = this.#keep(advance(this.#journal, id, state, reason, nowMs(), detail));
    const isKnown = this.#untold.delete(id);
    if (kept.ok) log.info(`command ${state}`, { id, reason });
    // Told as soon as the disk takes it. The next start would report `unknown`, the truth as far as it is on disk.
    else if (this.#untold.size < UNTOLD_MAX) this.#untold.set(id, [id, succeeded, reason, detail]);
    if (kept.ok || isKnown) return;
    log.error(`end of command ${id} was not written down: ${kept.reason}`);
  }

  counts(): Readonly<Record<string, number>> {
    return { ...this.#refused.counts(), ...Object.fromEntries(this.#counts) };
  }
}

export function openCommands(options: CommandsOptions): Commands {
  const office = new Office(options);
  return {
    receive: (data) => office.receive(data),
    judgeWaiting: () => office.judgeWaiting(),
    done: (...end) => office.done(...end),
    counts: () => office.counts(),
  };
}
