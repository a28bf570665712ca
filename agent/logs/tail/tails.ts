// All live tails of this terminal: begins them, raises the level of what is watched and puts it back however a tail
// ends (also when this agent dies: levels.ts keeps the end on disk), and tells each command's end. A tail is not
// gone on with by another agent: what was printed in between would be missing without a word.

import type { LogLevel } from '../../../protocol/catalogue.ts';
import type { Command } from '../../../protocol/commands.ts';
import type { Cancel, Clock, Log, Timers } from '../../ports.ts';
import type { BrokerTime } from '../../telemetry/time.ts';
import type { Intake } from '../intake/types.ts';
import type { PullEnd, Pulls } from '../pull/types.ts';
import type { Redactions } from '../redactions.ts';
import { FLUSH_MS, Tail } from './tail.ts';

export const TAILS_OPEN_MAX = 4;
const TOO_MANY = `${TAILS_OPEN_MAX} live tails are open: end one of them first`;

export type TailCommand = Extract<Command, { kind: 'tail' }>;

/** Who can make components say more for a while. */
export type Raising = {
  /** @returns the names that could not be asked. */
  readonly raise: (
    request: string,
    components: readonly string[],
    level: LogLevel,
    forMs: number,
  ) => Promise<readonly string[]>;
  readonly lower: (request: string) => void;
};

export type TailsOptions = {
  readonly pulls: Pick<Pulls, 'turns' | 'note' | 'forget' | 'wasCancelled'>;
  readonly intake: Pick<Intake, 'listen'>;
  /** What a request that names none asks about. */
  readonly components: readonly string[];
  readonly redactions: Pick<Redactions, 'missed'>;
  readonly time: BrokerTime;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timers: Timers;
  readonly log: Log;
};

type Open = {
  readonly tail: Tail;
  readonly stop: Cancel;
  readonly raising: Raising;
  /** Of components that do not say more. */
  notRaised: readonly string[];
};

export class Tails {
  readonly #o: TailsOptions;
  #open: readonly Open[] = [];
  #onEnd: PullEnd = () => undefined;
  #dropped = 0;
  #isChanged = false;
  #cancelTick: Cancel = () => undefined;

  constructor(options: TailsOptions) {
    this.#o = options;
  }

  start(onEnd: PullEnd): void {
    this.#onEnd = onEnd;
  }

  /** Records of all tails that were left out. */
  dropped(): number {
    return this.#dropped;
  }

  begin({ id, expiresMs, arguments: asked }: TailCommand, raising: Raising): void {
    const { request, raise, forMs } = asked;
    const { pulls, timers, log } = this.#o;
    const refused = this.#refusal(request);
    const noted = refused ?? pulls.note({ kind: 'tail', command: id, request, expiresMs });
    if (typeof noted === 'string' || !noted.ok) {
      const reason =
        typeof noted === 'string' ? noted : `it could not be written down: ${noted.reason}`;
      this.#onEnd(id, false, reason, {});
      return;
    }
    const components = asked.components.length === 0 ? this.#o.components : asked.components;
    const tail = this.#tailOf({ ...asked, components: [...components] }, id);
    const stop = this.#o.intake.listen((component, record) => tail.hear(component, record), {
      ...{ urgent: true, components: new Set(components) },
    });
    const open: Open = { tail, stop, raising, notRaised: [] };
    if (this.#open.length === 0) this.#cancelTick = timers.every(FLUSH_MS, () => this.#tick());
    this.#open = [...this.#open, open];
    pulls.turns.add(tail);
    log.info('a live tail begins', { request, components, forMs });
    if (raise === undefined) return;
    void raising.raise(request, components, raise, forMs).then((names) => {
      open.notRaised = names;
      // It was asked while the tail ended.
      if (!tail.isOpen()) raising.lower(request);
    });
  }

  /** What was sent stays. @returns whether there was one. */
  cancel(request: string): boolean {
    const open = this.#open.find(({ tail }) => tail.request === request);
    open?.tail.cancel();
    return open !== undefined;
  }

  /** The agent ends: the next one says what became of them. */
  stop(): void {
    this.#cancelTick();
    for (const { tail, stop, raising } of this.#open) {
      stop();
      raising.lower(tail.request);
    }
    this.#open = [];
  }

  #refusal(request: string): string | undefined {
    if (this.#o.pulls.wasCancelled(request)) return 'it was cancelled before it began';
    return this.#open.length >= TAILS_OPEN_MAX ? TOO_MANY : undefined;
  }

  #tailOf(asked: TailCommand['arguments'], command: string): Tail {
    const { time, clock, redactions } = this.#o;
    return new Tail({
      ...{ asked, command, nowMs: time.nowMs, offsetMs: time.offsetMs },
      monotonicMs: clock.monotonicMs,
      missed: (request, counts) => redactions.missed('tail', request, counts),
      dropped: (count) => {
        this.#dropped += count;
      },
      changed: () => this.#soon(),
    });
  }

  #tick(): void {
    for (const { tail } of this.#open) tail.look();
  }

  /** Told from within the intake and the link: done afterwards, and once. */
  #soon(): void {
    if (this.#isChanged) return;
    this.#isChanged = true;
    this.#o.timers.after(0, () => {
      this.#isChanged = false;
      this.#settle();
    });
  }

  #settle(): void {
    for (const { tail, stop, raising } of this.#open) {
      if (tail.isOpen()) continue;
      // Nobody watches any more, though its end may still be on its way.
      stop();
      raising.lower(tail.request);
    }
    const ended = this.#open.filter(({ tail }) => tail.ended() !== undefined);
    for (const open of ended) this.#end(open);
    this.#open = this.#open.filter((open) => !ended.includes(open));
    if (this.#open.length === 0) this.#cancelTick();
    this.#o.pulls.turns.wake();
  }

  #end({ tail, notRaised }: Open): void {
    const { pulls, log } = this.#o;
    const ended = tail.ended();
    pulls.turns.remove(tail.request);
    pulls.forget(tail.request);
    if (ended === undefined) return;
    log.info('a live tail ended', { request: tail.request, reason: ended.ok ? '' : ended.reason });
    const more = notRaised.length === 0 ? {} : { notRaised };
    if (ended.ok) this.#onEnd(tail.command, true, '', { ...ended.detail, ...more });
    else this.#onEnd(tail.command, false, ended.reason, {});
  }
}
