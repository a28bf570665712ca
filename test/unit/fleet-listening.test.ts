import { describe, expect, it } from 'vitest';
import { createListening, graceMs, RECONNECT_MS_MAX } from '../../broker/fleet/listening.ts';
import { rig, START_MS } from './fleet-rig.ts';

function listen({ lastSeenMs = 0, startMs = 0 } = {}) {
  let now = startMs;
  let jumpMs = 0;
  const state = { behind: 0, failing: false };
  const listening = createListening({
    clock: { monotonicMs: () => now, wallMs: () => START_MS + now + jumpMs },
    lastSeenMs,
    behind: () => state.behind,
    failing: () => state.failing,
  });
  return {
    state,
    ...listening,
    pass: (ms: number): void => {
      for (let left = ms; left > 0; left -= 1_000) {
        now += Math.min(1_000, left);
        listening.look();
      }
    },
    pause: (ms: number): void => {
      now += ms;
      listening.look();
    },
    jump: (ms: number): void => {
      jumpMs += ms;
    },
    wall: () => START_MS + now + jumpMs,
  };
}

describe('what the broker can have heard', () => {
  it('begins with its start, and after a time down a grace of as long again, up to a bound', () => {
    expect(listen().moment().fairMs).toBe(0);
    expect(listen({ lastSeenMs: START_MS - 20_000 }).moment().fairMs).toBe(40_000);
    expect(listen({ lastSeenMs: START_MS - 1e9 }).moment().fairMs).toBe(RECONNECT_MS_MAX);
    expect(graceMs(-1)).toBe(RECONNECT_MS_MAX);
  });

  it('leaves out times in which it did not run, or could not write', () => {
    const it = listen();
    it.pass(10_000);
    expect(it.moment().fairMs).toBe(0);
    it.pause(30_000);
    expect(it.moment().fairMs).toBe(40_000 + 60_000);
    it.state.failing = true;
    it.pass(120_000);
    it.state.failing = false;
    it.pass(1_000);
    expect(it.moment().fairMs).toBeGreaterThanOrEqual(160_000 + 230_000);
  });

  it('ends where the registry has read to, while it is behind', () => {
    const it = listen();
    it.pass(10_000);
    it.state.behind = 500;
    const received = it.wall() + 2_000;
    it.pass(30_000);
    expect(it.moment().heardMs).toBe(10_000);
    expect(it.arrivalMs(received)).toBe(12_000);
    expect(it.moment().heardMs).toBe(12_000);
    it.state.behind = 0;
    it.pass(1_000);
    expect(it.moment().heardMs).toBe(41_000);
  });

  it('knows when a row came although the wall clock was set in between', () => {
    for (const jumpMs of [-3_600_000, 3_600_000]) {
      const it = listen();
      it.pass(10_000);
      const received = it.wall();
      it.jump(jumpMs);
      expect(it.arrivalMs(received)).toBe(10_000);
    }
  });

  it('takes rows of the run before for as old as they are', () => {
    const it = listen({ lastSeenMs: START_MS - 60_000 });
    it.state.behind = 10;
    expect(it.arrivalMs(START_MS - 60_000)).toBe(-60_000);
    it.state.behind = 0;
    it.pass(1_000);
    it.jump(1e9);
    expect(it.arrivalMs(START_MS)).toBe(1_000);
  });
});

describe('a fleet', () => {
  it('is not late after a restart of its broker, nor alive for ever', () => {
    const { fleet, time, reopen } = rig();
    fleet.sessionOpened('lane-1', { address: '', openedMs: START_MS });
    time.pass(60_000);
    const again = reopen();
    time.pass(200_000);
    expect(again.view('lane-1')?.presence).toBe('online');
    time.pass(400_000);
    expect(again.view('lane-1')?.presence).toBe('lost');
    expect(again.view('lane-2')?.presence).toBe('never');
  });
});
