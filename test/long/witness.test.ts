// A real witness thread in a real component: what it tells of a main thread that is stuck, and that nothing of it is
// felt by one that is not.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Expected } from '../../agent/channel/admission.ts';
import { topFrameOf, WITNESS_WAIT_MS_MAX } from '../../agent/channel/ask.ts';
import { type ChannelServer, openChannel } from '../../agent/channel/server.ts';
import { socketFiles } from '../../agent/system/disk.ts';
import { realPorts } from '../../agent/system.ts';
import { until } from '../real/agent-rig.ts';

const { timers } = realPorts();
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const COMPONENT = resolve('test/real/witness-component.ts');

let folder: string;
let path: string;
let server: ChannelServer;
let expected: Expected;
let children: ChildProcess[];

async function open(): Promise<void> {
  const opened = await openChannel({
    ...{ path, timers, log, files: socketFiles },
    expected: () => expected,
    onEvent: () => undefined,
  });
  if (!opened.ok) throw new Error(opened.reason);
  server = opened.value;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tw-witness-'));
  path = join(folder, 'channel.sock');
  children = [];
  const names = { instance: 'i1', token: 't1', pid: undefined };
  expected = { ...names, beatMs: 100, deadlineMs: 1_000 };
  await open();
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

type Component = { readonly child: ChildProcess; readonly text: () => string };

function start(how: string, forMs: number, flags: readonly string[] = [], more = {}): Component {
  const env = {
    PATH: process.env['PATH'] ?? '',
    TILLWATCH_SOCKET: path,
    TILLWATCH_COMPONENT: 'sale',
    TILLWATCH_INSTANCE: 'i1',
    TILLWATCH_TOKEN: 't1',
    TILLWATCH_WITNESS: '1',
    ...more,
  };
  const command = [...flags, COMPONENT, how, String(forMs)];
  const child = spawn(process.execPath, command, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  return { child, text: () => text };
}

/** Until main and witness are both there, so that it can be asked. */
async function asked(): Promise<Awaited<ReturnType<ChannelServer['askStack']>>> {
  for (let round = 0; round < 200; round += 1) {
    const answer = await server.askStack('sale');
    if (answer !== undefined) return answer;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error('there is no witness');
}

async function hang({ child, text }: Component): Promise<void> {
  await until('it runs', () => text().includes('runs'));
  await asked();
  child.kill('SIGUSR2');
  await until('it hangs', () => text().includes('hangs'));
  await new Promise((done) => setTimeout(done, 200));
}

describe('a witness', () => {
  it.each([
    ['a busy loop', 'busy', 'computeForever'],
    ['Atomics.wait', 'atomics', 'waitForNobody'],
  ])('tells where the main thread is stuck in %s, and lets it go on', async (_what, how, name) => {
    const component = start(how, 1_500);
    await hang(component);
    const seen = [await server.askStack('sale'), await server.askStack('sale')];
    const [one, other] = seen.map((answer) => topFrameOf(answer?.stack ?? []));
    expect(one).toMatch(/^\w+ \(test\/real\/witness-component\.ts:\d+\)$/);
    expect(one).toContain(name);
    expect(other).toBe(one);
    await until('it goes on', () => component.text().includes('goes on'));
    await until('its loop turns', () => /goes on\n(.*\n)*ticks/.test(component.text()));
  });

  it('says so when the main thread is not in JavaScript, and leaves nothing behind', async () => {
    const component = start('child', 1_500);
    await hang(component);
    const startMs = performance.now();
    expect(await server.askStack('sale')).toMatchObject({ stack: [], reason: /no JavaScript/ });
    expect(performance.now() - startMs).toBeLessThan(WITNESS_WAIT_MS_MAX + 1_000);
    await until('its loop turns', () => /goes on\n(.*\n)*ticks/.test(component.text()));
  });

  it('is hardly felt by a healthy component that it is asked about', async () => {
    const component = start('never', 0);
    await until('it runs', () => component.text().includes('runs'));
    for (let n = 0; n < 10; n += 1) await asked();
    await until('it turns', () => /ticks \d{3,}/.test(component.text()));
    const longestMs = Number([...component.text().matchAll(/longest (\d+)/g)].at(-1)?.[1]);
    expect(longestMs).toBeLessThan(1_000);
    expect(server.rejected()).toEqual({});
  });

  it('comes back to an agent that comes later, and dies with its component at once', async () => {
    const component = start('never', 0);
    await until('it runs', () => component.text().includes('runs'));
    await asked();
    await server.close();
    expect(await server.askStack('sale')).toBeUndefined();
    await new Promise((done) => setTimeout(done, 300));
    await open();
    expect((await asked())?.stack.length).toBeGreaterThan(0);
    const startMs = performance.now();
    component.child.kill('SIGHUP');
    await once(component.child, 'exit');
    // The channel is still open: neither its socket nor the thread keeps the process.
    expect(performance.now() - startMs).toBeLessThan(3_000);
    expect(component.text()).not.toContain('Error');
  });

  it('does not ask the thread of a child that inherited the environment', async () => {
    expected = { ...expected, pid: 1 };
    const component = start('never', 0);
    await until('it runs', () => component.text().includes('runs'));
    await asked(); // it beats, so it is the main process whatever the agent started
    expected = { ...expected, instance: 'i2', pid: 1 };
    expect(await server.askStack('sale')).toBeUndefined();
  });

  it('declines while an inspector is open, because a human may hold the thread', async () => {
    const component = start('never', 0, ['--inspect=0']);
    await until('it runs', () => component.text().includes('runs'));
    expect(await asked()).toMatchObject({ stack: [], reason: /inspector/ });
  });

  it('runs without what the program was started with', async () => {
    const preload = `data:text/javascript,process.stdout.write('preloaded;')`;
    const component = start('never', 0, [], { NODE_OPTIONS: `--import=${preload}` });
    await until('it runs', () => component.text().includes('runs'));
    await asked();
    expect(component.text().split('preloaded;')).toHaveLength(2);
  });
});
