import { describe, expect, it } from 'vitest';
import { Absence } from '../../agent/absence/keeper.ts';
import { defaultRoute, isNeighbour, readNetwork } from '../../agent/absence/network.ts';
import type { Knocked } from '../../agent/system/knock.ts';
import type { NewEvent } from '../../protocol/events.ts';
import { fail, ok } from '../../protocol/result.ts';
import { fakeTime, quiet, START_MS } from './fleet-rig.ts';

const ROUTES = `Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
`;
const ARP = `IP address       HW type     Flags       HW address            Mask     Device
192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0
192.0.2.7        0x1         0x0         00:00:00:00:00:00     *        eth0
`;

/** A machine's small files; whatever is written is read again. */
function machine() {
  const texts = new Map<string, string>([
    ['/proc/net/route', ROUTES],
    ['/proc/net/arp', ARP],
    ['/sys/class/net/eth0/carrier', '1\n'],
    ['/sys/class/net/eth0/operstate', 'up\n'],
    ['/sys/class/net/wlan0/operstate', 'down\n'],
  ]);
  return {
    texts,
    files: {
      read: (path: string) => texts.get(path),
      some: () => ['eth0', 'lo', 'wlan0'],
      replace: (path: string, text: string) => {
        texts.set(path, text);
        return ok(undefined);
      },
    },
  };
}

function till(host = '203.0.113.9') {
  const time = fakeTime();
  const { texts, files } = machine();
  const told: Extract<NewEvent, { kind: 'away' }>['fields'][] = [];
  const knocks: string[] = [];
  const state = {
    bootId: 'boot-1',
    bootMs: 50_000,
    wall: 0,
    isKnown: true,
    writes: 0,
    full: false,
  };
  let knocked: Knocked = 'answers';
  const open = (): Absence =>
    new Absence({
      ...{
        runDir: '/run/t',
        dataDir: '/data',
        host: () => host,
        files,
        timers: time.timers,
        log: quiet,
      },
      clock: {
        monotonicMs: time.clock.monotonicMs,
        wallMs: () => time.clock.wallMs() + state.wall,
        bootId: () => state.bootId,
        bootMs: () => state.bootMs + time.clock.monotonicMs(),
      },
      write: (path, text) => {
        state.writes += 1;
        if (state.full) return Promise.resolve(fail('full'));
        texts.set(path, text);
        return Promise.resolve(ok(undefined));
      },
      knock: (to) => {
        knocks.push(to);
        return Promise.resolve(knocked);
      },
      time: { known: () => state.isKnown, nowMs: () => START_MS + time.clock.monotonicMs() },
      report: (event) => {
        if (event.kind === 'away') told.push(event.fields);
      },
    });
  return {
    ...{ time, texts, told, knocks, state, open },
    answer: (answer: Knocked): void => {
      knocked = answer;
    },
  };
}
const settled = async (): Promise<void> => {
  for (let i = 0; i < 5; i += 1) await Promise.resolve();
};

describe('the network of a machine', () => {
  it('has a way out over the route with the lowest metric', () => {
    expect(defaultRoute(ROUTES)).toEqual({ device: 'eth0', gateway: '192.0.2.1' });
    expect(defaultRoute(undefined)).toBeUndefined();
    expect(defaultRoute('nonsense\nx y')).toBeUndefined();
  });

  it('knows its neighbours', () => {
    const known = ['192.0.2.1', '192.0.2.7', '192.0.2.8'].map((ip) => isNeighbour(ARP, ip));
    expect(known).toEqual([true, false, undefined]);
  });

  it('is looked at without a socket, and says nothing where nothing can be told', () => {
    const { texts, files } = machine();
    expect(readNetwork(files)).toEqual({
      ...{ look: { carrier: true, route: true, gateway: 'unknown' }, gateway: '192.0.2.1' },
    });
    texts.set('/sys/class/net/eth0/carrier', '0\n');
    expect(readNetwork(files).look).toMatchObject({ carrier: false, route: true });
    texts.set('/proc/net/route', 'Iface\n');
    expect(readNetwork(files).look).toMatchObject({ carrier: false, route: false });
    texts.delete('/proc/net/route');
    expect(readNetwork(files).look).toMatchObject({ carrier: undefined, route: undefined });
  });
});

describe('an agent that was away', () => {
  it('tells why, when the broker has acknowledged something again', () => {
    const { time, texts, told, open } = till();
    const absence = open();
    absence.up();
    absence.acknowledged();
    time.pass(60_000);
    texts.set('/sys/class/net/eth0/carrier', '0\n');
    absence.down('connect ENETUNREACH 203.0.113.9:8883');
    time.pass(600_000);
    absence.up();
    expect(told).toEqual([]);
    absence.acknowledged();
    expect(told).toEqual([
      {
        ...{ fromMs: START_MS + 60_000, untilMs: START_MS + 660_000, why: 'link_down' },
        reason: 'no network interface has a carrier',
      },
    ]);
  });

  it('counts a short one and does not tell it, and counts only what is on disk', async () => {
    const { time, told, state, open } = till();
    const absence = open();
    absence.acknowledged();
    await settled();
    absence.down('the connection closed');
    time.pass(4_000);
    absence.up();
    absence.acknowledged();
    expect(told).toEqual([]);
    await settled();
    await settled();
    expect(absence.totalsMs()).toEqual({ broker_unreachable: 4_000 });
    state.full = true;
    absence.down('the connection closed');
    time.pass(4_000);
    absence.acknowledged();
    await settled();
    expect(absence.totalsMs()).toEqual({ broker_unreachable: 4_000 });
  });

  it('knocks at the gateway once a minute while it is away, never before, and believes it', async () => {
    const { time, told, knocks, open, answer } = till();
    const absence = open();
    absence.acknowledged();
    time.pass(600_000);
    expect(knocks).toEqual([]);
    answer('silent');
    for (let i = 0; i < 10; i += 1) {
      absence.down('connect ETIMEDOUT 203.0.113.9:8883');
      await settled();
      time.pass(20_000);
    }
    expect(knocks).toEqual(['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.1']);
    absence.up();
    absence.acknowledged();
    expect(told[0]).toMatchObject({
      ...{ why: 'gateway_unreachable', reason: 'the gateway does not answer' },
    });
  });

  it('does not knock for a broker on this machine', async () => {
    const { knocks, open } = till('127.0.0.1');
    const absence = open();
    absence.acknowledged();
    absence.down('connect ECONNREFUSED 127.0.0.1:1883');
    await settled();
    expect(knocks).toEqual([]);
  });

  it('loses nothing when it is killed in the middle, and none of it to the wall clock', () => {
    const { time, told, state, open } = till();
    const first = open();
    first.acknowledged();
    time.pass(60_000);
    first.down('getaddrinfo ENOTFOUND broker.example');
    time.pass(100_000);
    state.wall = -40 * 365 * 86_400_000;
    state.isKnown = false;
    const second = open();
    second.down('getaddrinfo ENOTFOUND broker.example');
    time.pass(100_000);
    state.wall = 86_400_000;
    second.up();
    state.isKnown = true;
    second.acknowledged();
    expect(told).toMatchObject([{ fromMs: START_MS + 60_000, untilMs: START_MS + 260_000 }]);
    expect(told[0]?.why).toBe('name_resolution');
  });

  it('knows a power cut from an end in good order', async () => {
    for (const [isClean, bootMs] of [
      [false, 20_000],
      [true, 20_000],
      // Up for longer than the machine was before: no number tells the boots apart.
      [false, 3_000_000],
    ] as const) {
      const { time, told, state, open, texts } = till();
      const first = open();
      first.acknowledged();
      for (let minute = 0; minute < 10; minute += 1) {
        await settled();
        time.pass(60_000);
      }
      if (isClean) await first.end('SIGTERM');
      await settled();
      const disk = texts.get('/data/absence.json') ?? '';
      time.pass(3_600_000);
      texts.set('/data/absence.json', disk);
      texts.delete('/run/t/absence.json');
      state.bootId = 'boot-2';
      state.bootMs = bootMs - time.clock.monotonicMs();
      state.isKnown = false;
      const second = open();
      state.isKnown = true;
      second.acknowledged();
      expect(told[0]?.why).toBe(isClean ? 'agent_stopped' : 'power');
      const lengthMs = (told[0]?.untilMs ?? 0) - (told[0]?.fromMs ?? 0);
      // As exact as the disk is written: what is not clean may begin two minutes early.
      expect(lengthMs).toBeGreaterThanOrEqual(3_600_000);
      expect(lengthMs).toBeLessThanOrEqual(3_600_000 + (isClean ? 0 : 130_000));
    }
  });

  it('writes to its disk every two minutes while all is well', async () => {
    const { time, state, open } = till();
    const absence = open();
    absence.acknowledged();
    await settled();
    for (let minute = 0; minute < 60; minute += 1) {
      time.pass(60_000);
      absence.acknowledged();
      await settled();
    }
    expect(state.writes).toBeLessThanOrEqual(32);
  });

  it('begins anew with a damaged record', () => {
    const { texts, told, open } = till();
    texts.set('/data/absence.json', '{"bootId":');
    texts.set('/run/t/absence.json', '{}');
    const absence = open();
    absence.down('the connection closed');
    absence.acknowledged();
    expect(told).toEqual([]);
  });
});
