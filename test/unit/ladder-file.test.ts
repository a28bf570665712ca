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
    return Promise.resolve(ok(undefined));
  };
});

const log: Log = {
  info: () => undefined,
  warn: () => undefined,
  error: (message) => said.push(message),
};
const files = {
  read: () => text,
  replace: (_path: string, content: string) => {
    text = content;
    writes += 1;
    return ok(undefined);
  },
} as unknown as Files;
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
const pass = (ms: number): void => {
  now = { ...now, boot: now.boot + ms, monotonic: now.monotonic + ms };
};
const reboot = (): void => {
  now = { boot: 20_000, monotonic: 300, bootId: `${now.bootId}+` };
};
const use = (at: number): RungUse => ({
  ...{ rung: 'reset', at, incident: 'i', cause: 'crash', signature: 's', held: false },
});
const token = { component: 'sale', incident: 'i' };

describe('the uses of rungs', () => {
  it('mean the same moment to the next agent, of this boot and of the next', () => {
    open().remember({ sale: [use(600)], sync: [] });
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

  it('are kept by an agent that used none itself', () => {
    open().remember({ sale: [use(600)] });
    const idle = open();
    idle.setReboots([]);
    expect(open().restored('sale')).toEqual([use(600)]);
  });

  it('are written with how long the machine is up, while there are any', () => {
    const empty = open();
    pass(3_600_000);
    empty.keep();
    expect(writes).toBe(0);
    const ladder = open();
    ladder.remember({ sale: [use(0)] });
    pass(60_000);
    ladder.keep();
    expect(writes).toBe(1);
    pass(600_000);
    ladder.keep();
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
    const late = ladder.spendReboot([]);
    const second = ladder.spendReboot([]);
    after.at(-1)?.();
    expect((await late).ok).toBe(false);
    expect((await second).ok).toBe(false);
    expect(TOKEN_MS_MAX).toBeLessThanOrEqual(10_000);
  });

  it('counts as spent for a day of uptime when the file is damaged', () => {
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
    damaged.keep();
    pass(23 * 3_600_000);
    expect(refusal(open())).toBeDefined();
    pass(2 * 3_600_000);
    expect(refusal(open())).toBeUndefined();
  });
});
