// The journal of commands as pure decisions: what a command that is known to be signed becomes (receive), how it goes
// on (advance), and what an agent that starts makes of what the one before left (recover). The journal is written
// before anything is done: a command that comes twice is answered with what is known of it and never run again, and
// one whose end the agent did not live to see is `unknown`, because nobody can tell any more. commands.ts holds the file.

import * as v from 'valibot';
import {
  AGENT_LOG,
  COMMAND_STATES,
  type Command,
  type CommandKind,
  type CommandState,
  componentsOf,
  FINAL_STATES,
} from '../protocol/commands.ts';
import { REASON_CHARS_MAX } from '../protocol/limits.ts';
import { fail, ok, type Result } from '../protocol/result.ts';
import {
  type Bounds,
  counted,
  countedSchema,
  NO_UPTIME,
  overBounds,
  recent,
  type Use,
  useOf,
  useSchema,
} from './commands-bounds.ts';
import {
  type Floor,
  floorMs,
  floorSchema,
  likely,
  NO_FLOOR,
  raised,
  type Uptime,
} from './commands-floor.ts';
import type { RefusedWhy } from './commands-refused.ts';

/** Ids kept. One leaves only after its command expired: until then it could come a second time. */
export const JOURNAL_COMMANDS_MAX = 1_000;
/** What was found is kept of the newest commands alone: the file is written whole, and has to be readable again. */
const DETAILS_CHARS_MAX = 128 * 1024;
/** Uses of bounds kept: those of an hour are fewer, for any bound that can be configured. */
const USES_MAX = 2_000;

const entrySchema = v.object({
  id: v.string(),
  state: v.picklist(COMMAND_STATES),
  reason: v.string(),
  timeMs: v.number(),
  expiresMs: v.number(),
  detail: v.optional(v.record(v.string(), v.unknown())),
  kind: v.optional(v.string()),
  traceparent: v.optional(v.string()),
  /** Of a reboot: in which boot it was asked for. */
  bootId: v.optional(v.string()),
});
const journalSchema = v.object({
  /** Commands issued before this are refused: an earlier journal, which knew them, was damaged. */
  notBeforeMs: v.number(),
  /** Damaged, and the time was not known yet from which on commands are none of those that it knew. */
  isLost: v.optional(v.boolean(), false),
  entries: v.array(entrySchema),
  floor: v.optional(floorSchema, NO_FLOOR),
  uptime: v.optional(countedSchema, NO_UPTIME),
  uses: v.optional(v.array(useSchema), []),
});
export type Entry = Readonly<v.InferOutput<typeof entrySchema>>;
export type Detail = Readonly<Record<string, unknown>>;
export type CommandJournal = {
  readonly notBeforeMs: number;
  readonly isLost: boolean;
  /** Oldest first. */
  readonly entries: readonly Entry[];
  readonly floor: Floor;
  readonly uptime: typeof NO_UPTIME;
  /** Of the till's own bounds. */
  readonly uses: readonly Use[];
};

export const EMPTY_JOURNAL: CommandJournal = {
  ...{ notBeforeMs: 0, isLost: false, entries: [], floor: NO_FLOOR },
  ...{ uptime: NO_UPTIME, uses: [] },
};

export type Step = {
  readonly journal: CommandJournal;
  readonly answers: readonly Entry[];
  /** Whether the command is to be run now. */
  readonly run: boolean;
  /** It is refused, or its repetition is, as operations should hear of. */
  readonly why?: RefusedWhy | undefined;
};

export const findEntry = (entries: readonly Entry[], id: string): Entry | undefined =>
  entries.find((entry) => entry.id === id);

const put = (journal: CommandJournal, entry: Entry): CommandJournal => ({
  ...journal,
  entries: findEntry(journal.entries, entry.id)
    ? journal.entries.map((known) => (known.id === entry.id ? entry : known))
    : [...journal.entries, entry],
});

/** As of the newest commands; a copy of an older one is answered without. */
function lean(entries: readonly Entry[]): readonly Entry[] {
  let left = DETAILS_CHARS_MAX;
  const kept = entries.toReversed().map((entry) => {
    if (entry.detail === undefined) return entry;
    left -= JSON.stringify(entry.detail).length;
    const { detail, ...rest } = entry;
    return left < 0 ? rest : entry;
  });
  return kept.reverse();
}

/** Lets go of the oldest that can no longer come again; by the floor alone, which nobody can lie forward. */
function prune(journal: CommandJournal): CommandJournal {
  let surplus = journal.entries.length + 1 - JOURNAL_COMMANDS_MAX;
  if (surplus <= 0) return journal;
  const entries = journal.entries.filter((entry) => {
    const isPast = entry.expiresMs < journal.floor.ms;
    const over = surplus > 0 && isPast && FINAL_STATES.includes(entry.state);
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
  readonly uptime?: Uptime | undefined;
  /** undefined: whatever is signed is allowed. */
  readonly bounds?: Bounds | undefined;
  /** A moment that is past for certain. */
  readonly pastMs?: number | undefined;
  /** The till's own clock. */
  readonly wallMs?: number | undefined;
  /** Why a command cannot be obeyed here at all; asked before it costs anything. */
  readonly impossible?: ((command: Command) => string | undefined) | undefined;
};

const NO_BOOT: Uptime = { bootId: '', bootMs: 0 };

/** Kinds that can be about the agent itself where others name a component. */
const OF_THE_AGENT: readonly CommandKind[] = ['logs', 'log_level', 'purge_logs'];

function strangerIn(command: Command, components: ReadonlySet<string>): string | undefined {
  const stranger = componentsOf(command).find((name) => !components.has(name));
  if (stranger !== undefined || OF_THE_AGENT.includes(command.kind)) return stranger;
  const { arguments: args } = command;
  const isAgent = 'component' in args && args.component === AGENT_LOG;
  return isAgent && !components.has(AGENT_LOG) ? AGENT_LOG : undefined;
}

type Judged = readonly [state: CommandState, reason: string, why?: RefusedWhy];

export const LATER_SEEN =
  'came after its expiry: a command that was issued later has been here already';

function judge(journal: CommandJournal, command: Command, setting: Setting, upMs: number): Judged {
  const { terminal, nowMs, components, bounds, impossible, uptime = NO_BOOT } = setting;
  if (command.terminal !== terminal) return ['rejected', 'is for another terminal', 'audience'];
  if (nowMs > command.expiresMs) return ['expired', 'came after its expiry', 'expired'];
  if (floorMs(journal.floor, uptime) > command.expiresMs) {
    return ['expired', LATER_SEEN, 'expired'];
  }
  if (command.issuedMs < journal.notBeforeMs) {
    const reason = 'is older than the journal of this terminal, which was lost: send it again';
    return ['rejected', reason, 'replayed'];
  }
  const stranger = strangerIn(command, components);
  if (stranger !== undefined) return ['rejected', `no component is called ${stranger} here`];
  if (journal.entries.length >= JOURNAL_COMMANDS_MAX) return ['rejected', 'too many commands'];
  const over = bounds && overBounds(command, bounds, journal.uses, upMs);
  if (over !== undefined) return ['rejected', over, 'bounds'];
  const why = impossible?.(command);
  return why === undefined ? ['accepted', ''] : ['rejected', why];
}

/** With what time has passed, and the floor where this command lifts it: that of another terminal does, too. */
function grown(journal: CommandJournal, command: Command, setting: Setting): CommandJournal {
  const { uptime = NO_BOOT, pastMs = 0, wallMs } = setting;
  const knownMs = likely(Math.max(command.issuedMs, pastMs), wallMs);
  return {
    ...journal,
    floor: raised(journal.floor, knownMs, uptime),
    uptime: counted(journal.uptime, uptime),
  };
}

/** What a command that is known to be signed becomes. */
export function receive(journal: CommandJournal, command: Command, setting: Setting): Step {
  const known = findEntry(journal.entries, command.id);
  if (known !== undefined) {
    // An honest broker does not send what has expired: this is somebody's recording.
    const isOld = setting.nowMs > command.expiresMs && FINAL_STATES.includes(known.state);
    return { journal, answers: [known], run: false, why: isOld ? 'replayed' : undefined };
  }
  const room = prune(grown(journal, command, setting));
  const { upMs } = room.uptime;
  const [state, reason, why] = judge(room, command, setting, upMs);
  const { id, expiresMs, kind, traceparent } = command;
  const more = {
    ...(traceparent === '' ? {} : { traceparent }),
    ...(kind === 'reboot' ? { bootId: setting.uptime?.bootId ?? '' } : {}),
  };
  const timeMs = setting.nowMs;
  const entry: Entry = { id, state, reason, timeMs, expiresMs, kind, ...more };
  const use = setting.bounds && state === 'accepted' && useOf(command, setting.bounds, upMs);
  const uses = use ? [...recent(room.uses, upMs), use].slice(-USES_MAX) : room.uses;
  // What is not accepted is judged again the same way if it comes again: another terminal's always, what the floor has
  // passed (or whoever has recorded years of commands could wear out the disk with them), and the rest where there is
  // no room.
  const isJudgedAgain = why === 'audience' || room.floor.ms > expiresMs;
  const isKept = room.entries.length < JOURNAL_COMMANDS_MAX && !isJudgedAgain;
  const next = isKept ? put({ ...room, uses }, entry) : room;
  return { journal: next, answers: [entry], run: state === 'accepted', why };
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
  const next = put(journal, entry);
  const entries = detail === undefined ? next.entries : lean(next.entries);
  return { journal: { ...next, entries }, answers: [entry], run: false };
}

/** The time is known: what is issued from now on is none of what a journal knew that was damaged. */
export const found = (journal: CommandJournal, nowMs: number): CommandJournal =>
  journal.isLost ? { ...journal, isLost: false, notBeforeMs: nowMs } : journal;

/** What an agent that starts says of one that the agent before had begun. */
function ending({ kind, state, bootId }: Entry, nowBootId: string): Judged {
  if (state === 'accepted') return ['failed', 'the agent ended before it began'];
  if (kind !== 'reboot' || !bootId || nowBootId === '') {
    return ['unknown', 'the agent ended while it was running'];
  }
  return bootId === nowBootId
    ? ['failed', 'the agent ended and the machine did not start anew']
    : ['succeeded', 'the machine started anew'];
}

/** After a start: what the agent before did not finish. @param resumed goes on, under the same id. */
export function recover(
  journal: CommandJournal,
  nowMs: number,
  resumed: ReadonlySet<string> = new Set(),
  bootId = '',
): Step {
  const answers: Entry[] = [];
  let next = journal;
  for (const entry of journal.entries) {
    if (FINAL_STATES.includes(entry.state) || resumed.has(entry.id)) continue;
    const [state, reason] = ending(entry, bootId);
    const step = advance(next, entry.id, state, reason, nowMs);
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
