// What a broker that lies about the time, and years of use, must not do to the journal of commands: forget what ran,
// lock out every later command, or grow until it cannot be read any more.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { JOURNAL_COMMANDS_MAX, openCommands } from '../../agent/commands.ts';
import {
  type Command,
  type CommandResult,
  keyIdOf,
  publicKeyText,
  signCommand,
} from '../../protocol/commands.ts';
import { ok } from '../../protocol/result.ts';

const pair = generateKeyPairSync('ed25519');
const keys = new Map([[keyIdOf(publicKeyText(pair.publicKey)), pair.publicKey]]);
const START_MS = 1_800_000_000_000;
const YEAR_MS = 365 * 24 * 3_600_000;

const command = (issuedMs: number): Command => ({
  ...{ id: randomUUID(), kind: 'probe', arguments: {}, terminal: 'lane-1', issuedMs },
  ...{ expiresMs: issuedMs + 300_000, operator: 'kim', reason: 'looks slow', traceparent: '' },
});

function till(text?: string) {
  const clock = { nowMs: START_MS, isKnown: true };
  const disk = { text, writes: 0 };
  const results: CommandResult[] = [];
  const ran: string[] = [];
  const open = () =>
    openCommands({
      ...{ path: 'commands.json', terminal: 'lane-1', keys, components: new Set(['sale']) },
      ...{ nowMs: () => clock.nowMs, isTimeKnown: () => clock.isKnown, read: () => disk.text },
      uptime: () => ({ bootId: 'boot-1', bootMs: 600_000 }),
      monotonicMs: () => 0,
      write: (path, written) => {
        disk.writes += 1;
        if (!path.endsWith('.damaged')) disk.text = written;
        return ok(undefined);
      },
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      addResult: (result) => results.push(result),
      run: ({ id }) => ran.push(id),
    });
  const send = (to: ReturnType<typeof open>, one: Command): void =>
    to.receive(signCommand(one, pair.privateKey));
  return { clock, disk, results, ran, open, send };
}

describe('recordings of old commands', () => {
  it('push nothing out of the journal that could still run again, whatever time the broker tells', () => {
    const { clock, ran, open, send } = till();
    const commands = open();
    const fresh = command(START_MS);
    send(commands, fresh);
    commands.done(fresh.id, true, '');
    clock.nowMs = START_MS + YEAR_MS;
    for (let n = 0; n < JOURNAL_COMMANDS_MAX + 1; n += 1) {
      send(commands, command(START_MS - YEAR_MS + n));
    }
    clock.nowMs = START_MS + 1_000;
    send(commands, fresh);
    expect(ran).toEqual([fresh.id]);
  });

  it('cost no write of the disk each, and no answer beyond some a minute', () => {
    const { disk, results, ran, open, send } = till();
    const commands = open();
    send(commands, command(START_MS));
    const before = disk.writes;
    for (let n = 0; n < 500; n += 1) send(commands, command(START_MS - YEAR_MS + n));
    expect(ran).toHaveLength(1);
    expect(disk.writes - before).toBeLessThan(10);
    expect(results.length).toBeLessThan(100);
  });
});

describe('a journal that was damaged', () => {
  it('locks out no later command, however far ahead the till’s own clock was when it was found', () => {
    const { clock, ran, open, send } = till('{"entries": [');
    Object.assign(clock, { nowMs: START_MS + 70 * YEAR_MS, isKnown: false });
    const commands = open();
    Object.assign(clock, { nowMs: START_MS, isKnown: true });
    commands.judgeWaiting();
    send(commands, command(START_MS + 1));
    expect(ran).toHaveLength(1);
  });

  it('lets nothing of before run again, however far back the till’s own clock was', () => {
    const { clock, ran, results, open, send } = till('{"entries": [');
    Object.assign(clock, { nowMs: 1_000, isKnown: false });
    // It ends before it has met its broker; the next one knows as little.
    open();
    const commands = open();
    Object.assign(clock, { nowMs: START_MS, isKnown: true });
    commands.judgeWaiting();
    send(commands, command(START_MS - 1_000));
    expect(ran).toEqual([]);
    expect(results).toMatchObject([{ state: 'rejected' }]);
  });
});

describe('the journal of a till that is often asked what it sees', () => {
  it('can still be read by the next agent, and costs little to write', () => {
    const { disk, ran, open, send } = till();
    const commands = open();
    const found = { sale: { reason: 'x'.repeat(20_000) } };
    let last = '';
    for (let n = 0; n < 300; n += 1) {
      const one = command(START_MS + n);
      send(commands, one);
      commands.done(one.id, true, 'every probe was answered', found);
      last = one.id;
    }
    expect(ran).toHaveLength(300);
    expect(disk.text?.length).toBeLessThan(1_000_000);
    const entries = (JSON.parse(disk.text ?? '') as { entries: { id: string }[] }).entries;
    expect(entries).toHaveLength(300);
    // A copy of the newest is still answered with all that was found.
    expect(entries.find(({ id }) => id === last)).toMatchObject({ detail: found });
  });
});
