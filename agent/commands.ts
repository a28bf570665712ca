// Commands from operators, each run at most once. The journal is written before anything is done: a
// command that comes twice is answered with what is known of it and never run again, and one whose end
// the agent did not live to see is `unknown`, because nobody can tell any more. The decisions are
// pure (receive, advance, recover); openCommands at the end holds the file and the answers.

import type { KeyObject } from 'node:crypto';
import * as v from 'valibot';
import {
  COMMAND_STATES,
  type Command,
  type CommandResult,
  type CommandState,
  componentsOf,
  FINAL_STATES,
  verifyCommand,
} from '../protocol/commands.ts';
import { COMMAND_BYTES_MAX, REASON_CHARS_MAX } from '../protocol/limits.ts';
import { fail, ok, type Result } from '../protocol/result.ts';
import type { Log } from './ports.ts';
import type { TraceCommand } from './telemetry/spans-command.ts';

/** Ids kept. One leaves only after its command expired: until then it could come a second time. */
export const JOURNAL_COMMANDS_MAX = 1_000;
/** Commands that wait for the broker's time to be known. */
export const COMMANDS_WAITING_MAX = 32;

const entrySchema = v.object({
  id: v.string(),
  state: v.picklist(COMMAND_STATES),
  reason: v.string(),
  timeMs: v.number(),
  expiresMs: v.number(),
  detail: v.optional(v.record(v.string(), v.unknown())),
  kind: v.optional(v.string()),
  traceparent: v.optional(v.string()),
});
const journalSchema = v.object({
  /** Commands issued before this are refused: an earlier journal, which knew them, was damaged. */
  notBeforeMs: v.number(),
  entries: v.array(entrySchema),
});
type Entry = Readonly<v.InferOutput<typeof entrySchema>>;
type Detail = Readonly<Record<string, unknown>>;
/** Oldest first. */
export type CommandJournal = { readonly notBeforeMs: number; readonly entries: readonly Entry[] };

export const EMPTY_JOURNAL: CommandJournal = { notBeforeMs: 0, entries: [] };

export type Step = {
  readonly journal: CommandJournal;
  readonly answers: readonly Entry[];
  /** Whether the command is to be run now. */
  readonly run: boolean;
};

const findEntry = (entries: readonly Entry[], id: string): Entry | undefined =>
  entries.find((entry) => entry.id === id);

const put = (journal: CommandJournal, entry: Entry): CommandJournal => ({
  ...journal,
  entries: findEntry(journal.entries, entry.id)
    ? journal.entries.map((known) => (known.id === entry.id ? entry : known))
    : [...journal.entries, entry],
});

/** Lets go of the oldest that can no longer come again. */
function prune(journal: CommandJournal, nowMs: number): CommandJournal {
  let surplus = journal.entries.length + 1 - JOURNAL_COMMANDS_MAX;
  if (surplus <= 0) return journal;
  const entries = journal.entries.filter((entry) => {
    const over = surplus > 0 && entry.expiresMs < nowMs && FINAL_STATES.includes(entry.state);
    if (over) surplus -= 1;
    return !over;
  });
  return { ...journal, entries };
}

export type Setting = {
  readonly terminal: string;
  readonly components: ReadonlySet<string>;
  /** The broker's time as well as it is known. */
  readonly nowMs: number;
};

function judge(
  journal: CommandJournal,
  command: Command,
  setting: Setting,
): [CommandState, string] {
  if (command.terminal !== setting.terminal) return ['rejected', 'is for another terminal'];
  if (setting.nowMs > command.expiresMs) return ['expired', 'came after its expiry'];
  if (command.issuedMs < journal.notBeforeMs) {
    return [
      'rejected',
      'is older than the journal of this terminal, which was lost: send it again',
    ];
  }
  const stranger = componentsOf(command).find((name) => !setting.components.has(name));
  if (stranger !== undefined) return ['rejected', `no component is called ${stranger} here`];
  if (journal.entries.length >= JOURNAL_COMMANDS_MAX) return ['rejected', 'too many commands'];
  return ['accepted', ''];
}

/** What a command that is known to be signed becomes. */
export function receive(journal: CommandJournal, command: Command, setting: Setting): Step {
  const known = findEntry(journal.entries, command.id);
  if (known !== undefined) return { journal, answers: [known], run: false };
  const room = prune(journal, setting.nowMs);
  const [state, reason] = judge(room, command, setting);
  const { id, expiresMs, kind, traceparent } = command;
  const trace = traceparent === '' ? {} : { kind, traceparent };
  const entry: Entry = { id, state, reason, timeMs: setting.nowMs, expiresMs, ...trace };
  // What is not accepted is judged again the same way if it comes again, unless there is room for it.
  const full = room.entries.length >= JOURNAL_COMMANDS_MAX;
  const next = full ? room : put(room, entry);
  return { journal: next, answers: [entry], run: state === 'accepted' };
}

/** A known command went on. Final states stay: late news of a finished command change nothing. */
export function advance(
  journal: CommandJournal,
  id: string,
  state: CommandState,
  reason: string,
  nowMs: number,
  detail?: Detail,
): Step {
  const known = findEntry(journal.entries, id);
  if (known === undefined || FINAL_STATES.includes(known.state)) {
    return { journal, answers: [], run: false };
  }
  const told = { state, reason: reason.slice(0, REASON_CHARS_MAX), timeMs: nowMs };
  const entry = { ...known, ...told, ...(detail && { detail: { ...detail } }) };
  return { journal: put(journal, entry), answers: [entry], run: false };
}

/** After a start: what the agent before did not finish. @param resumed goes on, under the same id. */
export function recover(
  journal: CommandJournal,
  nowMs: number,
  resumed: ReadonlySet<string> = new Set(),
): Step {
  const answers: Entry[] = [];
  let next = journal;
  for (const { id, state } of journal.entries) {
    if (FINAL_STATES.includes(state) || resumed.has(id)) continue;
    const step =
      state === 'accepted'
        ? advance(next, id, 'failed', 'the agent ended before it began', nowMs)
        : advance(next, id, 'unknown', 'the agent ended while it was running', nowMs);
    next = step.journal;
    answers.push(...step.answers);
  }
  return { journal: next, answers, run: false };
}

export function parseJournal(text: string | undefined): Result<CommandJournal> {
  if (text === undefined) return ok(EMPTY_JOURNAL);
  try {
    const read = v.safeParse(journalSchema, JSON.parse(text));
    return read.success ? ok(read.output) : fail('has an unknown shape');
  } catch {
    return fail('is not JSON');
  }
}

export type CommandsOptions = {
  readonly path: string;
  readonly terminal: string;
  readonly keys: ReadonlyMap<string, KeyObject>;
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
};

export type Commands = {
  readonly receive: (data: Uint8Array) => void;
  /** To be called again and again: judges what came before the time was known. */
  readonly judgeWaiting: () => void;
  readonly done: (id: string, succeeded: boolean, reason: string, detail?: Detail) => void;
  /** By state, and `unreadable` for what nobody signed whom we trust. */
  readonly counts: () => Readonly<Record<string, number>>;
};

class Office {
  readonly #options: CommandsOptions;
  readonly #counts = new Map<string, number>();
  readonly #waiting: Uint8Array[] = [];
  #journal: CommandJournal = EMPTY_JOURNAL;

  constructor(options: CommandsOptions) {
    this.#options = options;
    const { path, read, write, log, nowMs } = options;
    const text = read(path);
    const parsed = parseJournal(text);
    if (parsed.ok) this.#journal = parsed.value;
    else {
      log.error(`command journal ${path} ${parsed.reason}: it is set aside`, { path });
      write(`${path}.damaged`, text ?? '');
      this.#journal = { notBeforeMs: nowMs(), entries: [] };
      write(path, JSON.stringify(this.#journal));
    }
    const kept = this.#keep(recover(this.#journal, nowMs(), options.resumed));
    if (!kept.ok) log.error(kept.reason);
  }

  /** On disk first, then told. */
  #keep(step: Step): Result<void> {
    const { write, path, addResult, nowMs, trace } = this.#options;
    const [{ entries }, sinceMs] = [this.#journal, nowMs()];
    if (step.journal !== this.#journal) {
      const written = write(path, JSON.stringify(step.journal));
      if (!written.ok) return written;
      this.#journal = step.journal;
    }
    for (const entry of step.answers) {
      const { id, state, reason, timeMs, detail = {} } = entry;
      this.#count(state);
      addResult({ commandId: id, state, reason, timeMs, detail });
      trace?.(findEntry(entries, id), entry, sinceMs);
    }
    return ok(undefined);
  }

  #count(state: string): void {
    this.#counts.set(state, (this.#counts.get(state) ?? 0) + 1);
  }

  /** The broker sends again what is not answered, so that nothing is lost with a full queue. */
  receive(data: Uint8Array): void {
    if (this.#options.isTimeKnown()) this.#judge(data);
    else if (data.length > COMMAND_BYTES_MAX) this.#count('unreadable');
    else if (this.#waiting.length < COMMANDS_WAITING_MAX) this.#waiting.push(Buffer.from(data));
  }

  judgeWaiting(): void {
    if (this.#waiting.length === 0 || !this.#options.isTimeKnown()) return;
    for (const data of this.#waiting.splice(0)) this.#judge(data);
  }

  #judge(data: Uint8Array): void {
    const { keys, terminal, components, log, nowMs, run, addResult } = this.#options;
    const verified = verifyCommand(data, keys);
    if (!verified.ok) {
      this.#count('unreadable');
      log.warn(`command refused: ${verified.reason}`);
      return;
    }
    const command = verified.value;
    const { id } = command;
    const step = receive(this.#journal, command, { terminal, components, nowMs: nowMs() });
    const kept = this.#keep(step);
    if (!kept.ok) {
      const reason = `it could not be written down before acting: ${kept.reason}`;
      log.error(`command ${id} rejected: ${reason}`);
      this.#count('rejected');
      addResult({ commandId: id, state: 'rejected', reason, timeMs: nowMs(), detail: {} });
      return;
    }
    const [{ kind, operator, reason }, state] = [command, step.answers[0]?.state];
    log.info(`command ${kind} is ${state}`, { id, kind, operator, reason, state });
    if (!step.run) return;
    const running = this.#keep(advance(this.#journal, id, 'running', '', nowMs()));
    if (running.ok) run(command);
    else this.done(id, false, running.reason);
  }

  done(id: string, succeeded: boolean, reason: string, detail?: Detail): void {
    const { log, nowMs } = this.#options;
    const state = succeeded ? 'succeeded' : 'failed';
    const kept = this.#keep(advance(this.#journal, id, state, reason, nowMs(), detail));
    // The next start will report `unknown`, which is then the truth as far as it is on disk.
    if (kept.ok) log.info(`command ${state}`, { id, reason });
    else log.error(`end of command ${id} was not written down: ${kept.reason}`);
  }

  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
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
