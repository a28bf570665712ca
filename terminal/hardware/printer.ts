// Drives one receipt printer: keeps a link open, asks for its state before every job and while idle, prints
// one job at a time and believes only the fence behind it. "Sent" is not "printed": without the fence's
// answer a job is `unknown`. Paper end and open cover hold the queue and call for a human; a printer that
// cannot be reached or does not answer gets a new connection, with growing pauses.

import type { Log } from '../shared/log.ts';
import { backoffCeilingMs, fullJitterMs, type Loop, sleep, startLoop } from '../shared/loops.ts';
import {
  askStatus,
  type ErrorCode,
  encodeJob,
  isFence,
  isStatus,
  SENTENCES,
  type StatusBytes,
  troubleOf,
} from './escpos.ts';
import { PrinterLink } from './printer-link.ts';
import type { Job, JobState, PrintQueue } from './queue.ts';

const STATUS_MS = 1_000;
const IDLE_POLL_MS = 2_000;
const TROUBLE_POLL_MS = 500;
/** A healthy printer is through a receipt in two or three seconds. */
const FENCE_MS = 10_000;
const REOPEN_MS_MIN = 250;
const REOPEN_MS_MAX = 10_000;

/** UnifiedPOS device states. */
export const DEVICE_STATES = ['CLOSED', 'IDLE', 'BUSY', 'ERROR'] as const;
export type DeviceState = (typeof DEVICE_STATES)[number];
type Counts = Map<string, number>;
const count = (counts: Counts, key: string, by = 1): void => {
  counts.set(key, (counts.get(key) ?? 0) + by);
};

type Ground = {
  readonly host: string;
  readonly port: number;
  readonly queue: PrintQueue;
  readonly log: Log;
  readonly now: () => number;
  readonly onTrouble: (trouble: ErrorCode | undefined) => void;
};

export class Printer {
  readonly errors: Counts = new Map();
  readonly results: Counts = new Map();
  reopened = 0;
  readonly #ground: Ground;
  #link: PrinterLink | undefined;
  #state: DeviceState = 'CLOSED';
  #trouble: ErrorCode | undefined;
  #wasOpen = false;
  #attempt = 0;
  #loop: Loop | undefined;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  start(): void {
    const { queue } = this.#ground;
    const lost = queue.recover();
    if (lost > 0) count(this.results, 'unknown', lost);
    this.#loop = startLoop(this.#ground.log, (signal) => this.#turn(signal));
  }

  wake(): void {
    // While the printer is in trouble a new job changes nothing and must not cut the pause short.
    if (this.#trouble === undefined) this.#loop?.wake();
  }

  state(): DeviceState {
    return this.#state;
  }

  trouble(): ErrorCode | undefined {
    return this.#trouble;
  }

  async stop(): Promise<void> {
    const ended = this.#loop?.stop();
    // Ends every wait for an answer at once.
    this.#link?.close();
    await ended;
    this.#state = 'CLOSED';
  }

  /** @returns the pause until the next turn. */
  async #turn(signal: AbortSignal): Promise<number> {
    const { queue, now } = this.#ground;
    const expired = queue.expire(now());
    if (expired > 0) count(this.results, 'failed', expired);
    queue.purge(now());
    const link = await this.#open();
    if (link === undefined || signal.aborted) return this.#reopenPauseMs();
    const status = await this.#ask(link);
    if (signal.aborted) return 0;
    const trouble = troubleOf(status);
    this.#judge(trouble);
    if (trouble === 'E_TIMEOUT') return this.#drop(link);
    this.#attempt = 0;
    if (trouble !== undefined) return TROUBLE_POLL_MS;
    const job = queue.next();
    if (job === undefined) return IDLE_POLL_MS;
    await this.#print(link, job);
    return 0;
  }

  async #open(): Promise<PrinterLink | undefined> {
    if (this.#link?.open) return this.#link;
    this.#link = undefined;
    const { host, port } = this.#ground;
    const opened = await PrinterLink.open(host, port);
    if (!opened.ok) {
      this.#judge('E_NOHARDWARE');
      return undefined;
    }
    if (this.#wasOpen) this.reopened += 1;
    this.#wasOpen = true;
    this.#link = opened.value;
    return opened.value;
  }

  #drop(link: PrinterLink): number {
    link.close();
    this.#link = undefined;
    return this.#reopenPauseMs();
  }

  #reopenPauseMs(): number {
    this.#attempt += 1;
    const ceilingMs = backoffCeilingMs(this.#attempt - 1, REOPEN_MS_MIN, REOPEN_MS_MAX);
    return REOPEN_MS_MIN / 2 + fullJitterMs(ceilingMs);
  }

  async #ask(link: PrinterLink): Promise<StatusBytes> {
    const one = async (n: 1 | 2 | 4): Promise<number | undefined> => {
      link.write(askStatus(n));
      return await link.answer(isStatus, STATUS_MS);
    };
    // One after the other: the answers do not say which question they belong to.
    const printer = await one(1);
    const offline = printer === undefined ? undefined : await one(2);
    const paper = offline === undefined ? undefined : await one(4);
    return { printer, offline, paper };
  }

  /** Counts and tells a trouble when it begins, not each time that it is seen. */
  #judge(trouble: ErrorCode | undefined, working = false): void {
    const { log, onTrouble } = this.#ground;
    if (trouble === undefined) this.#state = working ? 'BUSY' : 'IDLE';
    else this.#state = trouble === 'E_NOHARDWARE' ? 'CLOSED' : 'ERROR';
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    if (trouble === undefined) log.info('the printer is well');
    else {
      count(this.errors, trouble);
      log.warn(SENTENCES[trouble], { code: trouble });
    }
    onTrouble(trouble);
  }

  async #print(link: PrinterLink, job: Job): Promise<void> {
    const { queue, log } = this.#ground;
    // On disk before the first byte leaves: after a crash this job is `unknown`, never sent again.
    queue.set(job.id, 'printing');
    this.#state = 'BUSY';
    link.write(encodeJob(job.text));
    const [state, reason] = await this.#awaitFence(link, job);
    queue.set(job.id, state, reason);
    count(this.results, state);
    if (state === 'done') {
      this.#judge(undefined);
      return;
    }
    log.warn('a print job ended in doubt', { job: job.id, state, reason });
    link.close();
  }

  /** Paper may end in the middle: then the printer waits for a human, and so does the job. */
  async #awaitFence(link: PrinterLink, job: Job): Promise<[JobState, string]> {
    const { now } = this.#ground;
    let answered = false;
    const fence = link.answer(isFence, Math.max(FENCE_MS, job.untilMs - now())).then((byte) => {
      answered = byte !== undefined;
    });
    let healthyMs = 0;
    while (healthyMs < FENCE_MS) {
      await Promise.race([fence, sleep(TROUBLE_POLL_MS)]);
      if (answered) return ['done', ''];
      if (!link.open) return ['unknown', 'the connection broke while printing'];
      if (now() >= job.untilMs) return ['unknown', 'its time was over while printing'];
      const trouble = troubleOf(await this.#ask(link));
      if (answered) return ['done', ''];
      if (!link.open) return ['unknown', 'the connection broke while printing'];
      this.#judge(trouble, true);
      if (trouble === 'E_TIMEOUT') return ['unknown', 'the printer fell silent while printing'];
      healthyMs = trouble === undefined ? healthyMs + TROUBLE_POLL_MS : 0;
    }
    return ['unknown', 'the printer did not say that it was done'];
  }
}
