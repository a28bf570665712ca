// Requests for logs over a real journal with real processes that are killed at any moment, and with everything that a
// request or a component can say to make a search hang: the bytes are the same, and the answer comes.

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Job } from '../../agent/logs/pull/job.ts';
import type { PullHears } from '../../agent/system/pull-child.ts';
import { startPull } from '../../agent/system/pull-child.ts';
import { folder } from '../unit/fleet-rig.ts';
import {
  blocksOf,
  chunkOf,
  commandFor,
  jobOf,
  journalOf,
  NOON,
  recordOf,
  wishOf,
  work,
} from '../unit/pull-rig.ts';
import { seeded } from '../unit/redact-corpus.ts';

type Said = { bytes: Buffer; end: Parameters<PullHears['end']>[0] | undefined; why: string };

/** One process from its job to its end. */
async function asked(job: Job): Promise<Said & { ms: number; firstMs: number }> {
  const began = performance.now();
  const parts: Buffer[] = [];
  let firstMs = 0;
  const said: Said = { bytes: Buffer.alloc(0), end: undefined, why: '' };
  await new Promise<void>((done) => {
    const nothing = (): void => undefined;
    let made = 0;
    const child = startPull(
      { ...job, chunks: 4 },
      {
        ...{ plan: nothing, progress: nothing },
        chunk: ({ bytes }) => {
          firstMs ||= performance.now() - began;
          parts.push(Buffer.from(chunkOf(bytes).body));
          made += 1;
          child.go({ chunks: made + 4, fromByte: 0 });
        },
        end: (end) => {
          said.end = end;
        },
        failed: (reason) => {
          said.why = reason;
        },
        gone: () => done(),
      },
      false,
    );
  });
  return { ...said, bytes: Buffer.concat(parts), ms: performance.now() - began, firstMs };
}

describe('a process that searches', () => {
  it.each([
    ['(.*a){20}', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaa'],
    ['(a+)+$', `${'a'.repeat(60)}!`],
    ['(x+x+)+y', 'x'.repeat(200)],
  ])('is not held up by %s', async (pattern, text) => {
    // What V8 would take ages for, many times over; a block is read once and looked through often.
    const records = Array.from({ length: 2_000 }, (_, n) => recordOf(`${n} ${text}`));
    const path = await journalOf(Array.from({ length: 20 }, () => ['sale', records] as const));
    const { ms, end, why } = await asked(jobOf(path, { wish: wishOf({ pattern }) }));
    expect(why).toBe('');
    expect(end?.totals.searchedBytes).toBeGreaterThan(1_000_000);
    expect(ms).toBeLessThan(30_000);
  });

  it('takes whatever a component has printed: bytes, and records as long as blocks', async () => {
    const binary = String.fromCharCode(...Array.from({ length: 4_000 }, (_, n) => n % 256));
    const long = `${'7'.repeat(100_000)} ${'é'.repeat(20_000)}`;
    const path = await journalOf([['sale', [recordOf(binary), recordOf(long), recordOf('on')]]]);
    const { bytes, end } = await asked(jobOf(path));
    expect(end?.totals).toMatchObject({ records: 3, bytes: bytes.length });
    expect(bytes.toString().endsWith('] on\n')).toBe(true);
    expect(end?.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  it('has the lowest priority that there is, once its first chunk is there', async () => {
    const path = await journalOf(blocksOf('sale', 20_000, undefined, 2_000));
    let pid: number | undefined;
    await new Promise<void>((done) => {
      const nothing = (): void => undefined;
      const hears = { plan: nothing, progress: nothing, end: nothing, failed: nothing };
      const child = startPull(
        jobOf(path, { chunks: 1 }),
        { ...hears, chunk: () => done(), gone: nothing },
        false,
      );
      pid = child.pid;
      onTestFinished(child.stop);
    });
    const niceOf = (): number =>
      Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[16]);
    await vi.waitFor(() => expect(niceOf()).toBe(19));
  });
});

/** An agent's pulls in a process of their own, with a broker that is this test. */
class Agent {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(path: string, book: string) {
    const program = resolve('test/long/pull-child.ts');
    this.#child = spawn(process.execPath, [program, path, book], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const out = this.#child.stdout;
    if (out === null) throw new Error('no output');
    this.#lines = createInterface({ input: out })[Symbol.asyncIterator]();
  }

  say(words: object): void {
    this.#child.stdin?.write(`${JSON.stringify(words)}\n`);
  }

  async hear(): Promise<{ chunk?: string; told?: unknown; child?: number } | undefined> {
    const { value, done } = await this.#lines.next();
    return done === true ? undefined : JSON.parse(value);
  }

  async kill(): Promise<void> {
    const gone = once(this.#child, 'exit');
    if (this.#child.kill('SIGKILL')) await gone;
  }
}

describe('an agent and its search', () => {
  let agent: Agent | undefined;
  afterEach(() => agent?.kill());

  it('that are killed at any moment, bring the same bytes, each once', async () => {
    const path = await journalOf(blocksOf('sale', 60_000, undefined, 2_000));
    const whole = Buffer.from((await work(jobOf(path))).text);
    const random = seeded(Number(process.env['SEED'] ?? 4));
    const book = join(folder(), 'pulls.json');
    writeFileSync(book, '[]');
    const command = { ...commandFor(), expiresMs: NOON * 2 };
    const { request } = command.arguments;
    let held = Buffer.alloc(0);
    let isEnded = false;
    let kills = 0;
    let told: unknown;
    agent = new Agent(path, book);
    agent.say({ begin: command });
    while (told === undefined) {
      const heard = await agent.hear();
      if (heard === undefined) throw new Error('the agent ended by itself');
      if (heard.told !== undefined) told = heard.told;
      if (heard.chunk === undefined) continue;
      const chunk = chunkOf(Buffer.from(heard.chunk, 'base64'));
      expect(chunk.offset).toBeLessThanOrEqual(held.length);
      const more = chunk.body.subarray(held.length - chunk.offset);
      held = Buffer.concat([held, more]);
      isEnded ||= chunk.last;
      if (kills < 6 && random() < 0.25) {
        kills += 1;
        if (random() < 0.5 && heard.child !== undefined) process.kill(heard.child, 'SIGKILL');
        else {
          await agent.kill();
          agent = new Agent(path, book);
          continue;
        }
      }
      agent.say({ ack: request, upTo: held.length + (isEnded ? 1 : 0) });
    }
    expect(kills).toBeGreaterThan(2);
    expect(held.equals(whole)).toBe(true);
    expect(told).toMatchObject([command.id, true, '', { bytes: whole.length, records: 60_000 }]);
  });
});
