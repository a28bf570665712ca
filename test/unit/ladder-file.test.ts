// What the ladder remembers over reboots: uses on accumulated uptime, tokens of reboots on disk before the reboot, and
// a damaged file that never gives a fresh budget.

import { beforeEach, describe, expect, it } from 'vitest';
import { LadderFile, TOKEN_MS_MAX } from '../../agent/ladder-file.ts';
import type { BootClock, Files, Log } from '../../agent/ports.ts';
import type { RungUse } from '../../agent/watchdog/machine.ts';
import { rebootRefusal } from '../../agent/watchdog/recovery-reboot.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';

let text: string | undefined;
let writes: number;
let said: string[];
let now: { boot: number; monotonic: number; bootId: string };
let after: (() => void)[];
let durable: (path: string, content: string) => Promise<Result<void>>;

beforeEach(() => {
  text = undefined;
  writes = 0;
  said = [];
  after = [];
  now = { boot: 1_000_000, monotonic: 1_000, bootId: 'boot-1' };
  durable = (_path, content) => {
    text = content;
    writes += 1;
    return Promise.resolve(ok(undefined));
  };
});

const log: Log = {
  info: () => undefined,
  warn: () => undefined,
  error: (message) => said.push(message),
};
const files = { read: () => text } as unknown as Files;
const clock: BootClock = {
  monotonicMs: () => now.monotonic,
  wallMs: () => 0,
  bootMs: () => now.boot,
  bootId: () => now.bootId,
};
const open = () =>
  new LadderFile({
    path: 'ladder.json',
    ...{ clock, files, log },
    timers: {
      after: (_ms, run) => {
        after.push(run);
        return () => undefined;
      },
      every: () => () => undefined,
    },
    writeDurably: (...what) => durable(...what),
  });
const remembered = async (uses: Record<string, readonly RungUse[]>): Promise<LadderFile> => {
  const ladder = open();
  ladder.remember(uses);
  await ladder.settled();
  return ladder;
};
const pass = (ms: number): void => {
  now = { ...now, boot: now.boot + ms, monotonic: now.monotonic + ms };
};
const reboot = (): void => {
  now = { boot: 20_000, monotonic: 300, bootId: `${now.bootId}+` };
};
const use = (at: number): RungUse => ({
  ...{ rung: 'reset', at, incident: 'i', cause: 'crash', signature: 's', held: false },
});
/** All that is settled by now is heard. */
const turn = (): Promise<void> => new Promise((done) => setImmediate(done));
const token = { component: 'sale', incident: 'i' };

describe('the uses of rungs', () => {
  it('mean the same moment to the next agent, of this boot and of the next', async () => {
    await remembered({ sale: [use(600)], sync: [] });
    pass(5_000);
    now = { ...now, monotonic: 50 };
    // 5 400 ms ago, on a clock that stands at 50.
    expect(open().restored('sale')).toEqual([use(-5_350)]);
    expect(open().restored('sync')).toEqual([]);
    expect(open().restored('toString')).toEqual([]);
    reboot();
    // Of the old boot only what was written down counts, then 20 s since this one began.
    expect(open().restored('sale')).toEqual([use(300 - 20_000 - 400)]);
  });

  it('are kept by an agent that used none itself', async () => {
    await remembered({ sale: [use(600)] });
    const idle = open();
    idle.setReboots([]);
    await idle.settled();
    expect(open().restored('sale')).toEqual([use(600)]);
  });

  it('are written with how long the machine is up, while there are any', async () => {
    const empty = open();
    pass(3_600_000);
    empty.keep();
    expect(writes).toBe(0);
    const ladder = await remembered({ sale: [use(0)] });
    pass(60_000);
    ladder.keep();
    await ladder.settled();
    expect(writes).toBe(1);
    pass(600_000);
    ladder.keep();
    await ladder.settled();
    expect(writes).toBe(2);
    const up = ladder.upMs();
    reboot();
    expect(open().upMs()).toBe(up + 20_000);
  });
});

describe('the token of a reboot', () => {
  it('is there for the next boot, on the time that the machine was up', async () => {
    const ladder = open();
    const atMs = ladder.upMs();
    expect(await ladder.spendReboot([{ ...token, atMs }])).toEqual(ok(undefined));
    reboot();
    const next = open();
    expect(next.reboots()).toEqual([{ ...token, atMs }]);
    expect(next.upMs()).toBe(atMs + 20_000);
  });

  it('is refused by a disk that fails, or that does not answer in time', async () => {
    durable = () => Promise.resolve(fail('EROFS'));
    expect(await open().spendReboot([])).toEqual(fail('EROFS'));
    durable = () => new Promise(() => undefined);
    const ladder = open();
    // One write hangs; the token waits behind it, and not for ever.
    ladder.remember({ sale: [use(0)] });
    const late = ladder.spendReboot([]);
    after.at(-1)?.();
    expect((await late).ok).toBe(false);
    expect(TOKEN_MS_MAX).toBeLessThanOrEqual(10_000);
  });

  it('waits for a write that is under way, and holds what came meanwhile', async () => {
    const done: (() => void)[] = [];
    durable = (_path, content) =>
      new Promise((resolve) => {
        done.push(() => {
          text = content;
          resolve(ok(undefined));
        });
      });
    const ladder = open();
    ladder.remember({ sale: [use(0)] });
    await turn();
    const spent = ladder.spendReboot([{ ...token, atMs: 7 }]);
    ladder.remember({ sale: [use(0), use(1)] });
    await turn();
    expect(done).toHaveLength(1);
    done[0]?.();
    await turn();
    done[1]?.();
    expect(await spent).toEqual(ok(undefined));
    expect(done).toHaveLength(2);
    expect(open().reboots()).toEqual([{ ...token, atMs: 7 }]);
    expect(open().restored('sale')).toHaveLength(2);
  });

  it('counts as spent for a day of uptime when the file is damaged', async () => {
    const rule = { uptimeMsMin: 0, hourMax: 1, dayMax: 3 };
    const refusal = (ladder: LadderFile): string | undefined => {
      const reboots = ladder.reboots();
      return rebootRefusal(rule, { uptimeMs: now.boot, totalMs: ladder.upMs(), reboots });
    };
    expect(refusal(open())).toBeUndefined();
    text = '{"v": 1, "reboots": "none"}';
    const damaged = open();
    expect(damaged.damaged).toBe(true);
    expect(said.join()).toContain('no reboot for a day of uptime');
    expect(refusal(damaged)).toBeDefined();
    await damaged.settled();
    pass(23 * 3_600_000);
    expect(refusal(open())).toBeDefined();
    pass(2 * 3_600_000);
    expect(refusal(open())).toBeUndefined();
  });
});
