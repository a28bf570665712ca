import { describe, expect, it } from 'vitest';
import {
  Counters,
  type Running,
  STABLE_AFTER_MS,
  TIME_WRITTEN_EVERY_MS,
  VERSIONS_MAX,
} from '../../agent/restarts.ts';
import type { Cause, NewEvent } from '../../protocol/events.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { quietLog } from './outbox-rig.ts';

const log = quietLog();
type Disk = { text?: string };
const at = (disk: Disk, write?: (text: string) => Promise<Result<void>>): Counters => {
  const store = (text: string): Promise<Result<void>> => {
    disk.text = text;
    return Promise.resolve(ok(undefined));
  };
  const options = {
    path: 'restarts.json',
    read: () => disk.text,
    write: (_path: string, text: string) => (write ?? store)(text),
    log,
  };
  return new Counters(options, ['sale']);
};
const opened = (version: string, cause: Cause = 'hang'): NewEvent => ({
  kind: 'incident_opened',
  component: 'sale',
  fields: { incident: 'i', cause, reason: '', version },
});
const suppressed: NewEvent = {
  kind: 'recovery_suppressed',
  component: 'sale',
  fields: { ...opened('1').fields, rung: 'restart', by: 'observe' } as never,
};
const stateIs = (to: 'ready' | 'suspect'): NewEvent => ({
  kind: 'component_state',
  component: 'sale',
  fields: { from: 'starting', to, reason: '', version: '1' },
});
const sale = (version: string, state = 'ready'): Running[] => [
  { name: 'sale', version, model: { state } },
];
const settled = () => new Promise((done) => setImmediate(done));

describe('what is counted of a component', () => {
  it('stays with the version that it was counted of, also over an upgrade and a new agent', async () => {
    const disk = {};
    const before = at(disk);
    before.count('sale', 'hang', '1.0.0');
    before.count('sale', 'hang', '1.0.0');
    before.count('nobody', 'crash', '1.0.0');
    before.hear(opened('1.0.0'));
    await before.saveAll();
    const after = at(disk);
    expect(after.counts('sale', '1.1.0')).toMatchObject([
      { version: '1.1.0', restarts: {}, failures: {} },
      { version: '1.0.0', restarts: { hang: 2 }, failures: { hang: 1 } },
    ]);
    after.count('sale', 'crash', '1.1.0');
    after.count('sale', 'crash', '1.0.0');
    await after.saveAll();
    expect(at(disk).counts('sale', '1.1.0')).toMatchObject([
      { version: '1.1.0', restarts: { crash: 1 } },
      { version: '1.0.0', restarts: { hang: 2, crash: 1 } },
    ]);
  });

  it('is of so many versions at most; the one that ran longest ago goes', async () => {
    const counters = at({});
    for (let n = 0; n <= VERSIONS_MAX; n += 1) counters.count('sale', 'crash', `1.${n}`);
    await counters.saveAll();
    const versions = counters.counts('sale', `1.${VERSIONS_MAX}`).map(({ version }) => version);
    expect(versions).toHaveLength(VERSIONS_MAX);
    expect(versions).not.toContain('1.0');
  });

  it('is read from what an agent of before wrote', () => {
    const old = { version: '1', restarts: { hang: 3 } };
    const text = JSON.stringify({ components: { sale: old } });
    expect(at({ text }).counts('sale', '1')).toMatchObject([
      { version: '1', restarts: { hang: 3 } },
    ]);
  });

  it('begins anew when its file is damaged, and says so', () => {
    expect(at({ text: '{"components": 7}' }).counts('sale', '1')[0]?.restarts).toEqual({});
    expect(log.lines.join()).toContain('restarts.json');
  });

  it('is written one at a time, with what came meanwhile, and not when nothing came', async () => {
    const written: string[] = [];
    const end: (() => void)[] = [];
    const counters = at({}, (text) => {
      written.push(text);
      return new Promise((done) => end.push(() => done(ok(undefined))));
    });
    await counters.saveAll();
    expect(written).toEqual([]);
    counters.count('sale', 'crash', '1');
    void counters.save();
    counters.count('sale', 'crash', '1');
    void counters.save();
    expect(written).toHaveLength(1);
    const all = counters.saveAll();
    end[0]?.();
    await settled();
    end[1]?.();
    await all;
    expect(written).toHaveLength(2);
    expect(written[1]).toContain('"crash":2');
  });

  it('keeps the rungs of the ladder too, over versions', async () => {
    const disk = {};
    const counters = at(disk);
    counters.countLadder('sale', 'used', 'reset', 'crash');
    counters.countLadder('sale', 'used', 'reset', 'crash');
    counters.countLadder('sale', 'outcomes', 'reset', 'held');
    counters.countLadder('nobody', 'used', 'reset', 'crash');
    await counters.saveAll();
    expect(at(disk).ladder('sale')).toEqual({
      used: [{ rung: 'reset', cause: 'crash', count: 2 }],
      outcomes: [{ rung: 'reset', outcome: 'held', count: 1 }],
      suppressed: [],
    });
    expect(at(disk).ladder('nobody').used).toEqual([]);
  });
});

describe('a failure', () => {
  const failuresOf = async (events: readonly NewEvent[]) => {
    const counters = at({});
    for (const event of events) counters.hear(event);
    await counters.saveAll();
    return counters.counts('sale', '1')[0]?.failures;
  };

  it('is counted each time that an incident is opened', async () => {
    expect(await failuresOf([opened('1'), stateIs('ready'), opened('1', 'crash')])).toEqual({
      hang: 1,
      crash: 1,
    });
  });

  it('is counted where nothing may be done about it, once until it is well again', async () => {
    expect(await failuresOf([suppressed, suppressed, stateIs('suspect'), suppressed])).toEqual({
      hang: 1,
    });
    expect(await failuresOf([suppressed, stateIs('ready'), suppressed])).toEqual({ hang: 2 });
  });

  it('is not counted again when a rung for it is held back', async () => {
    expect(await failuresOf([opened('1'), suppressed])).toEqual({ hang: 1 });
  });
});

describe('time', () => {
  const MINUTE = 60_000;
  const run = (counters: Counters, from: number, until: number, version = '1', state = 'ready') => {
    for (let now = from; now <= until; now += 1_000) counters.keep(sale(version, state), now);
  };
  const told = async (counters: Counters, version = '1') => {
    await counters.saveAll();
    const { operationalMs = 0, stableMs = 0 } = counters.counts('sale', version)[0] ?? {};
    return [operationalMs / MINUTE, stableMs / MINUTE];
  };

  it('is operational while it is ready, and stable an hour after the last failure', async () => {
    const counters = at({});
    run(counters, 0, 10 * MINUTE);
    expect(await told(counters)).toEqual([10, 10]);
    counters.hear(opened('1'));
    run(counters, 11 * MINUTE, 20 * MINUTE, '1', 'starting');
    run(counters, 20 * MINUTE, 20 * MINUTE + STABLE_AFTER_MS);
    const [operational = 0, stable = 0] = await told(counters);
    expect(operational).toBeCloseTo(70, 0);
    expect(stable).toBeCloseTo(19, 0);
  });

  it('of a new version does not suffer from failures of the old one', async () => {
    const counters = at({});
    run(counters, 0, 0);
    counters.hear(opened('1'));
    run(counters, 1_000, 10 * MINUTE, '2');
    expect(await told(counters, '2')).toEqual([10, 10]);
  });

  it('that nobody watched is not claimed', async () => {
    const counters = at({});
    run(counters, 0, MINUTE);
    run(counters, 60 * MINUTE, 61 * MINUTE);
    const [operational = 0] = await told(counters);
    expect(operational).toBeLessThan(2.2);
  });

  it('alone is written once a minute, and what is counted at once', async () => {
    const disk: Disk = {};
    let writes = 0;
    const counters = at(disk, (text) => {
      disk.text = text;
      writes += 1;
      return Promise.resolve(ok(undefined));
    });
    for (let now = 0; now <= 10 * TIME_WRITTEN_EVERY_MS; now += 1_000) {
      counters.keep(sale('1'), now);
      await settled();
    }
    expect(writes).toBe(10);
    counters.count('sale', 'crash', '1');
    counters.keep(sale('1'), 10 * TIME_WRITTEN_EVERY_MS + 1_000);
    expect(writes).toBe(11);
  });

  it('is not lost by a disk that refuses: told when it is written', async () => {
    let refuses = true;
    const counters = at({}, () =>
      Promise.resolve(refuses ? fail('cannot write: ENOSPC') : ok(undefined)),
    );
    run(counters, 0, MINUTE);
    counters.count('sale', 'crash', '1');
    expect(await told(counters)).toEqual([0, 0]);
    refuses = false;
    run(counters, MINUTE, 2 * MINUTE);
    await settled();
    expect((await told(counters))[0]).toBe(2);
    expect(counters.counts('sale', '1')[0]?.restarts).toEqual({ crash: 1 });
  });
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

it('never falls, wherever the agent is killed: between counting, writing and telling', async () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = dice(seed);
    const disk: Disk = {};
    const truth = new Map<string, number>();
    const told = new Map<string, number>();
    let now = 0;
    let failures = 0;
    for (let life = 0; life < 6; life += 1) {
      let killed = false;
      const counters = at(disk, async (text) => {
        // Killed before, within or after the rename: the disk has the old or the new, and nobody is told.
        await settled();
        if (killed) return new Promise<Result<void>>(() => undefined);
        if (random() < 0.1) return fail('cannot write: EIO');
        disk.text = text;
        if (random() < 0.5) await settled();
        return killed ? new Promise<Result<void>>(() => undefined) : ok(undefined);
      });
      const version = `1.${Math.floor(random() * 3)}`;
      const steps = Math.floor(random() * 200);
      for (let step = 0; step < steps; step += 1) {
        now += 1_000;
        counters.keep(sale(version), now);
        if (random() < 0.1) {
          counters.count('sale', 'crash', version);
          truth.set(version, (truth.get(version) ?? 0) + 1);
        }
        if (random() < 0.3) await settled();
        for (const one of counters.counts('sale', version)) {
          const values = [one.restarts['crash'] ?? 0, one.operationalMs] as const;
          for (const [kind, value] of values.entries()) {
            const key = `${one.version} ${kind}`;
            if (value < (told.get(key) ?? 0)) failures += 1;
            told.set(key, value);
          }
          expect(values[0], `seed ${seed}`).toBeLessThanOrEqual(truth.get(one.version) ?? 0);
        }
      }
      killed = true;
      await settled();
    }
    expect(failures, `seed ${seed}`).toBe(0);
  }
});
