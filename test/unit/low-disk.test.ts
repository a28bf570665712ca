// A disk that fills and empties: what is given up, in which order, and that a level is no flicker.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DiskKeeperOptions, keepDisk, type SpaceReading } from '../../agent/disk-keeper.ts';
import { type DiskModel, judgeDisk, limitsFor, NEW_DISK } from '../../agent/low-disk.ts';
import { openReserve } from '../../agent/reserve.ts';
import { diskSamples, parseWritten } from '../../agent/telemetry/disk-samples.ts';
import { DEFAULTS } from '../../configuration/defaults.ts';
import type { NewEvent } from '../../protocol/events.ts';
import { fail, ok } from '../../protocol/result.ts';
import { fakeTime, quiet } from './fleet-rig.ts';

const MEBIBYTE = 1024 * 1024;
const GIBIBYTE = 1024 * MEBIBYTE;
const LARGE = 100 * GIBIBYTE;

function disk(totalBytes = LARGE) {
  let model: DiskModel = NEW_DISK;
  let now = 0;
  return (freeMebibytes: number, passMs = 5_000, readOnly = false) => {
    now += passMs;
    const reading = { freeBytes: freeMebibytes * MEBIBYTE, totalBytes, readOnly };
    const judged = judgeDisk(model, reading, DEFAULTS.disk, now);
    model = judged.model;
    return judged;
  };
}

describe('a disk that fills', () => {
  it('costs output first, then evidence, then waiting metrics, then all but events', () => {
    const look = disk();
    const story = [2_000, 1_023, 800, 600, 400, 199].map((free) => {
      const { level, shed } = look(free);
      return [level, shed.journal, shed.evidence, shed.outbox];
    });
    expect(story).toEqual([
      ['normal', 'all', 'all', 'all'],
      ['journal', 'quarter', 'all', 'all'],
      ['journal', 'least', 'all', 'all'],
      ['evidence', 'least', 'quarter', 'all'],
      ['metrics', 'least', 'quarter', 'little'],
      ['reserve', 'least', 'least', 'urgent'],
    ]);
  });

  it('gets everything back only when it has had room for a while, and more than we gave up', () => {
    const look = disk();
    expect(look(199).level).toBe('reserve');
    expect(look(210).level).toBe('reserve');
    expect(look(320).level).toBe('reserve');
    expect(look(250, 20_000).level).toBe('reserve');
    expect(look(320, 20_000).level).toBe('reserve');
    expect(look(320, 29_000).level).toBe('reserve');
    expect(look(320, 2_000).level).toBe('metrics');
    expect(look(5_000).level).toBe('metrics');
    expect(look(5_000, 31_000).level).toBe('normal');
    expect(look(1_000).level).toBe('journal');
  });

  it('that is small has limits of its size', () => {
    expect(limitsFor(DEFAULTS.disk, 50 * MEBIBYTE)).toEqual({
      ...{ floorBytes: 5 * MEBIBYTE, lowBytes: 12.5 * MEBIBYTE, reserveBytes: MEBIBYTE },
    });
    expect(limitsFor(DEFAULTS.disk, LARGE)).toEqual(DEFAULTS.disk);
    const look = disk(50 * MEBIBYTE);
    expect([40, 12, 4].map((free) => look(free).level)).toEqual(['normal', 'journal', 'reserve']);
  });

  it('that is read-only says so, whatever room it has, and forgets it at once when it is not', () => {
    const look = disk();
    expect(look(9_000, 5_000, true)).toMatchObject({ level: 'read_only', mayReserve: false });
    expect(look(9_000).level).toBe('normal');
  });

  it('never gets better twice within its calm time, whatever free bytes do', () => {
    const order = ['normal', 'journal', 'evidence', 'metrics', 'reserve'];
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1_500 }), { maxLength: 60 }), (frees) => {
        const look = disk();
        let [last, lastBetterAt, at] = [0, -Infinity, 0];
        for (const free of frees) {
          at += 5_000;
          const rank = order.indexOf(look(free).level);
          if (rank < last) {
            expect(at - lastBetterAt).toBeGreaterThanOrEqual(30_000);
            lastBetterAt = at;
          }
          if (free < 200) expect(rank).toBe(4);
          last = rank;
        }
      }),
    );
  });
});

function keeper(spaces: { data?: SpaceReading; logs?: SpaceReading }) {
  const time = fakeTime();
  const events: NewEvent[] = [];
  const told: string[] = [];
  const calls: string[] = [];
  const made: number[] = [];
  const options: DiskKeeperOptions = {
    ...{
      dataDir: '/data',
      logDir: '/logs',
      limits: DEFAULTS.disk,
      evidenceBytesMax: 40 * MEBIBYTE,
    },
    readSpace: (folder) => Promise.resolve(folder === '/data' ? spaces.data : spaces.logs),
    reserve: { make: (bytes) => Promise.resolve(void made.push(bytes)), release: () => true },
    output: { setRoom: (room) => calls.push(`output ${room}`) },
    outbox: { setRoom: (room) => calls.push(`outbox ${room}`) },
    evidence: { shed: (bytes) => Promise.resolve(void told.push(`${bytes / MEBIBYTE}`)) },
    hush: (on) => calls.push(`hush ${on}`),
    report: (event) => events.push(event),
    ...{ clock: time.clock, timers: time.timers, log: quiet },
  };
  return { ...{ time, events, told, calls, made }, disk: keepDisk(options) };
}
const space = (freeMebibytes: number, more: Partial<SpaceReading> = {}): SpaceReading => ({
  ...{ freeBytes: freeMebibytes * MEBIBYTE, totalBytes: LARGE, readOnly: false, device: 1 },
  ...more,
});

describe('the keeper of the disk', () => {
  it('reports each change once, sheds, and makes the reserve while there is room', async () => {
    const spaces = { data: space(9_000), logs: space(9_000) };
    const { disk: kept, events, told, calls, made } = keeper(spaces);
    await kept.look();
    expect([kept.level(), events, made]).toEqual(['normal', [], [8 * MEBIBYTE]]);
    spaces.data = space(100);
    spaces.logs = spaces.data;
    await kept.look();
    await kept.look();
    expect(events.map(({ fields }) => fields)).toEqual([
      {
        level: 'reserve',
        freeBytes: 100 * MEBIBYTE,
        reason: expect.stringContaining('only events'),
      },
    ]);
    expect(calls.slice(-3)).toEqual(['output least', 'outbox urgent', 'hush true']);
    expect(told).toEqual(['1']);
    expect(made).toHaveLength(1);
    expect(
      diskSamples({
        journal: [{ component: 'sale', bytes: 3, records: { size: 2 } }],
        behind: [{ component: 'sale', bytes: 5 }],
        level: kept.level(),
        levels: kept.levels(),
        writtenBytes: 7,
        output: [{ component: 'sale', bytes: 4, dropped: { rate: 6 } }],
      }),
    ).toEqual([
      { name: 'tillwatch_disk_level', labels: { level: 'normal' }, value: 0 },
      { name: 'tillwatch_disk_level', labels: { level: 'reserve' }, value: 1 },
      { name: 'tillwatch_journal_bytes', labels: { component: 'sale' }, value: 7 },
      {
        name: 'tillwatch_journal_records_dropped_total',
        labels: { component: 'sale', reason: 'size' },
        value: 2,
      },
      { name: 'tillwatch_journal_behind_bytes', labels: { component: 'sale' }, value: 5 },
      {
        name: 'tillwatch_journal_dropped_bytes_total',
        labels: { component: 'sale', reason: 'rate' },
        value: 6,
      },
      { name: 'tillwatch_agent_written_bytes_total', labels: {}, value: 7 },
    ]);
    kept.stop();
  });

  it('gives up output only, when output has a disk of its own that is full', async () => {
    const spaces = { data: space(9_000), logs: space(10, { device: 2 }) };
    const { disk: kept, calls } = keeper(spaces);
    await kept.look();
    expect(kept.level()).toBe('journal');
    expect(calls.slice(-3)).toEqual(['output least', 'outbox all', 'hush false']);
    kept.stop();
  });

  it('keeps its judgement while the disk cannot be asked', async () => {
    const spaces: { data?: SpaceReading; logs?: SpaceReading } = { data: space(100) };
    const { disk: kept } = keeper(spaces);
    await kept.look();
    delete spaces.data;
    await kept.look();
    expect(kept.level()).toBe('reserve');
    kept.stop();
  });
});

describe('the reserve', () => {
  it('is made once, released once, and tried again later where it cannot be made', async () => {
    let now = 0;
    let there = 0;
    let works = true;
    const done: string[] = [];
    const reserve = openReserve({
      path: '/data/reserve',
      disk: {
        stat: () => Promise.resolve(there === 0 ? undefined : ({ allocated: there } as never)),
        allocate: () => Promise.resolve(works ? ok(undefined) : fail('ENOSPC')),
      },
      puncher: {
        allocate: (_path, bytes) => {
          done.push('allocate');
          there = works ? bytes : 0;
          return Promise.resolve({
            kind: works ? ('done' as const) : ('failed' as const),
            reason: '',
          });
        },
      },
      files: {
        remove: () => {
          there = 0;
          done.push('remove');
        },
      },
      ...{ monotonicMs: () => now, log: quiet },
    });
    expect(reserve.release()).toBe(false);
    await reserve.make(1_000);
    await reserve.make(1_000);
    expect([reserve.release(), reserve.release()]).toEqual([true, false]);
    expect(done).toEqual(['allocate', 'remove']);
    works = false;
    await reserve.make(1_000);
    await reserve.make(1_000);
    now = 10 * 60_000;
    await reserve.make(1_000);
    expect(done.filter((what) => what === 'allocate')).toHaveLength(3);
  });
});

it('written bytes are what reached the storage', () => {
  expect(parseWritten('rchar: 1\nwchar: 2\nwrite_bytes: 4096\ncancelled_write_bytes: 9\n')).toBe(
    4096,
  );
  expect(parseWritten(undefined)).toBeUndefined();
});
