import { describe, expect, test } from 'vitest';
import type { FileStat } from '../../agent/system/journal-files.ts';
import { compileCounter } from '../../agent/telemetry/line-patterns.ts';
import { TALLY_BEHIND_BYTES_MAX, Tallies } from '../../agent/telemetry/tallies.ts';
import { OTHER, SETS_MAX } from '../../agent/telemetry/tally.ts';
import { linesOf } from '../../agent/telemetry/tally-lines.ts';
import type { LineCounter } from '../../configuration/metrics.ts';
import { patternProblems } from '../../configuration/patterns.ts';
import { ok, type Result } from '../../protocol/result.ts';
import { fakeClock, quietLog } from './outbox-rig.ts';

const offline: LineCounter = { name: 'offline_total', pattern: 'offline', labels: [] };
const errors: LineCounter = {
  name: 'errors_total',
  pattern: 'error (?P<code>\\w+)',
  labels: ['code'],
};

/** Files that can be appended to, emptied and have holes, and a record that is kept over agents. */
function makeTill(counters: readonly LineCounter[] = [offline, errors]) {
  const files = new Map<string, { inode: number; bytes: Buffer }>();
  let inodes = 0;
  let record: string | undefined;
  let killed = false;
  const clock = fakeClock();
  const disk = {
    stat: (path: string) => {
      const file = files.get(path);
      if (file === undefined) return Promise.resolve(undefined);
      const { inode, bytes } = file;
      return Promise.resolve({ path, inode, size: bytes.length } as unknown as FileStat);
    },
    bytesAt: (path: string, at: number, bytesMax: number) =>
      Promise.resolve(files.get(path)?.bytes.subarray(at, at + bytesMax) ?? Buffer.alloc(0)),
  };
  const print = (path: string, text: string): void => {
    const file = files.get(path) ?? { inode: ++inodes, bytes: Buffer.alloc(0) };
    file.bytes = Buffer.concat([file.bytes, Buffer.from(text)]);
    files.set(path, file);
  };
  const agent = (version = '1.0') =>
    new Tallies({
      path: 'tallies.json',
      components: [{ name: 'sale', version, counters }],
      ...{ disk, clock, log: quietLog() },
      timers: {
        after: (_ms, run) => {
          setImmediate(run);
          return () => undefined;
        },
        every: () => () => undefined,
      },
      read: () => record,
      write: async (_path, text): Promise<Result<void>> => {
        await new Promise((done) => setImmediate(done));
        if (killed) return new Promise(() => undefined);
        record = text;
        return ok(undefined);
      },
    });
  return {
    ...{ files, clock, print, agent },
    kill: async () => {
      killed = true;
      await new Promise((done) => setImmediate(done));
      killed = false;
    },
  };
}
const told = (tallies: Tallies, name: string) =>
  Object.fromEntries(
    tallies
      .samples('sale')
      .filter((sample) => sample.name === name)
      .map(({ labels, value }) => [`${labels['version']} ${labels['code'] ?? ''}`.trim(), value]),
  );
async function looked(tallies: Tallies, times = 1): Promise<void> {
  for (let time = 0; time < times; time += 1) await tallies.look();
  await tallies.save();
  await tallies.save();
}

describe('lines of output', () => {
  test('are counted once, whole, whenever they are printed', async () => {
    const { print, agent } = makeTill();
    const tallies = agent();
    tallies.began('sale', 'a.log');
    await looked(tallies);
    expect(told(tallies, 'app_offline_total')).toEqual({ '1.0': 0 });
    print('a.log', 'offline\nnothing\noff');
    await looked(tallies);
    expect(told(tallies, 'app_offline_total')).toEqual({ '1.0': 1 });
    print('a.log', 'line again\r\nerror E5 and offline\n');
    await looked(tallies, 3);
    expect(told(tallies, 'app_offline_total')).toEqual({ '1.0': 3 });
    expect(told(tallies, 'app_errors_total')).toEqual({ '1.0 E5': 1 });
  });

  test('of a life that ended are counted to the last, before those of the next', async () => {
    const { print, agent } = makeTill();
    const tallies = agent();
    for (const life of ['a', 'b', 'c']) {
      tallies.began('sale', `${life}.log`);
      print(`${life}.log`, 'offline\noffline without an end');
    }
    tallies.began('sale', 'c.log');
    await looked(tallies);
    expect(told(tallies, 'app_offline_total')).toEqual({ '1.0': 5 });
    print('c.log', ' yet\n');
    await looked(tallies, 2);
    expect(told(tallies, 'app_offline_total')).toEqual({ '1.0': 6 });
  });

  test('belong to the version that printed them', async () => {
    const { print, agent } = makeTill();
    const old = agent('1.0');
    old.began('sale', 'a.log');
    print('a.log', 'offline\n');
    await looked(old);
    const next = agent('2.0');
    next.began('sale', 'a.log');
    print('a.log', 'offline\n');
    next.began('sale', 'b.log');
    print('b.log', 'offline\n');
    await looked(next, 2);
    expect(told(next, 'app_offline_total')).toEqual({ '1.0': 2, '2.0': 1 });
  });

  test('printed into a file that was emptied are counted, and those before are not again', async () => {
    const { print, agent, files } = makeTill();
    const tallies = agent();
    tallies.began('sale', 'a.log');
    print('a.log', 'offline\noffline\n');
    await looked(tallies);
    const file = files.get('a.log');
    if (file) file.bytes = Buffer.from('offline\n');
    await looked(tallies);
    expect(told(tallies, 'app_offline_total')).toEqual({ '1.0': 3 });
  });

  test('that were freed before they were read are told as unread', async () => {
    const { print, agent } = makeTill();
    const tallies = agent();
    tallies.began('sale', 'a.log');
    print('a.log', `offline\n${'\0'.repeat(5_000)}line\noffline\n`);
    await looked(tallies);
    expect(told(tallies, 'app_offline_total')).toEqual({ '1.0': 2 });
    expect(tallies.unreadBytes()).toEqual({ sale: 5_000 });
  });

  test('of a flood are counted at a bounded rate, and what is too far behind is told', async () => {
    const { print, agent, files } = makeTill();
    const tallies = agent();
    tallies.began('sale', 'a.log');
    const size = TALLY_BEHIND_BYTES_MAX + 1_000_000;
    print('a.log', 'offline\n'.repeat(size / 8));
    await looked(tallies);
    const { sale: unread = 0 } = tallies.unreadBytes();
    expect(unread).toBeGreaterThan(TALLY_BEHIND_BYTES_MAX / 2);
    await looked(tallies, 3);
    const lines = told(tallies, 'app_offline_total')['1.0'] ?? 0;
    expect(lines * 8 + unread).toBe(files.get('a.log')?.bytes.length);
  });

  test('that never end stop nothing', async () => {
    const { print, agent } = makeTill();
    const tallies = agent();
    tallies.began('sale', 'a.log');
    print('a.log', 'x'.repeat(600_000));
    await looked(tallies, 2);
    print('a.log', '\noffline\n');
    await looked(tallies, 2);
    expect(told(tallies, 'app_offline_total')).toEqual({ '1.0': 1 });
    expect(tallies.unreadBytes()['sale']).toBeGreaterThan(500_000);
  });

  test('with words that never repeat end under one label', async () => {
    const { print, agent } = makeTill();
    const tallies = agent();
    tallies.began('sale', 'a.log');
    for (let n = 0; n < 100; n += 1) print('a.log', `error E${n}\n`);
    await looked(tallies);
    const sets = told(tallies, 'app_errors_total');
    expect(Object.keys(sets)).toHaveLength(SETS_MAX + 1);
    expect(sets[`1.0 ${OTHER}`]).toBe(100 - SETS_MAX);
  });

  test('of the next version are counted, too, where the one before filled all labels', async () => {
    const { print, agent } = makeTill();
    for (const version of ['1.0', '2.0', '3.0']) {
      const tallies = agent(version);
      tallies.began('sale', `${version}.log`);
      for (let n = 0; n < 50; n += 1) print(`${version}.log`, `error E${n}\n`);
      await looked(tallies, 3);
    }
    const sets = told(agent('3.0'), 'app_errors_total');
    const sum = (version: string) =>
      Object.entries(sets).reduce((all, [key, n]) => all + (key.startsWith(version) ? n : 0), 0);
    expect(['1.0', '2.0', '3.0'].map(sum)).toEqual([50, 50, 50]);
  });
});

test('a name of the catalogue is sent as it is, with its own labels and no more', async () => {
  const scans = { name: 'pos_scanner_good_scan_total', labels: ['device'] };
  const { print, agent } = makeTill([{ ...scans, pattern: '(?P<device>scanner\\d) read' }]);
  for (const version of ['1.0', '2.0']) {
    const tallies = agent(version);
    tallies.began('sale', `${version}.log`);
    print(`${version}.log`, 'scanner1 read\n');
    await looked(tallies, 2);
  }
  const { name } = scans;
  const labels = { device: 'scanner1', component: 'sale' };
  expect(agent('2.0').samples('sale')).toEqual([{ name, labels, value: 2 }]);
});

test('a card number in a label does not leave the terminal', async () => {
  const match = await compileCounter({ ...errors, pattern: 'card (?P<code>.*)' });
  expect(match('card 4111111111111111')?.join()).not.toContain('411111111111');
});

test('a counter that cannot count is told with its path', async () => {
  const counters = [offline, { ...errors, labels: ['kind'] }, { ...offline, pattern: '(' }];
  const problems = await patternProblems({ components: [{ probes: [], counters }] } as never);
  expect(problems.map(({ path }) => path)).toEqual([
    'components[0].counters[1].pattern',
    'components[0].counters[2].pattern',
  ]);
  expect(problems[0]?.sentence).toContain('no group (?P<kind>...)');
});

test('a piece of output is taken apart without losing a byte', () => {
  const chunk = Buffer.from('\0\0ab\nc\0d\r\nrest');
  const whole = linesOf(chunk, { isEnd: true, isStuck: false });
  expect(whole.lines.map(({ text }) => text)).toEqual(['', 'ab', 'cd', 'rest']);
  expect(whole.bytes).toBe(chunk.length);
  const open = linesOf(chunk, { isEnd: false, isStuck: false });
  expect(open.bytes).toBe(chunk.length - 'rest'.length);
});

/** Mulberry32. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test('no line is counted twice or not at all, wherever agents are killed', async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = dice(seed);
    const { print, agent, clock, kill } = makeTill([offline]);
    let lines = 0;
    let life = 0;
    let before = 0;
    for (let round = 0; round < 5; round += 1) {
      const tallies = agent();
      if (life > 0) tallies.began('sale', `${life}.log`);
      for (let step = 0; step < 15; step += 1) {
        if (life === 0 || random() < 0.15) {
          life += 1;
          tallies.began('sale', `${life}.log`);
          // A life that the next agent finds running is known to it; one in between is, once this is written.
          await tallies.save();
        }
        const printed = Math.floor(random() * 20);
        lines += printed;
        print(`${life}.log`, 'offline\nfine\n'.repeat(printed));
        clock.pass(random() * 8_000);
        if (random() < 0.7) await tallies.look();
        const value = told(tallies, 'app_offline_total')['1.0'] ?? 0;
        expect(value, `seed ${seed}: fell`).toBeGreaterThanOrEqual(before);
        expect(value, `seed ${seed}: too many`).toBeLessThanOrEqual(lines);
        before = value;
      }
      await kill();
    }
    const last = agent();
    last.began('sale', `${life}.log`);
    await looked(last, 3);
    expect(told(last, 'app_offline_total'), `seed ${seed}`).toEqual({ '1.0': lines });
  }
});
