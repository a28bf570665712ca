// Carries one job after the other from the queue to the printer. A job is `printing` on disk before its first
// byte leaves and ends as done (the fence behind it was answered), failed (never begun) or unknown (begun,
// and nobody can say). A printer that does not answer at all still gets its jobs, because a till that
// refuses to print over a question it could not ask is worse than an honest `unknown` (research/pos.md 1.4).

import { sleep } from '../../shared/loops.ts';
import type { Tools, Work } from '../device/device.ts';
import type { Look } from '../device/machine.ts';
import { encodeJob, FENCE, fenceName, isNamedFence, namedFence } from '../escpos.ts';
import type { Job, PrintQueue } from '../queue.ts';
import type { Message, Talk } from './escpos-reader.ts';

type Ground = {
  readonly queue: PrintQueue;
  /** Wall clock: jobs outlive the process. */
  readonly now: () => number;
  readonly fenceMs: number;
  readonly named: boolean;
  readonly ask: (talk: Talk, tools: Tools) => Promise<Look>;
  /** Since the last question: it recovered from an error and dropped what it held. */
  readonly dropped: () => boolean;
  /** The job was not answered for: the printer may hang in the middle of something. */
  readonly suspect: () => void;
};
type End = {
  readonly state: 'done' | 'unknown';
  readonly reason: string;
  readonly look?: Look;
};

const LOOK_MS = 500;
const BLIND_MS = 3_000;
const unknown = (reason: string, look?: Look): End => ({
  state: 'unknown',
  reason,
  ...(look && { look }),
});

export class Printing {
  readonly results = new Map<string, number>();
  readonly #ground: Ground;
  /** From then on, what is left of an unknown job in the printer is to be cleared. */
  #staleMs: number | undefined;
  #recovered = false;
  #number = 0;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** @returns whether the printer may hold a job whose time is over. */
  tick(): boolean {
    const { queue, now } = this.#ground;
    if (!this.#recovered) {
      this.#recovered = true;
      const lost = queue.recover();
      if (lost.count > 0) this.#count('unknown', lost.count);
      this.#staleMs = lost.untilMs;
    }
    const expired = queue.expire(now());
    if (expired > 0) this.#count('failed', expired);
    queue.purge(now());
    return this.#staleMs !== undefined && now() >= this.#staleMs;
  }

  cleared(): void {
    this.#staleMs = undefined;
  }

  async next(talk: Talk, tools: Tools, blindly: boolean): Promise<Work> {
    const { queue, suspect } = this.#ground;
    const job = queue.next();
    if (job === undefined) return { did: false };
    // On disk before the first byte leaves: after a crash this job is `unknown`, never sent again.
    queue.set(job.id, 'printing');
    const end = await this.#print(talk, tools, job, blindly);
    queue.set(job.id, end.state, end.reason);
    this.#count(end.state);
    if (end.state === 'done') {
      // Everything before it went through as well.
      this.#staleMs = undefined;
      tools.count('ReceiptLinePrintedCount', job.text.split('\n').length);
      tools.count('PaperCutCount');
    } else {
      this.#staleMs = Math.max(this.#staleMs ?? 0, job.untilMs);
      suspect();
    }
    return { did: true, ...(end.look && { look: end.look }) };
  }

  #count(result: string, by = 1): void {
    this.results.set(result, (this.results.get(result) ?? 0) + by);
  }

  #fence(): { bytes: Uint8Array; accepts: (message: Message) => boolean } {
    if (!this.#ground.named) return { bytes: FENCE, accepts: ({ kind }) => kind === 'fence' };
    this.#number += 1;
    const name = fenceName(this.#number);
    const accepts = (message: Message): boolean =>
      message.kind === 'block' && isNamedFence(message.bytes, name);
    return { bytes: namedFence(name), accepts };
  }

  async #print(talk: Talk, tools: Tools, job: Job, blindly: boolean): Promise<End> {
    const { fenceMs, now, dropped } = this.#ground;
    dropped();
    const fence = this.#fence();
    const limitMs = blindly ? BLIND_MS : Math.max(fenceMs, job.untilMs - now());
    let answered = false;
    const answer = talk.wait(fence.accepts, limitMs).then((message) => {
      answered = message !== undefined;
    });
    if (!(await talk.write(encodeJob(job.text, fence.bytes)))) {
      const look: Look | undefined = talk.stuck ? { kind: 'probe', fault: 'stuck' } : undefined;
      return unknown('the printer did not take all of it', look);
    }
    if (blindly) {
      await answer;
      if (answered) return { state: 'done', reason: '' };
      return unknown('sent all the same: the printer does not say how it is');
    }
    return await this.#await(talk, tools, job, { over: () => answered, answer });
  }

  /** Paper may end in the middle: then the printer waits for a human, and so does the job. */
  async #await(
    talk: Talk,
    tools: Tools,
    job: Job,
    fence: { over: () => boolean; answer: Promise<void> },
  ): Promise<End> {
    const { now, ask, dropped, fenceMs } = this.#ground;
    let healthyMs = 0;
    while (healthyMs < fenceMs) {
      await Promise.race([fence.answer, sleep(LOOK_MS)]);
      if (fence.over()) return { state: 'done', reason: '' };
      if (!talk.open) return unknown('the connection broke while printing');
      if (now() >= job.untilMs) return unknown('its time was over while printing');
      const look = await ask(talk, tools);
      if (fence.over()) return { state: 'done', reason: '' };
      if (!talk.open) return unknown('the connection broke while printing');
      if (dropped()) return unknown('the printer recovered from an error and dropped what it held');
      if (look.kind === 'probe') return unknown('the printer fell silent while printing', look);
      tools.report(look);
      healthyMs = look.kind === 'well' ? healthyMs + LOOK_MS : 0;
    }
    const detail = 'it takes jobs and does nothing with them';
    const look: Look = { kind: 'probe', fault: 'wedged', detail };
    return unknown('the printer did not say that it was done', look);
  }
}
