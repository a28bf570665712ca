// The process that searches is another program on a till that is short of everything: whatever it says, and whether or
// not it can be started, the agent that asked lives on.

import type { ChildProcess, spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeFrame, LETTERS, MORE_LETTERS } from '../../agent/logs/pull/frames.ts';
import { NO_RULES } from '../../redact/index.ts';
import { blocksOf, commandFor, journalOf, terminalOver } from './pull-rig.ts';

let begin: () => unknown = () => undefined;
vi.mock('node:child_process', async (load) => ({
  ...(await load<object>()),
  spawn: (() => begin()) as unknown as typeof spawn,
}));
const { startPull } = await import('../../agent/system/pull-child.ts');

const job = {
  ...{ folder: '/nowhere', request: 'r', component: '', offsetMs: 0, nowMs: 0, plan: undefined },
  ...{ rules: NO_RULES, chunks: 1, fromByte: 0 },
  wish: {
    ...{ components: [], sinceMs: 0, untilMs: 1, bytesMax: 1, context: 0, searchMs: 1 },
  },
};

let gone: string[];
let heard: unknown[];
const start = () =>
  startPull(
    job,
    {
      plan: (plan) => heard.push(plan),
      chunk: (chunk) => heard.push(chunk),
      progress: (progress) => heard.push(progress),
      end: (end) => heard.push(end),
      failed: (reason) => heard.push(reason),
      gone: (why) => gone.push(why),
    },
    true,
  );
const later = () => new Promise((done) => setTimeout(done, 20));
beforeEach(() => {
  gone = [];
  heard = [];
});

function program() {
  const child = Object.assign(new EventEmitter(), {
    ...{ stdin: new PassThrough(), stdout: new PassThrough(), pid: 1 },
    kill: (signal: string) => {
      setImmediate(() => child.emit('close', null, signal));
      return true;
    },
  });
  begin = () => child as unknown as ChildProcess;
  return child;
}

describe('the process that searches', () => {
  it('is killed when what it says makes no sense, and the agent lives on', async () => {
    for (const frame of [
      encodeFrame(LETTERS.plan, Buffer.from('{"redactor": "til')),
      encodeFrame(MORE_LETTERS.failed, Buffer.from('null')),
      encodeFrame(LETTERS.chunk, Buffer.from('short')),
      Buffer.from('Segmentation fault, and more words'),
    ]) {
      const child = program();
      start();
      const listener = child.stdout.listeners('data').at(-1);
      expect(() => listener?.(frame)).not.toThrow();
      await later();
    }
    expect(gone).toEqual(['SIGKILL', 'SIGKILL', 'SIGKILL', 'SIGKILL']);
    expect(heard).toEqual([]);
  });

  it('that cannot be started is one that has died', async () => {
    begin = () => {
      throw Object.assign(new Error('spawn ENOMEM'), { code: 'ENOMEM' });
    };
    const none = start();
    none.go({ chunks: 2, fromByte: 0 });
    none.cancel();
    await later();
    // No file descriptor for its pipes: there are none, and its error comes later.
    const child = program();
    Object.assign(child, { stdin: undefined, stdout: undefined });
    const other = start();
    other.go({ chunks: 2, fromByte: 0 });
    child.emit('error', Object.assign(new Error('spawn EMFILE'), { code: 'EMFILE' }));
    await later();
    expect(gone).toEqual([expect.stringContaining('ENOMEM'), expect.stringContaining('EMFILE')]);
    const stopped = start();
    stopped.stop();
    await later();
    expect(gone).toHaveLength(2);
  });
});

describe('a request', () => {
  it('pins all that its plan reads, also what was taken while it was planned', async () => {
    const pinned: string[] = [];
    const world = terminalOver(await journalOf(blocksOf('sale', 50)), {
      journal: { pin: (id) => pinned.push(id), unpin: () => undefined },
    });
    const pulls = world.open();
    const command = commandFor();
    pulls.begin(command);
    expect(pinned).toEqual([command.arguments.request]);
    await world.turn(20);
    expect(pinned).toEqual([command.arguments.request, command.arguments.request]);
  });
});
