// All requests for logs of this terminal: takes one, writes it down, has two at most searched at a time and the others
// wait their turn, and tells each command's end. What is written down is a promise: an agent that was killed finds it
// and goes on. The journal's segments that a request reads stay until it has ended.

import { rm } from 'node:fs';
import { LOG_SEARCH_MS } from '../../../protocol/limits.ts';
import { fail, ok, type Result } from '../../../protocol/result.ts';
import { stamp } from '../../../redact/index.ts';
import { Book } from './book.ts';
import type { Entry, FileEntry, PullEntry, TailEntry } from './entry.ts';
import type { End } from './job.ts';
import { PackedFile } from './packed.ts';
import { type Ended, Pull } from './pull.ts';
import { type Chunks, Turns } from './turns.ts';
import type { FileAnswer, LogsCommand, PullEnd, Pulls, PullsOptions } from './types.ts';

/** More are refused until one is done. */
export const PULLS_OPEN_MAX = 8;
/** Of a small machine: each takes some 80 MB while it works. */
export const CHILDREN_MAX = 2;
const TOO_MANY = `${PULLS_OPEN_MAX} requests are being answered: ask again later`;
const TICK_MS = 1_000;
/** Who waits gets a turn after so long. */
const QUANTUM_MS = 5_000;
/** What is printed by now is to be in the answer; a component that prints without end does not hold it up. */
const CATCH_UP_MS_MAX = 3_000;
/** Half a line of each component, and a block that is not full, are always on their way. */
const BEHIND_BYTES = 512 * 1024;
const CANCELLED_MAX = 64;
const RULES_CHANGED = 'the agent was upgraded meanwhile: ask again';
const RESTARTED = 'the agent was restarted meanwhile: ask again';

type One = Pull | PackedFile;

const endsOf = (one: One): [One, Ended][] => {
  const ended = one.ended();
  return ended === undefined ? [] : [[one, ended]];
};

class OpenPulls implements Pulls {
  readonly resumed: ReadonlySet<string>;
  readonly turns: Turns;
  readonly take: Chunks['take'];
  readonly acknowledge: Chunks['acknowledge'];
  readonly resendAll: Chunks['resendAll'];
  readonly inFlight: Chunks['inFlight'];
  readonly onWork: Chunks['onWork'];
  readonly #o: PullsOptions;
  readonly #book: Book;
  #open: One[] = [];
  /** Searched first come, first served; who is parked goes to the end. */
  #waiting: Pull[] = [];
  readonly #catching = new Set<Pull>();
  #cancelled: string[] = [];
  #onEnd: PullEnd = () => undefined;
  #isChanged = false;
  #cancelTick = (): void => undefined;

  constructor(options: PullsOptions) {
    this.#o = options;
    this.turns = new Turns(options);
    const { take, acknowledge, resendAll, inFlight, onWork } = this.turns;
    this.take = take;
    this.acknowledge = acknowledge;
    this.resendAll = resendAll;
    this.inFlight = inFlight;
    this.onWork = onWork;
    this.#book = new Book(options, () => this.#open.map(({ entry }) => entry));
    this.resumed = new Set(this.#book.found.map(({ command }) => command));
  }

  start(onEnd: PullEnd): void {
    this.#onEnd = onEnd;
    for (const entry of this.#book.found) {
      if (entry.kind === 'former') onEnd(entry.command, false, RULES_CHANGED, {});
      else if (entry.kind === 'tail') onEnd(entry.command, false, RESTARTED, {});
      else this.#resume(entry);
    }
    this.#cancelTick = this.#o.timers.every(TICK_MS, () => this.#tick());
    if (this.#book.found.length > 0) this.#book.write();
    this.#settle();
  }

  readonly begin = (command: LogsCommand): void => {
    const { id, expiresMs, arguments: asked } = command;
    const refused = this.#refusal(asked.request);
    if (refused !== undefined) {
      this.#onEnd(id, false, refused, {});
      return;
    }
    const { request, searchMs = LOG_SEARCH_MS, context = 0, ...rest } = asked;
    const offsetMs = this.#o.time.offsetMs();
    const components = asked.components.length === 0 ? this.#o.components : asked.components;
    const entry: PullEntry = {
      ...{ kind: 'pull', command: id, request, expiresMs, offsetMs },
      component: components.length === 1 ? (components[0] ?? '') : '',
      wish: {
        ...{ ...rest, components: [...new Set(components)], searchMs, context },
        ...{ sinceMs: asked.sinceMs - offsetMs, untilMs: asked.untilMs - offsetMs },
      },
    };
    const begun = this.#add(this.#pullOf(entry));
    if (begun.ok) this.#o.log.info('logs are asked for', { request, components });
    else this.#onEnd(id, false, begun.reason, {});
  };

  readonly sendFile = (asked: FileAnswer): Result<void> => {
    const refused = this.#refusal(asked.request);
    if (refused !== undefined) return fail(refused);
    return this.#add(this.#fileOf({ kind: 'file', ...asked }));
  };

  readonly cancel = (request: string): boolean => {
    this.#cancelled = [request, ...this.#cancelled].slice(0, CANCELLED_MAX);
    const one = this.#open.find((open) => open.request === request);
    one?.cancel();
    this.#settle();
    return one !== undefined;
  };

  readonly wasCancelled = (request: string): boolean => this.#cancelled.includes(request);

  readonly isPinned = (path: string): boolean =>
    this.#open.some(({ entry }) => entry.kind === 'file' && entry.file === path);

  readonly note = (entry: TailEntry): Result<void> => this.#book.note(entry);
  readonly forget = (request: string): void => this.#book.forget(request);

  stop(): void {
    this.#cancelTick();
    this.turns.stop();
    for (const one of this.#open) {
      if (one instanceof Pull) one.park();
      else one.close();
    }
  }

  #refusal(request: string): string | undefined {
    if (this.wasCancelled(request)) return 'it was cancelled before it began';
    return this.#open.length >= PULLS_OPEN_MAX ? TOO_MANY : undefined;
  }

  #resume(entry: Entry): void {
    const one = entry.kind === 'pull' ? this.#pullOf(entry) : undefined;
    const file = entry.kind === 'file' ? this.#fileOf(entry) : undefined;
    const kept = one ?? file;
    if (kept === undefined) return;
    this.#join(kept);
    // Other rules make other bytes, and the broker has some of the old ones.
    const made = one?.entry.plan?.redactor;
    if (made !== undefined && made !== stamp()) kept.fail(RULES_CHANGED);
  }

  #pullOf(entry: PullEntry): Pull {
    const { folder, rules, startPull, time, clock } = this.#o;
    return new Pull(entry, {
      ...{ folder, rules, startPull, nowMs: time.nowMs, monotonicMs: clock.monotonicMs },
      planned: () => {
        // What was taken since it was asked is read as well.
        this.#o.journal?.pin(entry.request, entry.wish.components);
        return this.#book.write();
      },
      changed: () => this.#soon(),
    });
  }

  #fileOf(entry: FileEntry): PackedFile {
    return new PackedFile(entry, { time: this.#o.time, changed: () => this.#soon() });
  }

  #add(one: One): Result<void> {
    this.#join(one);
    const written = this.#book.write();
    if (!written.ok) {
      this.#leave(one);
      return fail(`it could not be written down: ${written.reason}`);
    }
    this.#settle();
    return ok(undefined);
  }

  #join(one: One): void {
    this.#open.push(one);
    if (one instanceof Pull) {
      this.#o.journal?.pin(one.request, one.entry.wish.components);
      this.#waiting.push(one);
    }
    this.turns.add(one);
  }

  #leave(one: One): void {
    this.#open = this.#open.filter((open) => open !== one);
    this.#waiting = this.#waiting.filter((waiting) => waiting !== one);
    this.turns.remove(one.request);
    if (one instanceof Pull) this.#o.journal?.unpin(one.request);
    else rm(one.entry.file, { force: true }, () => undefined);
  }

  #tick(): void {
    const nowMs = this.#o.time.nowMs();
    for (const one of this.#open) {
      if (nowMs > one.entry.expiresMs) one.fail('the request expired before all lines were sent');
      else if (one instanceof Pull) one.look();
    }
    this.#settle();
    if (this.#waiting.length > 0) this.#parkOne();
  }

  /** Of those that are searched, so that who waits gets a turn. */
  #parkOne(): void {
    const one = this.#open.find((open) => open instanceof Pull && open.isParkable(QUANTUM_MS));
    if (!(one instanceof Pull)) return;
    one.park();
    this.#waiting.push(one);
    this.#settle();
  }

  /** From within whoever told of it: afterwards, and once. */
  #soon(): void {
    if (this.#isChanged) return;
    this.#isChanged = true;
    this.#o.timers.after(0, () => {
      this.#isChanged = false;
      this.#settle();
    });
  }

  #settle(): void {
    const ended = this.#open.flatMap(endsOf);
    // Told first, then forgotten: told twice is harmless, never told is not.
    for (const [one, end] of ended) this.#end(one, end);
    for (const [one] of ended) this.#leave(one);
    if (ended.length > 0) {
      const written = this.#book.write();
      if (!written.ok) this.#o.log.error(written.reason);
    }
    this.#assign();
    this.turns.wake();
  }

  #end({ request, entry }: One, ended: Ended): void {
    const { log } = this.#o;
    if (!ended.ok) {
      log.warn('a request for logs failed', { request, reason: ended.reason });
      this.#onEnd(entry.command, false, ended.reason, {});
      return;
    }
    if (ended.end !== undefined) this.#count(request, ended.end);
    log.info('logs were sent', { request, ...ended.detail });
    this.#onEnd(entry.command, true, '', ended.detail);
  }

  #count(request: string, { redactions, missed }: End): void {
    const others = Object.entries(redactions).map(([kind, count]) => {
      return [kind, count - (missed[kind as keyof typeof missed] ?? 0)];
    });
    this.#o.redactions.add('export', Object.fromEntries(others));
    this.#o.redactions.missed('export', request, missed);
  }

  /** Whoever died or never ran waits; two at a time do not. */
  #assign(): void {
    for (const one of this.#open) {
      if (!(one instanceof Pull) || one.isRunning() || one.isMade()) continue;
      if (!this.#waiting.includes(one) && !this.#catching.has(one)) this.#waiting.push(one);
    }
    this.#waiting = this.#waiting.filter((one) => !one.isMade() && one.ended() === undefined);
    for (;;) {
      const running = this.#open.filter((one) => one instanceof Pull && one.isRunning()).length;
      if (running + this.#catching.size >= CHILDREN_MAX) return;
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#run(next);
    }
  }

  #run(pull: Pull): void {
    const { intake } = this.#o;
    if (intake === undefined || pull.entry.plan !== undefined) {
      pull.run();
      return;
    }
    this.#catching.add(pull);
    const { components } = pull.entry.wish;
    const caught = (): void => {
      this.#catching.delete(pull);
      const isBehind = intake
        .behind()
        .some(({ component, bytes }) => components.includes(component) && bytes > BEHIND_BYTES);
      if (this.#open.includes(pull) && pull.ended() === undefined && !pull.isMade()) {
        pull.run(isBehind);
      }
      this.#soon();
    };
    intake.catchUp(components, CATCH_UP_MS_MAX).then(caught, caught);
  }
}

export const openPulls = (options: PullsOptions): Pulls => new OpenPulls(options);
