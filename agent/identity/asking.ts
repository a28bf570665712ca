// When the broker is asked for a certificate: with a token that lies in the folder, in time before the end of the one that
// there is, or because somebody wished it. One question at a time, in a program of its own, with growing waits between
// those that fail; what comes of it is taken over by identity.ts.

import { join } from 'node:path';
import { parseToken } from '../../protocol/enrolment.ts';
import { fail, type Result } from '../../protocol/result.ts';
import type { Cancel, Clock, Log, Timers } from '../ports.ts';
import type { EnrolChild } from '../system/enrol-child.ts';
import { drop, type Loaded, readSecret } from '../system/identity-folder.ts';
import type { BrokerTime } from '../telemetry/time.ts';
import type { Done, Job } from './job.ts';
import { FILES } from './record.ts';
import { ENROL_RETRY, RENEW_RETRY, renewAtMs, retryMs, WISHED_MS_MAX } from './schedule.ts';

export type AskingOptions = {
  readonly folder: string;
  readonly terminal: string;
  readonly proxy: string | undefined;
  readonly machine: () => string;
  readonly start: (job: Job) => EnrolChild;
  readonly time: Pick<BrokerTime, 'known' | 'nowMs'>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  readonly log: Log;
};

export type AskingHandlers = {
  readonly loaded: () => Loaded | undefined;
  /** Something was offered. @returns whether it holds now. */
  readonly got: (how: Job['kind'], url: string) => Result<void>;
  /** `isNew`: another reason than before. */
  readonly failed: (how: Job['kind'], reason: string, isNew: boolean) => void;
};

/** A token is looked for so often where it is waited for, and where there is an identity already. */
const LOOK_MS = 2_000;
const LOOK_READY_EVERY = 15;
/** A broker that refuses what looks good here is reason enough to ask for a new one, so often. */
const DOUBT_MS = 3_600_000;

export class Asking {
  readonly #o: AskingOptions;
  readonly #to: AskingHandlers;
  readonly #cancel: Cancel;
  readonly #draw: number;
  #child: EnrolChild | undefined;
  #failures = 0;
  /** Monotonic: not before. */
  #retryAtMs = 0;
  #wishedAtMs = Number.POSITIVE_INFINITY;
  #doubtedAtMs = Number.NEGATIVE_INFINITY;
  #looks = 0;
  #said = '';

  constructor(options: AskingOptions, handlers: AskingHandlers) {
    this.#o = options;
    this.#to = handlers;
    this.#draw = options.random();
    this.#cancel = options.timers.every(LOOK_MS, () => this.#look());
    options.timers.after(0, () => this.#look());
  }

  renew(): void {
    const { clock, random } = this.#o;
    this.#wishedAtMs = clock.monotonicMs() + random() * WISHED_MS_MAX;
  }

  doubted(): void {
    const now = this.#o.clock.monotonicMs();
    if (now - this.#doubtedAtMs < DOUBT_MS) return;
    this.#doubtedAtMs = now;
    this.renew();
  }

  stop(): void {
    this.#cancel();
    this.#child?.stop();
  }

  #look(): void {
    this.#looks += 1;
    const now = this.#o.clock.monotonicMs();
    if (this.#child !== undefined || now < this.#retryAtMs) return;
    const isReady = this.#to.loaded() !== undefined;
    if (!isReady || this.#looks % LOOK_READY_EVERY === 1) {
      const token = this.#token();
      if (token !== undefined) {
        this.#begin({ kind: 'enrol', token, ...this.#common() });
        return;
      }
    }
    if (isReady && (now >= this.#wishedAtMs || this.#isDue())) {
      this.#begin({ kind: 'renew', ...this.#common() });
    }
  }

  /** @returns what lies there to enrol with; what is no token of this terminal's is told and removed. */
  #token(): string | undefined {
    const path = join(this.#o.folder, FILES.token);
    const text = readSecret(path);
    if (!text.ok) this.#say('error', text.reason);
    if (!text.ok || text.value === undefined) return undefined;
    const token = parseToken(text.value);
    const { terminal } = this.#o;
    const isOurs = token.ok && token.value.terminal === terminal;
    const isUsed = token.ok && this.#to.loaded()?.record.token === token.value.id;
    if (isOurs && !isUsed) return text.value.trim();
    drop(path);
    if (!token.ok) this.#say('error', `${path}: ${token.reason}`);
    else if (!isOurs) this.#say('error', `${path}: the token is for ${token.value.terminal}`);
    return undefined;
  }

  #nowMs(): number {
    const { time, clock } = this.#o;
    return time.known() ? time.nowMs() : clock.wallMs();
  }

  #isDue(): boolean {
    const loaded = this.#to.loaded();
    if (loaded === undefined) return false;
    const { notBeforeMs, notAfterMs } = loaded;
    return this.#nowMs() >= renewAtMs(notBeforeMs, notAfterMs, this.#draw);
  }

  #common() {
    const { folder, terminal, proxy, machine, time } = this.#o;
    return {
      ...{ folder, terminal, machine: machine(), floorMs: this.#to.loaded()?.notBeforeMs ?? 0 },
      ...(proxy === undefined ? {} : { proxy }),
      ...(time.known() ? { nowMs: time.nowMs() } : {}),
    };
  }

  #begin(job: Job): void {
    this.#say(
      'info',
      job.kind === 'enrol' ? 'enrolling at the broker' : 'renewing the certificate',
    );
    this.#child = this.#o.start(job);
    void this.#child.done.then((done) => {
      this.#child = undefined;
      this.#ended(job, done.ok ? done.value : { ok: false, reason: done.reason, final: false });
    });
  }

  #ended(job: Job, done: Done): void {
    const { clock, random, folder } = this.#o;
    const got = done.ok ? this.#to.got(job.kind, done.url) : fail(done.reason);
    const isFinal = !done.ok && done.final;
    if (got.ok || isFinal) {
      this.#wishedAtMs = Number.POSITIVE_INFINITY;
      if (job.kind === 'enrol') drop(join(folder, FILES.token));
    }
    if (got.ok) {
      this.#failures = 0;
      this.#said = '';
      return;
    }
    this.#failures += 1;
    const retry = job.kind === 'enrol' ? ENROL_RETRY : RENEW_RETRY;
    this.#retryAtMs = clock.monotonicMs() + retryMs(retry, this.#failures, random());
    const what = job.kind === 'enrol' ? 'not enrolled' : 'not renewed';
    const again = isFinal && job.kind === 'enrol' ? '' : '; it is tried again';
    const isNew = this.#say('warn', `${what}: ${got.reason}${again}`);
    this.#to.failed(job.kind, got.reason, isNew);
  }

  /** Once per change. */
  #say(how: 'info' | 'warn' | 'error', sentence: string): boolean {
    if (how !== 'info' && sentence === this.#said) return false;
    if (how !== 'info') this.#said = sentence;
    this.#o.log[how](sentence);
    return true;
  }
}
