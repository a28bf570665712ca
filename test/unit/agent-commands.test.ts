// Commands run at most once, in whatever order they, their copies and the agent's deaths come.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  advance,
  COMMANDS_WAITING_MAX,
  type CommandJournal,
  EMPTY_JOURNAL,
  JOURNAL_COMMANDS_MAX,
  openCommands,
  receive,
  recover,
} from '../../agent/commands.ts';
import {
  type Command,
  type CommandResult,
  FINAL_STATES,
  keyIdOf,
  publicKeyText,
  signCommand,
} from '../../protocol/commands.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';

const pair = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('ed25519');
const keys = new Map([[keyIdOf(publicKeyText(pair.publicKey)), pair.publicKey]]);
const setting = { terminal: 'lane-1', components: new Set(['sale']), nowMs: 1_000 };

const restart = (change: Partial<Extract<Command, { kind: 'restart' }>> = {}): Command => ({
  id: randomUUID(),
  kind: 'restart',
  arguments: { component: 'sale' },
  terminal: 'lane-1',
  issuedMs: 1_000,
  expiresMs: 301_000,
  operator: 'kim',
  reason: 'printer swapped',
  traceparent: '',
  ...change,
});

/** An agent's command office on a file that survives it; `disk.broken` makes every write fail. */
function office(
  disk: { text?: string; broken?: boolean; aside?: string },
  nowMs = 1_000,
  clock = { nowMs, isKnown: true },
) {
  const results: CommandResult[] = [];
  const ran: string[] = [];
  const write = (path: string, text: string): Result<void> => {
    if (disk.broken === true) return fail('cannot write: ENOSPC');
    if (path.endsWith('.damaged')) disk.aside = text;
    else disk.text = text;
    return ok(undefined);
  };
  const commands = openCommands({
    path: 'commands.json',
    terminal: 'lane-1',
    keys,
    components: setting.components,
    nowMs: () => clock.nowMs,
    isTimeKnown: () => clock.isKnown,
    read: () => disk.text,
    write,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    addResult: (result) => results.push(result),
    run: (command) => ran.push(command.id),
  });
  const states = (): string[] => results.map((result) => result.state);
  return { commands, results, ran, states };
}
const signed = (command: Command): Uint8Array => signCommand(command, pair.privateKey);

describe('a command that comes before the broker’s time is known', () => {
  it('is judged once it is: a till whose own clock is a year ahead still obeys, and no later', () => {
    const clock = { nowMs: 31_536_000_000, isKnown: false };
    const { commands, ran, states } = office({}, 0, clock);
    const command = restart();
    const late = restart({ expiresMs: 1_500 });
    for (const sent of [command, command, late]) commands.receive(signed(sent));
    commands.judgeWaiting();
    expect([ran, states()]).toEqual([[], []]);
    Object.assign(clock, { nowMs: 2_000, isKnown: true });
    commands.judgeWaiting();
    commands.judgeWaiting();
    expect(ran).toEqual([command.id]);
    expect(states()).toEqual(['accepted', 'running', 'running', 'expired']);
  });

  it('waits in a queue that has an end', () => {
    const clock = { nowMs: 1_000, isKnown: false };
    const { commands, ran } = office({}, 0, clock);
    for (let n = 0; n < 1_000; n += 1) commands.receive(signed(restart()));
    clock.isKnown = true;
    commands.judgeWaiting();
    expect(ran).toHaveLength(COMMANDS_WAITING_MAX);
  });
});

describe('a command', () => {
  it('that ended while the disk was full is told so when it is not any more, once', () => {
    const disk: { text?: string; broken?: boolean } = {};
    const { commands, results, states } = office(disk);
    const command = restart();
    commands.receive(signed(command));
    disk.broken = true;
    commands.done(command.id, false, 'no room for its plan');
    commands.judgeWaiting();
    expect(states()).toEqual(['accepted', 'running']);
    disk.broken = false;
    for (let second = 0; second < 3; second += 1) commands.judgeWaiting();
    expect(states()).toEqual(['accepted', 'running', 'failed']);
    expect(results.at(-1)?.reason).toBe('no room for its plan');
  });

  it('is accepted, run and ended, and each step is told once', () => {
    const { commands, ran, states } = office({});
    const command = restart();
    commands.receive(signed(command));
    commands.done(command.id, true, 'ready again');
    commands.done(command.id, false, 'late news');
    expect(ran).toEqual([command.id]);
    expect(states()).toEqual(['accepted', 'running', 'succeeded']);
    expect(commands.counts()).toEqual({ accepted: 1, running: 1, succeeded: 1 });
  });

  it('that comes again is answered with what is known and not run again', () => {
    const disk = {};
    const first = office(disk);
    const command = restart();
    first.commands.receive(signed(command));
    first.commands.receive(signed(command));
    expect(first.ran).toHaveLength(1);
    expect(first.states()).toEqual(['accepted', 'running', 'running']);
    first.commands.done(command.id, false, 'did not start');
    const later = office(disk, 10_000_000);
    later.commands.receive(signed(command));
    expect(later.ran).toEqual([]);
    expect(later.results).toMatchObject([{ state: 'failed', reason: 'did not start' }]);
  });

  it('whose end the agent did not live to see is unknown after the next start', () => {
    const disk = {};
    const command = restart();
    office(disk).commands.receive(signed(command));
    const next = office(disk);
    expect(next.states()).toEqual(['unknown']);
    expect(office(disk).states()).toEqual([]);
    next.commands.receive(signed(command));
    expect(next.ran).toEqual([]);
  });

  it('is rejected when it cannot be written down first', () => {
    const disk = { broken: true };
    const { commands, ran, results } = office(disk);
    commands.receive(signed(restart()));
    expect(ran).toEqual([]);
    expect(results).toMatchObject([{ state: 'rejected' }]);
    expect(results[0]?.reason).toContain('ENOSPC');
  });

  it('is judged by terminal, expiry and component', () => {
    const { commands, results } = office({}, 400_000);
    commands.receive(signed(restart({ terminal: 'lane-2', expiresMs: 900_000 })));
    commands.receive(signed(restart()));
    commands.receive(signed(restart({ expiresMs: 900_000, arguments: { component: 'oven' } })));
    expect(results.map(({ state, reason }) => [state, reason])).toEqual([
      ['rejected', 'is for another terminal'],
      ['expired', 'came after its expiry'],
      ['rejected', 'no component is called oven here'],
    ]);
  });

  it('of a stranger, or damaged on the way, is counted and not answered', () => {
    const { commands, results, ran } = office({});
    commands.receive(signCommand(restart(), stranger.privateKey));
    const damaged = signed(restart());
    damaged[10] = (damaged[10] ?? 0) ^ 1;
    commands.receive(damaged);
    commands.receive(Buffer.from('restart sale'));
    expect(ran).toEqual([]);
    expect(results).toEqual([]);
    expect(commands.counts()).toEqual({ unsigned: 2, unreadable: 1 });
  });
});

describe('a journal', () => {
  it('that is damaged is set aside, and older commands are refused from then on', () => {
    const disk: { text: string; aside?: string } = { text: '{"entries": [' };
    const { commands, results, ran } = office(disk, 5_000);
    expect(disk.aside).toBe('{"entries": [');
    commands.receive(signed(restart({ issuedMs: 4_999 })));
    expect(results).toMatchObject([{ state: 'rejected' }]);
    commands.receive(signed(restart({ issuedMs: 5_000 })));
    expect(ran).toHaveLength(1);
  });

  it('is bounded, and lets go only of what has expired', () => {
    let journal: CommandJournal = EMPTY_JOURNAL;
    for (let n = 0; n < JOURNAL_COMMANDS_MAX; n += 1) {
      const command = restart({ expiresMs: 2_000 });
      journal = receive(journal, command, setting).journal;
      journal = advance(journal, command.id, 'succeeded', '', 1_500).journal;
    }
    // The broker's word alone makes nothing past; a command that was issued later does.
    const early = receive(journal, restart(), { ...setting, nowMs: 9_000 });
    expect(early.answers).toMatchObject([{ state: 'rejected', reason: 'too many commands' }]);
    expect(early.journal.entries).toHaveLength(JOURNAL_COMMANDS_MAX);
    const later = receive(journal, restart({ issuedMs: 2_001 }), { ...setting, nowMs: 2_001 });
    expect(later.run).toBe(true);
    expect(later.journal.entries).toHaveLength(JOURNAL_COMMANDS_MAX);
  });

  it('never lets a command run twice or change after its end', () => {
    const ids = [randomUUID(), randomUUID(), randomUUID()];
    const act = fc.record({
      what: fc.constantFrom('receive', 'done', 'crash'),
      which: fc.nat({ max: 2 }),
      good: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
        const ran = new Map<string, number>();
        const ended = new Map<string, string>();
        let journal: CommandJournal = EMPTY_JOURNAL;
        for (const { what, which, good } of acts) {
          const id = ids[which] ?? '';
          if (what === 'crash') journal = recover(journal, 1_000).journal;
          else if (what === 'done') {
            journal = advance(journal, id, good ? 'succeeded' : 'failed', '', 1_000).journal;
          } else {
            const step = receive(journal, restart({ id }), setting);
            if (step.run) ran.set(id, (ran.get(id) ?? 0) + 1);
            journal = step.run
              ? advance(step.journal, id, 'running', '', 1_000).journal
              : step.journal;
          }
          for (const entry of journal.entries) {
            const before = ended.get(entry.id);
            if (before !== undefined) expect(entry.state).toBe(before);
            if (FINAL_STATES.includes(entry.state)) ended.set(entry.id, entry.state);
          }
        }
        expect([...ran.values()].every((times) => times === 1)).toBe(true);
      }),
    );
  });
});
