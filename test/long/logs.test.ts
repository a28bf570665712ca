// Logs of a real till, asked for through a real broker: the right lines out of many, no card number
// anywhere on the way, and the same bytes whoever is killed in between.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../real/agent-rig.ts';
import { LogsRig, type LogView } from '../real/logs-rig.ts';

const CARD = '4111111111111111';
/** So many lines in an hour; a gigabyte is measured by npm run bench -- logs. */
const LINES = 250_000;
const STEP_MS = 14.4;
/** Taken within the seconds that a request waits for what was just printed. */
const FEW_LINES = 10_000;
const FROM_MS = Date.UTC(2026, 10, 23, 10);
const MINUTE = 60_000;
/** A second of lines. */
const CLOCK_LINES = 70;

let rig: LogsRig;
const startRig = async (): Promise<void> => {
  rig = new LogsRig();
  await rig.startBroker();
};

/** The agent runs and its component has printed everything; the rest of it is taken when it is asked for. */
async function startTill(lines: number): Promise<void> {
  rig.configure([lines, FROM_MS, STEP_MS]);
  void rig.till.start();
  await rig.till.ready('till');
  const folder = join(rig.till.folder, 'data', 'logs', 'till');
  await until('everything is printed', () => {
    const name = readdirSync(folder).find((one) => one.endsWith('.log')) ?? '';
    return statSync(join(folder, name)).size > lines * 90;
  });
  await until('nearly all of it is in the journal', () => rig.recordsKept() >= lines - FEW_LINES);
}

const isEnded = (view: LogView): boolean => !['waiting', 'running'].includes(view.state);
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** @param minutes of the hour. */
const windowOf = (first: number, last: number) => ({
  sinceMs: FROM_MS + first * MINUTE,
  untilMs: FROM_MS + last * MINUTE,
});

function expectWhole(id: string, view: LogView, first: number, last: number): void {
  expect(view, JSON.stringify(view)).toMatchObject({ state: 'complete', error: '' });
  const stored = rig.stored(id);
  const lines = stored.toString().split('\n').slice(0, -1);
  const numbers = lines.map((line) => Number(/"line":(\d+)/.exec(line)?.[1]));
  const from = Math.ceil((first * MINUTE) / STEP_MS);
  const to = Math.floor((last * MINUTE) / STEP_MS);
  // The window is in the broker's time, which the terminal knows to some milliseconds.
  expect(Math.abs((numbers[0] ?? 0) - from)).toBeLessThanOrEqual(CLOCK_LINES);
  expect(Math.abs((numbers.at(-1) ?? 0) - to)).toBeLessThanOrEqual(CLOCK_LINES);
  const times = [lines[0], lines.at(-1)].map((line) => Date.parse(line?.slice(0, 24) ?? ''));
  const { sinceMs, untilMs } = windowOf(first, last);
  expect(times[0]).toBeGreaterThanOrEqual(sinceMs);
  expect(times[1]).toBeLessThanOrEqual(untilMs);
  expect(numbers.every((number, at) => number === (numbers[0] ?? 0) + at)).toBe(true);
  expect(view).toMatchObject({ bytes: stored.length, lines: lines.length, sha256: sha256(stored) });
  // They were taken out on the way in: the way out finds nothing more.
  const withCard = lines.filter((line) => line.includes('declined [PAN visa ....1111] again'));
  expect(withCard.length).toBe(numbers.filter((number) => number % 100 === 0).length);
  expect(view).toMatchObject({ redactions: 0, missed: 0, truncated: false, cutBy: '' });
}

/** One till for all of them: so many lines are not brought into a journal in a moment. */
describe('a window out of a quarter of a million lines', () => {
  beforeAll(async () => {
    await startRig();
    await startTill(LINES);
  });
  afterAll(() => rig.clean());

  it('arrives to the line, and no card number on the way', async () => {
    const id = await rig.ask(windowOf(20, 24));
    const view = await rig.wait('it is answered', id, isEnded);
    expectWhole(id, view, 20, 24);
    expect(rig.filesWith(CARD)).toEqual([]);
    const command = await rig.call<{ state: string }>(
      `/api/v1/commands/${(view as LogView & { command: string }).command}`,
    );
    expect(['running', 'succeeded']).toContain(command.state);
    const own = await rig.ask({
      components: ['agent'],
      sinceMs: Date.now() - MINUTE,
      untilMs: Date.now(),
    });
    expect(await rig.wait('the agent’s own log', own, isEnded)).toMatchObject({
      state: 'complete',
    });
    expect(rig.stored(own).toString()).toContain('[agent] {"');
  });

  it('is the same when the broker is killed in the middle', async () => {
    const id = await rig.ask(windowOf(10, 18));
    const before = await rig.wait('some of it is there', id, ({ bytes }) => bytes > 500_000);
    await rig.killBroker();
    expect(before.state).toBe('running');
    await rig.startBroker();
    expectWhole(id, await rig.wait('all of it is there', id, isEnded), 10, 18);
    expect(rig.filesWith(CARD)).toEqual([]);
  });

  it('is the same when the agent is killed in the middle, twice', async () => {
    const id = await rig.ask(windowOf(10, 18));
    for (const bytes of [500_000, 2_000_000]) {
      const before = await rig.wait('some of it is there', id, (view) => view.bytes > bytes);
      await rig.killAgent();
      expect(before.state).toBe('running');
      void rig.till.start();
    }
    expectWhole(id, await rig.wait('all of it is there', id, isEnded), 10, 18);
  });
});

describe('tillwatch logs', () => {
  beforeEach(startRig);
  afterEach(() => rig.clean());

  const run = async (...args: string[]) => {
    const child = spawn(process.execPath, [resolve('cli/tillwatch.ts'), 'logs', ...args], {
      env: { ...process.env, TILLWATCH_URL: rig.url, TILLWATCH_API_TOKEN: rig.token },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const told: Buffer[] = [];
    child.stdout.on('data', (chunk) => out.push(chunk));
    child.stderr.on('data', (chunk) => told.push(chunk));
    const [exit] = await once(child, 'close');
    return { exit, out: Buffer.concat(out).toString(), told: Buffer.concat(told).toString() };
  };
  const since = new Date(FROM_MS).toISOString();
  const reason = ['--reason', 'a test'];

  it('prints the lines, writes a file, shows them again, and says what is wrong', async () => {
    await startTill(10_000);
    const until = new Date(FROM_MS + 30_000).toISOString();
    const window = ['--since', since, '--until', until];
    const { exit, out, told } = await run('lane-1', '-c', 'till', ...window, ...reason);
    expect({ exit, told }).toEqual({ exit: 0, told: '' });
    const lines = out.split('\n').slice(0, -1);
    expect(lines.length).toBeGreaterThan(2_000);
    expect(lines[0]).toMatch(
      /^2026-11-23T\d\d:\d\d:00\.\d{3}[+-]\d\d:\d\d till info \{"component":"till"/,
    );
    expect(out).toContain('declined [PAN visa ....1111] again');
    expect(out).not.toContain(CARD);

    const file = join(rig.till.folder, 'received.log');
    const saved = await run('lane-1', ...window, ...reason, '-o', file);
    expect(saved).toMatchObject({ exit: 0, told: expect.stringContaining(`in ${file}`) });
    const count = readFileSync(file, 'utf8').split('\n').length - 1;
    // Each request has its own window, by what the terminal knows of the broker's time just then.
    expect(Math.abs(count - lines.length)).toBeLessThanOrEqual(CLOCK_LINES);

    const asked = await run('lane-1', ...window, ...reason, '--no-wait');
    const again = await run('lane-1', '--request', asked.out.trim(), '--json');
    const shown = JSON.parse(again.out) as { state: string; records: unknown[] };
    expect(shown.state).toBe('complete');
    expect(Math.abs(shown.records.length - count)).toBeLessThanOrEqual(CLOCK_LINES);

    const wrong = await run('lane-1', '-c', 'tills', ...reason);
    expect(wrong).toMatchObject({ exit: 64, told: expect.stringContaining('no component tills') });
    const nobody = await run('lane-9', ...reason);
    expect(nobody).toMatchObject({ exit: 1, told: expect.stringContaining('lane-9') });
  });
});

describe('a request', () => {
  beforeEach(startRig);
  afterEach(() => rig.clean());

  it('waits for a till that is switched off, also through a restart of the broker', async () => {
    await startTill(10_000);
    await rig.killAgent();
    // What the terminal knows of the broker's time is some milliseconds wrong.
    const id = await rig.ask(windowOf(-1, 60));
    await rig.wait('it waits', id, ({ state }) => state === 'waiting');
    await rig.killBroker();
    await rig.startBroker();
    expect(await rig.wait('it still waits', id, () => true)).toMatchObject({ state: 'waiting' });
    void rig.till.start();
    const view = await rig.wait('it is answered', id, isEnded);
    expect(view).toMatchObject({ state: 'complete' });
    // And what it printed since, a line a second.
    expect(view.lines).toBeGreaterThanOrEqual(10_000);
  });

  it('for a component that is not there is refused with a sentence', async () => {
    await startTill(10_000);
    const nobody = { ...windowOf(0, 60), components: ['nobody'], reason: 'a test' };
    const refused = await rig.call<{ detail: string }>('/api/v1/terminals/lane-1/logs', nobody);
    expect(refused.detail).toContain('has no component nobody');
  });
});
