// What a till allows by itself, whatever was signed, and the time that nobody can lie it out of.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openCommands } from '../../agent/commands.ts';
import { type Bounds, HOUR_MS } from '../../agent/commands-bounds.ts';
import { floorMs, NO_FLOOR, raised } from '../../agent/commands-floor.ts';
import { REFUSED_TOLD_EVERY_MS } from '../../agent/commands-refused.ts';
import {
  COMMAND_KINDS,
  type Command,
  type CommandContent,
  type CommandResult,
  keyIdOf,
  publicKeyText,
  signCommand,
} from '../../protocol/commands.ts';
import type { NewEvent } from '../../protocol/events.ts';
import { ok } from '../../protocol/result.ts';

const pair = generateKeyPairSync('ed25519');
const keys = new Map([[keyIdOf(publicKeyText(pair.publicKey)), pair.publicKey]]);
const START_MS = 1_800_000_000_000;

/** A machine whose broker may say any time, and whose disk outlives its agents. */
class Machine {
  bootId = 'boot-1';
  bootMs = 600_000;
  /** What the broker says, beside the true time. */
  lieMs = 0;
  trueMs = START_MS;
  /** The till's own clock, beside the true time. */
  ownMs = 0;
  disk: string | undefined;
  readonly bounds: Bounds = {
    kinds: new Set(COMMAND_KINDS.filter((kind) => kind !== 'purge_logs')),
    perHour: { restarts: 4, reboots: 1 },
    components: 3,
  };
  events: NewEvent[] = [];
  results: CommandResult[] = [];
  ran: Command[] = [];

  pass(ms: number): void {
    this.trueMs += ms;
    this.bootMs += ms;
  }

  boot(offMs = 60_000): void {
    this.bootId = randomUUID();
    this.trueMs += offMs;
    this.bootMs = 10_000;
  }

  start(): ReturnType<typeof openCommands> {
    return openCommands({
      ...{ path: 'commands.json', terminal: 'lane-1', keys, components: new Set(['sale']) },
      nowMs: () => this.trueMs + this.lieMs,
      isTimeKnown: () => true,
      monotonicMs: () => this.bootMs,
      wallMs: () => this.trueMs + this.ownMs,
      uptime: () => ({ bootId: this.bootId, bootMs: this.bootMs }),
      bounds: this.bounds,
      read: () => this.disk,
      write: (path, text) => {
        if (path === 'commands.json') this.disk = text;
        return ok(undefined);
      },
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      addResult: (result) => this.results.push(result),
      report: (event) => this.events.push(event),
      run: (command) => this.ran.push(command),
    });
  }

  command(content: CommandContent, change: Partial<Command> = {}): Command {
    const issuedMs = this.trueMs;
    return {
      ...{ id: randomUUID(), terminal: 'lane-1', issuedMs, expiresMs: issuedMs + 300_000 },
      ...{ operator: 'kim', reason: 'a test', traceparent: '', ...content, ...change },
    } as Command;
  }

  last(): string {
    const { state, reason } = this.results.at(-1) ?? { state: 'nothing', reason: '' };
    return state === 'running' ? state : `${state}: ${reason}`;
  }
}

const signed = (command: Command): Uint8Array => signCommand(command, pair.privateKey);
const restart = (force = false): CommandContent => ({
  ...{ kind: 'restart', arguments: { component: 'sale', force } },
});
const reboot: CommandContent = { kind: 'reboot', arguments: {} };

describe('the bounds of a till', () => {
  it('allow so many restarts in an hour of uptime, forced or not, and name themselves', () => {
    const machine = new Machine();
    const commands = machine.start();
    for (let n = 0; n < 4; n += 1) commands.receive(signed(machine.command(restart())));
    expect(machine.ran).toHaveLength(4);
    machine.pass(20 * 60_000);
    commands.receive(signed(machine.command(restart(true))));
    expect(machine.last()).toBe(
      'rejected: this till allows 4 restarts an hour by operators (bounds.restartsPerHour) and ' +
        '4 were used, one is free in 40 min',
    );
    machine.pass(HOUR_MS - 20 * 60_000);
    commands.receive(signed(machine.command(restart())));
    expect(machine.last()).toBe('running');
  });

  it('count each component where all are restarted', () => {
    const machine = new Machine();
    const commands = machine.start();
    commands.receive(signed(machine.command({ kind: 'restart_all', arguments: {} })));
    commands.receive(signed(machine.command({ kind: 'restart_all', arguments: {} })));
    expect(machine.last()).toContain('3 were used');
    commands.receive(signed(machine.command(restart())));
    expect(machine.last()).toBe('running');
  });

  it('outlive the agent and a reboot, and no clock lifts them', () => {
    const machine = new Machine();
    machine.start().receive(signed(machine.command(reboot)));
    machine.boot();
    const commands = machine.start();
    expect(machine.last()).toBe('succeeded: the machine started anew');
    machine.pass(HOUR_MS - 60_000);
    commands.receive(signed(machine.command(reboot)));
    expect(machine.last()).toContain('this till allows 1 reboots an hour');
    machine.lieMs = 400 * 24 * HOUR_MS;
    const late = machine.command(reboot, { expiresMs: machine.trueMs + 500 * 24 * HOUR_MS });
    commands.receive(signed(late));
    expect(machine.last()).toContain('bounds.rebootsPerHour');
    machine.lieMs = 0;
    machine.pass(2 * 60_000);
    machine.start().receive(signed(machine.command(reboot)));
    expect(machine.last()).toBe('running');
  });

  it('say which kinds are obeyed', () => {
    const machine = new Machine();
    const purge = { kind: 'purge_logs', arguments: { beforeMs: 1 } } as const;
    machine.start().receive(signed(machine.command(purge)));
    expect(machine.last()).toContain('does not obey purge_logs: its bounds.commands');
    expect(machine.ran).toEqual([]);
  });

  it('are spent for reboots when nobody can read what was counted', () => {
    const machine = new Machine();
    machine.disk = '{"entries"';
    const commands = machine.start();
    machine.pass(1_000);
    commands.receive(signed(machine.command(reboot)));
    expect(machine.last()).toContain('bounds.rebootsPerHour');
    commands.receive(signed(machine.command(restart())));
    expect(machine.last()).toBe('running');
  });
});

describe('a reboot', () => {
  it('that did not take place has failed, as the next agent of the same boot says', () => {
    const machine = new Machine();
    machine.start().receive(signed(machine.command(reboot)));
    machine.start();
    expect(machine.last()).toContain('failed: the agent ended and the machine did not start anew');
  });
});

describe('the floor of time', () => {
  it('is what the newest signed command says, and runs with the machine', () => {
    const machine = new Machine();
    const commands = machine.start();
    const held = machine.command(restart());
    machine.pass(10_000);
    commands.receive(signed(machine.command({ kind: 'release', arguments: {} })));
    machine.pass(2 * HOUR_MS);
    // A broker in the middle kept one, and says that it is still then.
    machine.lieMs = -2 * HOUR_MS;
    commands.receive(signed(held));
    expect(machine.last()).toContain('expired: came after its expiry: a command that was issued');
    const next = machine.start();
    next.receive(
      signed(machine.command(restart(), { expiresMs: machine.trueMs - HOUR_MS - 60_000 })),
    );
    expect(machine.last()).toContain('expired');
    expect(machine.ran).toHaveLength(1);
  });

  it('cannot be moved forward by a lie: what is true is obeyed once the lie ends', () => {
    const machine = new Machine();
    const commands = machine.start();
    machine.lieMs = 50 * 365 * 24 * HOUR_MS;
    commands.receive(signed(machine.command(restart())));
    expect(machine.last()).toContain('expired');
    machine.lieMs = 0;
    commands.receive(signed(machine.command(restart())));
    expect(machine.last()).toBe('running');
  });

  it('lets true time catch up with a signer that was a few minutes ahead', () => {
    const machine = new Machine();
    const commands = machine.start();
    const issuedMs = machine.trueMs + 6 * 60_000;
    const ahead = { issuedMs, expiresMs: issuedMs + 300_000 };
    commands.receive(signed(machine.command(restart(), ahead)));
    machine.pass(60_000);
    commands.receive(signed(machine.command(restart())));
    expect(machine.last()).toContain('expired');
    machine.pass(2 * 60_000);
    commands.receive(signed(machine.command(restart())));
    expect(machine.last()).toBe('running');
  });

  it('is not a year ahead because the broker’s clock was, once', () => {
    const machine = new Machine();
    const commands = machine.start();
    const year = 365 * 24 * HOUR_MS;
    machine.lieMs = year;
    const issuedMs = machine.trueMs + year;
    const ahead = { issuedMs, expiresMs: issuedMs + 300_000 };
    commands.receive(signed(machine.command(restart(), ahead)));
    expect(machine.last()).toBe('running');
    // Somebody has set it right. What was signed meanwhile keeps nobody out for longer than two days.
    machine.lieMs = 0;
    machine.pass(49 * HOUR_MS);
    commands.receive(signed(machine.command(restart())));
    expect(machine.last()).toBe('running');
  });

  it('never goes back, over boots and with a clock that stands', () => {
    const now = { bootId: 'a', bootMs: 5_000 };
    const floor = raised(NO_FLOOR, START_MS, now);
    expect(floorMs(floor, { bootId: 'b', bootMs: 0 })).toBe(START_MS);
    expect(floorMs(floor, { bootId: 'b', bootMs: 60_000 })).toBe(START_MS + 30_000);
    expect(floorMs(floor, { bootId: 'a', bootMs: 4_000 })).toBe(START_MS);
    expect(raised(floor, START_MS - 1, now)).toEqual(floor);
    // However fast a crystal is, uptime does not outrun the true time.
    const year = 365 * 24 * HOUR_MS;
    const fast = floorMs(floor, { bootId: 'a', bootMs: 5_000 + year * 1.5 });
    expect(fast).toBeLessThanOrEqual(START_MS + year);
  });
});

describe('what is refused', () => {
  it('is told at once, then once a minute with how many there were', () => {
    const machine = new Machine();
    const commands = machine.start();
    for (let n = 0; n < 500; n += 1) commands.receive(Buffer.from(`restart ${n}`));
    expect(machine.events).toMatchObject([{ fields: { why: 'unreadable', count: 1 } }]);
    machine.pass(REFUSED_TOLD_EVERY_MS);
    commands.judgeWaiting();
    commands.judgeWaiting();
    expect(machine.events.map(({ fields }) => fields)).toMatchObject([
      { count: 1 },
      { count: 499 },
    ]);
    const foreign = machine.command(restart(), { terminal: 'lane-2' });
    commands.receive(signed(foreign));
    expect(machine.events.at(-1)).toMatchObject({
      ...{ kind: 'command_refused', fields: { why: 'audience', command: foreign.id, count: 1 } },
    });
    expect(commands.counts()).toMatchObject({ unreadable: 500, audience: 1 });
  });

  it('costs neither disk nor outbox when it is played again and again', () => {
    const machine = new Machine();
    const commands = machine.start();
    const [done, foreign] = [
      machine.command({ kind: 'release', arguments: {} }),
      machine.command(restart(), { terminal: 'lane-2' }),
    ];
    commands.receive(signed(done));
    commands.done(done.id, true, 'there was none');
    const before = machine.disk;
    machine.pass(HOUR_MS);
    machine.results = [];
    for (let n = 0; n < 1_000; n += 1) {
      commands.receive(signed(done));
      commands.receive(signed(foreign));
    }
    expect(machine.disk).toBe(before);
    expect(machine.results.length).toBeLessThanOrEqual(60);
    expect(commands.counts()).toMatchObject({ replayed: 1_000, audience: 1_000 });
  });
});
