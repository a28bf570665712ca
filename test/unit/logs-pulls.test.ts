// The pulls of one terminal: they outlive the agent, end in time, never hold live data up, and keep the files
// that they read.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { advance, EMPTY_JOURNAL, receive, recover } from '../../agent/commands.ts';
import { startLink } from '../../agent/link/link.ts';
import type { SessionHandlers } from '../../agent/link/session.ts';
import type { LogsCommand } from '../../agent/logs/plan.ts';
import { openPulls, PULLS_OPEN_MAX } from '../../agent/logs/pulls.ts';
import type { Outbox, Outgoing } from '../../agent/telemetry/types.ts';
import { epochOfRequest } from '../../protocol/logs.ts';
import { fail, ok } from '../../protocol/result.ts';
import { encodeAck } from '../../protocol/wire.ts';
import { fakeTime, quiet } from './fleet-rig.ts';
import { commandFor, journalOf, NOON } from './logs-rig.ts';

type Told = { command: string; succeeded: boolean; reason: string };

function terminal(logDir: string, disk: { text?: string; full?: boolean } = {}) {
  const time = fakeTime();
  const told: Told[] = [];
  const open = () => {
    const pulls = openPulls({
      ...{ path: 'pulls.json', places: { logDir, ownLog: '/none', components: ['sale'] } },
      read: () => disk.text,
      write: (_path, text) => {
        if (disk.full) return fail('no space');
        disk.text = text;
        return ok(undefined);
      },
      time: { nowMs: time.clock.wallMs, offsetMs: () => 0, known: () => true, learn: () => true },
      ...{ clock: time.clock, timers: time.timers, random: () => 0, log: quiet },
    });
    pulls.start((command, succeeded, reason) => told.push({ command, succeeded, reason }));
    return pulls;
  };
  return { time, told, disk, open };
}
const ask = (
  time: ReturnType<typeof fakeTime>,
  change: Partial<LogsCommand> = {},
): LogsCommand => ({
  ...commandFor(),
  expiresMs: time.clock.wallMs() + 60_000,
  ...change,
});

describe('pulls', () => {
  it('are gone on with by the next agent, and their command is not given up', () => {
    const { time, told, open } = terminal(journalOf(100));
    const first = open();
    const command = ask(time);
    first.begin(command);
    expect(first.take()).toBeDefined();
    first.stop();
    const second = open();
    expect([...second.resumed]).toEqual([command.id]);
    expect(second.take()).toBeDefined();
    expect(told).toEqual([]);
    const setting = { terminal: 'lane-1', components: new Set(['sale']), nowMs: NOON };
    const accepted = receive(EMPTY_JOURNAL, command, setting).journal;
    const running = advance(accepted, command.id, 'running', '', NOON).journal;
    expect(recover(running, NOON, second.resumed).answers).toEqual([]);
    expect(recover(running, NOON).answers[0]?.state).toBe('unknown');
  });

  it('end with their request’s expiry, and when they cannot be written down', () => {
    const { time, told, disk, open } = terminal(journalOf(100));
    const pulls = open();
    const command = ask(time);
    pulls.begin(command);
    pulls.take();
    time.pass(62_000);
    expect(told).toEqual([
      { command: command.id, succeeded: false, reason: expect.stringContaining('expired') },
    ]);
    expect(pulls.take()).toBeUndefined();
    disk.full = true;
    pulls.begin(ask(time));
    expect(told[1]).toMatchObject({
      succeeded: false,
      reason: expect.stringContaining('no space'),
    });
  });

  it('are a few at a time', () => {
    const { time, told, open } = terminal(journalOf(100));
    const pulls = open();
    for (let n = 0; n <= PULLS_OPEN_MAX; n += 1) pulls.begin(ask(time));
    expect(told).toHaveLength(1);
    expect(told[0]?.reason).toContain('ask again later');
  });

  it('of an agent with other rules are not gone on with', () => {
    const { time, told, disk, open } = terminal(journalOf(100));
    const first = open();
    first.begin(ask(time));
    disk.text = disk.text?.replace('tillwatch-redact/1', 'tillwatch-redact/0') ?? '';
    open();
    expect(told[0]).toMatchObject({
      succeeded: false,
      reason: expect.stringContaining('upgraded'),
    });
  });

  it('keep the files that they read, and end with a sentence when one is gone all the same', () => {
    const logDir = journalOf(100);
    const { time, told, open } = terminal(logDir);
    const pulls = open();
    const path = join(logDir, 'sale', 'a.log');
    pulls.begin(ask(time));
    expect(pulls.isPinned(path)).toBe(true);
    rmSync(path);
    expect(pulls.take()).toBeUndefined();
    expect(told[0]).toMatchObject({ succeeded: false, reason: expect.stringContaining('removed') });
    expect(pulls.isPinned(path)).toBe(false);
  });
});

describe('the link', () => {
  /** A link over a session that the test plays, with an outbox of events and a pull. */
  function linked() {
    const { time, open } = terminal(journalOf(30_000));
    const pulls = open();
    const sent: string[] = [];
    const socket = { waiting: 0 };
    let handlers: SessionHandlers | undefined;
    let work = (): void => {};
    const due: Outgoing[] = [];
    const outbox = {
      time: { known: () => true },
      ...{ resendAll: () => {}, inFlight: () => 0, urgent: () => 0, setWishedSendMs: () => {} },
      acknowledge: () => ({ acknowledged: 0, refused: 0, foreign: true }),
      onWork: (call: () => void) => {
        work = call;
      },
      takeBatches: () => due.splice(0),
    } as unknown as Outbox;
    startLink({
      ...{
        terminal: 'lane-1',
        broker: { host: '127.0.0.1', port: 1 },
        outbox,
        chunks: pulls,
      },
      ...{ clock: time.clock, timers: time.timers, log: quiet, onCommand: () => {} },
      random: () => 0,
      openSession: (_options, given) => {
        handlers = given;
        return {
          publish: (topic: string) => sent.push(topic.split('/').at(-1) ?? ''),
          waitingBytes: () => socket.waiting,
          destroy: () => {},
          leave: () => Promise.resolve(),
        };
      },
    });
    time.pass(100);
    handlers?.onUp();
    const event = (): void => {
      due.push({
        stream: 'events',
        seq: 1,
        bytes: new Uint8Array(9),
        resend: false,
        backlog: false,
      });
      work();
      time.pass(1);
    };
    const acknowledge = (request: string, upTo: number): void => {
      const streams = [{ stream: 'logs' as const, ranges: [{ first: 1, last: upTo }] }];
      handlers?.onAck(
        encodeAck({
          ...{ epoch: epochOfRequest(request), streams, refused: [], brokerTimeMs: NOON },
          ...{ paceBytesPerSecond: 0, ledgerGeneration: new Uint8Array(16), notice: '' },
        }),
      );
      time.pass(1);
    };
    return { time, pulls, sent, socket, event, acknowledge };
  }

  it('sends one chunk until it knows the line, then four, and events before any of them', () => {
    const { time, pulls, sent, event, acknowledge } = linked();
    const command = ask(time);
    pulls.begin(command);
    time.pass(5);
    expect(sent).toEqual(['logs']);
    event();
    expect(sent).toEqual(['logs', 'events']);
    // Some lines, far less than the chunk: a trip is only known when a whole chunk is there.
    acknowledge(command.arguments.request, 10);
    expect(sent).toEqual(['logs', 'events']);
    acknowledge(command.arguments.request, 256 * 1024);
    time.pass(5);
    expect(sent.filter((stream) => stream === 'logs')).toHaveLength(5);
  });

  it('sends no chunk while the socket has not taken what was written before', () => {
    const { time, pulls, sent, socket, event } = linked();
    socket.waiting = 1;
    pulls.begin(ask(time));
    time.pass(5);
    event();
    expect(sent).toEqual(['events']);
    socket.waiting = 0;
    time.pass(1_000);
    expect(sent).toEqual(['events', 'logs']);
  });
});
