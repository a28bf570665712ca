// Keeps the story of the connection for the link that has it: hears what became of each try, looks at the network
// while there is none (small files at each look, one knock at the gateway a minute), and tells an absence when the
// broker has acknowledged something again, because before that its time is not known. While all is well it does
// nothing but write down now and then that the agent lives.

import { isIP } from 'node:net';
import { join } from 'node:path';
import type { NewEvent } from '../../protocol/events.ts';
import type { Result } from '../../protocol/result.ts';
import type { LinkWatch } from '../link/types.ts';
import type { BootClock, Cancel, Files, Log, Timers } from '../ports.ts';
import type { Knocked } from '../system/knock.ts';
import type { BrokerTime } from '../telemetry/time.ts';
import { failureOf, NEVER_REACHED, resume, step, TOLD_MS_MIN } from './absence.ts';
import { isNeighbour, readNetwork } from './network.ts';
import { formatRecord, newest, parseRecord, RECORD_BYTES_MAX, type Totals } from './record.ts';
import type { AbsenceEvent, AbsenceModel, Look, Now, Told } from './types.ts';

/** The network is looked at, and the run directory written, so often; the disk much less (flash wears). */
const LOOK_MS = 10_000;
const KEPT_MS = 120_000;
const KNOCK_EVERY_MS = 60_000;
const SENTENCE_CHARS_MAX = 300;

export type AbsenceOptions = {
  readonly runDir: string;
  readonly dataDir: string;
  /** Of the broker, as it is now. */
  readonly host: () => string;
  readonly clock: BootClock;
  readonly timers: Timers;
  readonly files: Pick<Files, 'read' | 'some' | 'replace'>;
  /** In the background: a disk that hangs stops nobody. */
  readonly write: (path: string, text: string) => Promise<Result<void>>;
  /** Loaded when it is needed. */
  readonly knock: (host: string) => Promise<Knocked>;
  readonly time: Pick<BrokerTime, 'known' | 'nowMs'>;
  readonly report: (event: NewEvent) => void;
  readonly log: Log;
};

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

export class Absence implements LinkWatch {
  readonly #o: AbsenceOptions;
  readonly #cancel: Cancel;
  #model: AbsenceModel = NEVER_REACHED;
  #totals: Totals = {};
  /** Those of them that are on disk: a counter that was told never goes back. */
  #safeTotals: Totals = {};
  #ended: string | undefined;
  #gateway: Look['gateway'] = 'unknown';
  #knockedAtMs = Number.NEGATIVE_INFINITY;
  #keptAtMs = Number.NEGATIVE_INFINITY;
  #asleepMs: number;
  #saidFull = false;
  #keeping: Promise<void> | undefined;
  /** Something worth a write came while one was under way. */
  #isStale = false;

  constructor(options: AbsenceOptions) {
    this.#o = options;
    const { clock, timers } = options;
    this.#recall();
    this.#asleepMs = clock.bootMs() - clock.monotonicMs();
    this.#cancel = timers.every(LOOK_MS, () => this.#tick());
  }

  up(): void {
    this.#step({ kind: 'up' });
  }

  acknowledged(): void {
    if (this.#model.away === undefined && this.#model.isReached) {
      // The usual case: nothing to look at, nothing to write.
      this.#model = { ...this.#model, contactBootMs: this.#o.clock.bootMs() };
      return;
    }
    this.#step({ kind: 'acknowledged', look: this.#look() });
    this.#gateway = 'unknown';
    this.#keep(true);
  }

  down(reason: string): void {
    const failure = failureOf(reason);
    const sentence = reason.slice(0, SENTENCE_CHARS_MAX);
    const wasReached = this.#model.isReached;
    this.#step({ kind: 'down', failure, sentence, look: this.#look() });
    if (failure !== 'refused') this.#knock();
    if (wasReached) this.#keep(true);
  }

  /** Milliseconds by reason, of absences that are over. */
  totalsMs(): Totals {
    return this.#safeTotals;
  }

  /** The agent ends in good order. @returns once that is on disk. */
  async end(reason: string): Promise<void> {
    this.#cancel();
    this.#ended = reason.slice(0, SENTENCE_CHARS_MAX);
    await this.#keeping;
    this.#keep(true);
    await this.#keeping;
  }

  get #paths() {
    const { runDir, dataDir } = this.#o;
    return { run: join(runDir, 'absence.json'), kept: join(dataDir, 'absence.json') };
  }

  #now(): Now {
    const { clock, time } = this.#o;
    return { bootMs: clock.bootMs(), brokerMs: time.known() ? time.nowMs() : undefined };
  }

  #recall(): void {
    const { files, clock, log } = this.#o;
    const read = (path: string) => {
      const record = parseRecord(files.read(path, RECORD_BYTES_MAX));
      if (record === 'damaged') log.warn(`${path} cannot be read: absences begin anew`, { path });
      return record;
    };
    const bootId = clock.bootId();
    const found = newest(read(this.#paths.run), read(this.#paths.kept), bootId);
    if (found === undefined) return;
    this.#totals = found.totalsMs;
    this.#safeTotals = found.totalsMs;
    const bootMs = clock.bootMs();
    // A boot id that says nothing, or a clock that went back, is another boot.
    const isSameBoot = bootId !== '' && found.bootId === bootId && found.bootMs <= bootMs;
    this.#model = resume({ ...found, isSameBoot }, this.#now());
  }

  #look(): Look {
    return { ...readNetwork(this.#o.files).look, gateway: this.#gateway };
  }

  #step(event: AbsenceEvent): void {
    const { model, told } = step(this.#model, event, this.#now());
    this.#model = model;
    if (told !== undefined) this.#tell(told);
  }

  #tell({ fromMs, untilMs, why, parts, reason }: Told): void {
    const totals: Record<string, number> = { ...this.#totals };
    for (const [name, ms] of Object.entries(parts)) totals[name] = (totals[name] ?? 0) + ms;
    this.#totals = totals;
    if (untilMs - fromMs < TOLD_MS_MIN) return;
    const several = Object.keys(parts).length > 1 ? { parts: whole(parts) } : {};
    const fields = { fromMs, untilMs, why, ...several, reason };
    this.#o.log.info('the broker is reached again', { ...fields });
    this.#o.report({ kind: 'away', component: '', fields });
  }

  #tick(): void {
    const { clock } = this.#o;
    const asleepMs = clock.bootMs() - clock.monotonicMs();
    const sleptMs = asleepMs - this.#asleepMs;
    this.#asleepMs = asleepMs;
    if (sleptMs >= TOLD_MS_MIN) this.#step({ kind: 'slept', ms: sleptMs });
    if (this.#model.away !== undefined) this.#step({ kind: 'looked', look: this.#look() });
    const text = this.#text();
    const written = this.#o.files.replace(this.#paths.run, text, 0o600);
    // Once: a full disk must not fill the log as well.
    if (!written.ok && !this.#saidFull) this.#o.log.warn(written.reason);
    this.#saidFull = !written.ok;
    this.#keep(false);
  }

  #text(): string {
    const { bootMs, brokerMs } = this.#now();
    const bootId = this.#o.clock.bootId();
    const totalsMs = this.#totals;
    const record = { bootId, bootMs, brokerMs, ended: this.#ended, totalsMs };
    return formatRecord({ ...record, model: this.#model });
  }

  /** One write at a time; what changes meanwhile is written with the next. */
  #keep(isNews: boolean): void {
    const now = this.#o.clock.monotonicMs();
    if (!isNews && now - this.#keptAtMs < KEPT_MS) return;
    if (this.#keeping !== undefined) {
      this.#isStale ||= isNews;
      return;
    }
    this.#keptAtMs = now;
    this.#isStale = false;
    const totals = this.#totals;
    this.#keeping = this.#o.write(this.#paths.kept, this.#text()).then((written) => {
      this.#keeping = undefined;
      if (written.ok) this.#safeTotals = totals;
      if (this.#isStale && written.ok) this.#keep(true);
    });
  }

  /** Not for a broker on this machine: it is behind no gateway. */
  #knock(): void {
    const now = this.#o.clock.monotonicMs();
    const { gateway } = readNetwork(this.#o.files);
    if (gateway === undefined || !this.#model.isNetworked || isLoopback(this.#o.host())) return;
    if (now - this.#knockedAtMs < KNOCK_EVERY_MS) return;
    this.#knockedAtMs = now;
    void this.#o.knock(gateway).then((answer) => {
      if (this.#model.away === undefined) return;
      const neighbour = isNeighbour(this.#o.files.read('/proc/net/arp'), gateway);
      const isSilent = answer === 'silent' || (answer === 'unknown' && neighbour === false);
      this.#gateway = isSilent ? 'silent' : answer === 'answers' ? 'reached' : 'unknown';
      this.#step({ kind: 'looked', look: this.#look() });
    });
  }
}

const whole = (parts: Told['parts']): Record<string, number> =>
  Object.fromEntries(Object.entries(parts).map(([reason, ms]) => [reason, Math.round(ms)]));
