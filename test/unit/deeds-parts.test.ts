// The parts that deeds share, by hand-moved clocks: orders that nobody answers, and sales that are waited for.

import { describe, expect, it } from 'vitest';
import type { Component } from '../../agent/component.ts';
import { ANSWER_MS_MAX, Asks } from '../../agent/deeds/asks.ts';
import { Sales, WAITING_MAX } from '../../agent/deeds/sale.ts';
import { Stopped } from '../../agent/deeds/stopped.ts';
import type { Timers } from '../../agent/ports.ts';
import type { AgentConfig } from '../../configuration/config.ts';
import { changeableOf, readSettings } from '../../configuration/settings.ts';
import type { Command } from '../../protocol/commands.ts';
import { fail, ok } from '../../protocol/result.ts';

/** Timers that fire when time is passed by hand. */
function hours() {
  let now = 0;
  const due: { at: number; run: () => void }[] = [];
  const timers: Timers = {
    after: (ms, run) => {
      const entry = { at: now + ms, run };
      due.push(entry);
      return () => void due.splice(due.indexOf(entry), due.includes(entry) ? 1 : 0);
    },
    every: () => () => undefined,
  };
  const pass = (ms: number): void => {
    now += ms;
    for (const one of due.filter(({ at }) => at <= now)) {
      due.splice(due.indexOf(one), 1);
      one.run();
    }
  };
  return { timers, pass, nowMs: () => now };
}

describe('an order to a component', () => {
  it('that it does not know is refused once its time is over', async () => {
    const { timers, pass } = hours();
    const asks = new Asks(timers, () => true);
    const asked = asks.ask('sale', (id) => ({ kind: 'reopen', id, device: 'printer' }));
    pass(ANSWER_MS_MAX);
    expect(await asked).toEqual({
      ok: false,
      reason: 'sale gave no answer within 3000 ms: it does not know this order',
    });
  });

  it('is answered by that component alone, and refused where there is no connection', async () => {
    const { timers } = hours();
    let id = '';
    const asks = new Asks(timers, (_, message) => {
      id = 'id' in message ? message.id : '';
      return true;
    });
    const asked = asks.ask('sale', (one) => ({ kind: 'reopen', id: one, device: 'printer' }));
    asks.hear('sync', { kind: 'answer', id, ok: false });
    asks.hear('sale', { kind: 'answer', id, ok: true, reason: 'done' });
    expect(await asked).toEqual({ ok: true, reason: 'done' });
    const deaf = new Asks(timers, () => false);
    const none = await deaf.ask('sale', () => ({ kind: 'heal' }));
    expect(none.reason).toBe('sale has no connection over which it could be asked');
  });
});

describe('a deed that waits for a sale', () => {
  const world = () => {
    const { pass, nowMs } = hours();
    const busy = new Map<string, number>();
    const model = { busy, watch: { work: new Map() } };
    const components = [{ name: 'sale', model }] as unknown as Component[];
    const refused: string[] = [];
    const ran: string[] = [];
    const sales = new Sales({
      ...{ clock: { monotonicMs: nowMs }, nowMs, components: () => components },
      refuse: (id, reason) => refused.push(`${id}: ${reason}`),
    });
    const ask = (id: string, force = false, expiresMs = 60_000): void => {
      const args = { component: 'sale', ...(force ? { force } : {}) };
      const command = { id, kind: 'restart', arguments: args, expiresMs };
      sales.when(command as Command, ['sale'], (note) => ran.push(`${id} ${note}`.trim()));
    };
    return { pass, busy, sales, ask, refused, ran };
  };

  it('runs in the sweep in which it ends, or at once where there is none', () => {
    const { pass, busy, sales, ask, ran } = world();
    ask('a');
    busy.set('basket', 30_000);
    ask('b');
    sales.look();
    expect(ran).toEqual(['a']);
    // The sale's own ceiling ends it, where nobody says that it is idle.
    pass(30_000);
    sales.look();
    expect(ran).toEqual(['a', 'b']);
  });

  it('never runs after its expiry, not even when the sale ends in that moment', () => {
    const { pass, busy, sales, ask, refused, ran } = world();
    busy.set('basket', 1e9);
    ask('a', false, 10_000);
    pass(10_000);
    busy.clear();
    sales.look();
    expect(ran).toEqual([]);
    expect(refused).toEqual(['a: it expired after waiting 0.2 min for a sale to end']);
  });

  it('is done together with one that is forced: neither twice nor left behind by the next sale', () => {
    const { pass, busy, sales, ask, ran, refused } = world();
    busy.set('basket', 1e9);
    ask('polite');
    ask('forced', true);
    // The next sale begins before anybody looks.
    sales.look();
    pass(60_000);
    sales.look();
    expect(ran).toEqual(['forced by force, while sale was busy', 'polite']);
    expect(refused).toEqual([]);
  });

  it('does not wait when it is forced, and says whom it cut off', () => {
    const { busy, ask, ran } = world();
    busy.set('basket', 1e9);
    ask('a', true);
    expect(ran).toEqual(['a by force, while sale was busy']);
  });

  it('waits in a queue that has an end', () => {
    const { busy, ask, refused } = world();
    busy.set('basket', 1e9);
    for (let n = 0; n <= WAITING_MAX; n += 1) ask(`c${n}`);
    expect(refused).toEqual([`c${WAITING_MAX}: too many commands wait`]);
  });
});

describe('components that an operator has stopped', () => {
  it('are on disk before it counts, and a file that cannot be read stops nobody', () => {
    const disk = { text: undefined as string | undefined, full: false };
    const said: string[] = [];
    const log = { info: () => 0, warn: () => 0, error: (text: string) => void said.push(text) };
    const open = () =>
      new Stopped({
        ...{ path: 'stopped.json', log, read: () => disk.text },
        write: (_, text) => {
          if (disk.full) return fail('the disk is full');
          disk.text = text;
          return ok(undefined);
        },
      });
    const stopped = open();
    disk.full = true;
    expect(stopped.add('sale', { by: 'kim', reason: 'x' }).ok).toBe(false);
    expect(stopped.has('sale')).toBe(false);
    disk.full = false;
    stopped.add('sale', { by: 'kim', reason: 'x' });
    expect(open().of('sale')).toEqual({ by: 'kim', reason: 'x' });
    expect(open().has('constructor')).toBe(false);
    disk.text = '[broken';
    expect(open().has('sale')).toBe(false);
    expect(said).toHaveLength(1);
  });
});

describe('settings', () => {
  const base = changeableOf({
    ...{ mode: 'act', drills: true, components: [{ name: 'sale' }, { name: 'sync' }] },
    sampling: { everyMs: 15_000, sendMs: 60_000, seriesMax: 150 },
    link: { reconnectMsMin: 1_000, reconnectMsMax: 300_000 },
  } as unknown as AgentConfig);
  const sentences = (text: string): string[] => {
    const read = readSettings(text, base);
    return read.ok ? [] : read.problems.map(({ path, sentence }) => `${path}: ${sentence}`);
  };

  it('change what they name and nothing else', () => {
    const text = 'sampling: {everyMs: 5000}\ncomponents: [{name: sync, mode: observe}]';
    const read = readSettings(text, base);
    expect(read.ok && read.value).toEqual({
      ...base,
      sampling: { everyMs: 5_000, sendMs: 60_000, seriesMax: 150 },
      modes: { sale: 'act', sync: 'observe' },
    });
  });

  it('cannot widen what commands may do, and tell all their problems at once', () => {
    const text = [
      ...['bounds: {restartsPerHour: 1000}', 'trust: {commandKeys: []}', 'drills: true'],
      ...['sampling: {everyMs: 90000}', 'colour: red', 'link: {reconnectMsMin: 1}'],
    ].join('\n');
    const told = sentences(text);
    for (const path of ['bounds', 'trust', 'drills', 'colour', 'link.reconnectMsMin']) {
      expect(told.filter((sentence) => sentence.startsWith(`${path}:`))).toHaveLength(1);
    }
    expect(sentences('sampling: {everyMs: 90000}')).toEqual([
      'sampling.everyMs: must not be more than sendMs (60000) (line 1)',
    ]);
    expect(sentences('just words')).toHaveLength(1);
  });
});
