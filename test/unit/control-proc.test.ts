// What proc(5) and the shim write, read by pure functions: names that look like other fields, the dead that
// still have a line, files that were read in part, trees whose children stand before their parents.

import { describe, expect, it } from 'vitest';
import { describeDescriptors, lastLines } from '../../agent/watchdog/evidence.ts';
import {
  environValue,
  isDead,
  parsePressure,
  parseSchedstat,
  parseStat,
  parseStatus,
  parseSyscall,
  type Stat,
} from '../../agent/watchdog/proc.ts';
import { exitOfStatus, parseExitFile, parsePidFile } from '../../agent/watchdog/shim.ts';
import { membersOf } from '../../agent/watchdog/tree.ts';

/** Fields 3 to 24 as the kernel wrote them for a real process. */
const REST =
  'S 40 41 42 0 -1 4194304 900 7 0 0 12 34 5 6 20 0 7 0 987654 1234567168 10500 18446744073709551615';

describe('a stat line', () => {
  it('is read by the numbers of its fields', () => {
    expect(parseStat(`43 (node) ${REST}\n`)).toEqual({
      ...{ pid: 43, comm: 'node', state: 'S', parent: 40, group: 41, session: 42 },
      ...{ cpuMs: 460, childrenCpuMs: 110, threads: 7, startTicks: 987_654 },
    });
  });

  it.each(['a b', 'a) S 1 2 3 (b', ') R 1', '((', '))', '', 'Web Content', 'x\ny'])(
    'with the name %j means the same process',
    (comm) => {
      expect(parseStat(`43 (${comm}) ${REST}`)).toMatchObject({
        ...{ pid: 43, comm, state: 'S', parent: 40, startTicks: 987_654 },
      });
    },
  );

  it.each([undefined, '', '43', '43 (node', '43 (node)', '43 (node) S 1', 'x (node) S', '(a) S 1'])(
    'that is %j is none',
    (text) => expect(parseStat(text)).toBeUndefined(),
  );

  it('tells the dead from the living', () => {
    const stat = (state: string, threads: number) =>
      parseStat(
        `43 (node) ${REST.replace(/^S/, state)}`.replace(' 20 0 7 0 ', ` 20 0 ${threads} 0 `),
      );
    const dead = (state: string, threads: number) => isDead(stat(state, threads) as Stat);
    expect([dead('Z', 1), dead('Z', 0), dead('X', 1), dead('x', 1)]).not.toContain(false);
    expect(['R', 'S', 'D', 'T', 't', 'I'].map((state) => dead(state, 1))).not.toContain(true);
    expect(dead('Z', 3)).toBe(false); // its main thread ended, others run
  });
});

describe('the other files of a process', () => {
  it('are read for what is needed', () => {
    const status =
      'Name:\tnode\nVmRSS:\t   51200 kB\nThreads:\t7\n' +
      'voluntary_ctxt_switches:\t123\nnonvoluntary_ctxt_switches:\t45\n';
    expect(parseStatus(status)).toEqual({
      ...{ voluntarySwitches: 123, involuntarySwitches: 45, residentBytes: 52_428_800 },
    });
    expect(parseStatus(status.replace(/VmRSS.*\n/, ''))?.residentBytes).toBe(0);
    expect(parseSchedstat('2500000 1000000 7\n')).toEqual({ cpuMs: 2.5, runDelayMs: 1 });
    expect(parseSyscall('202 0x7f 0x0 0x7ffd 0x7fe6\n')).toBe('202');
    expect(parseSyscall('-1 0x7ffd 0x7fe6\n')).toBe('-1');
    expect(parseSyscall('running\n')).toBe('running');
    const pressure =
      'some avg10=12.34 avg60=1.00 avg300=0.00 total=9\nfull avg10=0.50 avg60=0 total=1\n';
    expect(parsePressure(pressure)).toEqual({ some: 12.34, full: 0.5 });
    expect(parsePressure(pressure.split('\n')[0])).toEqual({ some: 12.34, full: undefined });
  });

  it('that are absent or strange say nothing', () => {
    for (const text of [undefined, '', 'nonsense', '\n\n', '-']) {
      expect(parseStatus(text)).toBeUndefined();
      expect(parseSchedstat(text)).toBeUndefined();
      expect(parseSyscall(text)).toBeUndefined();
      expect(parsePressure(text)).toBeUndefined();
    }
  });

  it('find a variable by its whole name and only when it is whole', () => {
    const environ = 'A=1\0NOT_MARK=x\0MARK=i-1\0EMPTY=\0LAST=cut';
    expect(environValue(environ, 'A')).toBe('1');
    expect(environValue(environ, 'MARK')).toBe('i-1');
    expect(environValue(environ, 'EMPTY')).toBe('');
    expect(environValue(environ, 'ARK')).toBeUndefined();
    expect(environValue(environ, 'LAST')).toBeUndefined();
    expect(environValue('B=MARK=2\0', 'MARK')).toBeUndefined();
    expect(environValue(undefined, 'A')).toBeUndefined();
  });
});

describe('what the shim writes', () => {
  it('tells exits from signals', () => {
    expect(exitOfStatus(0)).toEqual({ code: 0, signal: undefined });
    expect(exitOfStatus(128)).toEqual({ code: 128, signal: undefined });
    expect(exitOfStatus(134)).toEqual({ code: undefined, signal: 'SIGABRT' });
    expect(exitOfStatus(137)).toEqual({ code: undefined, signal: 'SIGKILL' });
    expect(exitOfStatus(143)).toEqual({ code: undefined, signal: 'SIGTERM' });
    expect(exitOfStatus(255)).toEqual({ code: 255, signal: undefined });
  });

  it('means nothing when only a part of it was read', () => {
    expect(parseExitFile('13\n')).toEqual({ code: 13, signal: undefined });
    for (const text of [undefined, '', '13', '\n', '1 3\n', 'x\n', '1234\n', '-1\n']) {
      expect(parseExitFile(text)).toBeUndefined();
    }
    expect(parsePidFile('10 11\n')).toEqual({ shimPid: 10, pid: 11 });
    for (const text of [undefined, '', '10', '10 1', '10 11', '10\n', 'a b\n']) {
      expect(parsePidFile(text)).toBeUndefined();
    }
  });
});

describe('the members of a tree', () => {
  const stat = (pid: number, parent: number, session = 1, group = session): Stat => ({
    ...{ pid, parent, session, group, comm: 'x', state: 'S', startTicks: pid },
    ...{ cpuMs: 0, childrenCpuMs: 0, threads: 1 },
  });
  const pids = (
    all: Stat[],
    roots: number[],
    session?: number,
    marked: number[] = [],
    spare: number[] = [],
  ) => {
    const isMarked = (one: Stat) => marked.includes(one.pid);
    const members = membersOf(all, new Set(roots), session, isMarked, new Set(spare));
    return members.map((one) => one.pid).sort((a, b) => a - b);
  };

  it('are found by session, by group, by descent and by mark, in any order', () => {
    const all = [
      stat(60, 50, 60),
      stat(50, 40, 50),
      stat(40, 30, 30),
      stat(30, 9, 30),
      stat(70, 1, 70),
      stat(80, 70, 80),
      stat(90, 1, 91, 30),
      stat(99, 9, 99),
    ];
    expect(pids(all, [40], 30, [70])).toEqual([30, 40, 50, 60, 70, 80, 90]);
    expect(pids(all, [40])).toEqual([40, 50, 60]);
    expect(pids(all, [])).toEqual([]);
  });

  it('never hold init, the kernel or ourselves, whatever is marked', () => {
    const all = [stat(1, 0), stat(2, 0), stat(5, 2), stat(9, 1), stat(12, 9)];
    expect(pids(all, [1, 2, 5, 9], 1, [1, 2, 5, 9], [9])).toEqual([12]);
    expect(pids([stat(1, 0), stat(7, 1, 7)], [], undefined, [1])).toEqual([]);
  });
});

describe('evidence', () => {
  it('keeps the last lines, without what would colour a screen', () => {
    const text = `${Array.from({ length: 30 }, (_, n) => `line ${n}`).join('\n')}\n\n\u001b[31mred\u0007\r\n`;
    const lines = lastLines(text);
    expect(lines).toHaveLength(20);
    expect(lines.at(-2)).toBe('line 29');
    expect(lines.at(-1)).toMatch(/^ \[31mred $/);
    expect(lastLines('')).toEqual([]);
  });

  it('names what is open without what was asked of it, and counts the rest', () => {
    const links = [
      'socket:[1]',
      'socket:[2]',
      'pipe:[3]',
      'anon_inode:[eventpoll]',
      '/dev/ttyUSB0',
      '/spool/receipt?card=4111111111111111&x=1',
      '/spool/4111111111111111.pdf',
      '/tmp/gone (deleted)',
    ];
    expect(describeDescriptors(links)).toEqual({
      kinds: { socket: 2, pipe: 1, anon_inode: 1, file: 4 },
      named: [
        '/dev/ttyUSB0',
        '/spool/receipt?',
        '/spool/[PAN visa ....1111].pdf',
        '/tmp/gone (deleted)',
      ],
    });
    const many = describeDescriptors(Array(1_000).fill('/var/lib/till/file'));
    expect(many.named.length).toBeLessThan(50);
    expect(many.kinds).toEqual({ file: 1_000 });
  });
});
