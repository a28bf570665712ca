// Stories of what an operator asks of the plan: all restarted in order, or a reboot, where nobody has failed.

import { describe, expect, it } from 'vitest';
import type { RecoveryEffect, RecoveryEvent } from '../../agent/watchdog/recovery.ts';
import { HOUR_MS, REBOOT_MS_MAX, SETTLE_MS } from '../../agent/watchdog/recovery-model.ts';
import * as reasons from '../../agent/watchdog/recovery-reasons.ts';
import { MINUTE, running } from './recovery-story.ts';

const ask = (rung: 'all' | 'reboot', force = false, command = 'c-1'): RecoveryEvent => ({
  ...{ kind: 'escalated', component: '', rung, incident: '', cause: 'operator' },
  ...{ reason: 'kim asked for it', asked: { command, force }, patienceMs: 5 * MINUTE },
});
const NOTED = { kind: 'noted', ok: true, reason: 'on disk' } as const;

const answers = (effects: readonly RecoveryEffect[]) =>
  effects.flatMap((effect) =>
    effect.kind === 'answer' ? [[effect.command, effect.ok, effect.reason]] : [],
  );

describe('a restart of all that an operator asks for', () => {
  it('stops backwards, starts forwards, and is told as his', () => {
    const story = running();
    story.send(ask('all'));
    const lines = story.take();
    const stops = lines.filter((line) => line.startsWith('stop'));
    const starts = lines.filter((line) => line.startsWith('start'));
    const nameOf = (line: string | undefined): string | undefined => line?.split(' ')[1];
    expect(starts.map(nameOf).toSorted()).toEqual(stops.map(nameOf).toSorted());
    expect(nameOf(starts[0])).toBe(nameOf(stops.at(-1)));
    expect(nameOf(starts.at(-1))).toBe(nameOf(stops[0]));
    expect(stops.length).toBeGreaterThan(2);
    expect(answers(story.effects)).toEqual([['c-1', true, reasons.ALL_BEGUN]]);
    const causes = story.effects.flatMap((effect) =>
      effect.kind === 'stop' || effect.kind === 'start' ? [effect.cause] : [],
    );
    expect(new Set(causes)).toEqual(new Set(['operator']));
    expect(story.model().phase).toBe('idle');
  });

  it('waits for an open sale, no longer than it is patient, and leaves everything as it was', () => {
    const story = running();
    story.busy('sale');
    story.send(ask('all'));
    expect(story.take()).toEqual([]);
    story.pass(4 * MINUTE);
    expect(story.take()).toEqual([]);
    story.pass(MINUTE + 1_000);
    expect(answers(story.effects)).toEqual([['c-1', false, 'sale stayed busy for 5.0 min']]);
    expect(story.take().filter((line) => /^(stop|start)/.test(line))).toEqual([]);
  });

  it('does not wait when it is forced, not even while the till is held', () => {
    const story = running();
    story.busy('sale');
    story.send({ kind: 'hold', active: true });
    story.send(ask('all', false, 'polite'));
    story.send(ask('all', true, 'forced'));
    expect(answers(story.effects)).toEqual([
      ['polite', false, reasons.HELD],
      ['forced', true, reasons.ALL_BEGUN],
    ]);
  });

  it('is refused while another one waits', () => {
    const story = running();
    story.busy('sale');
    for (const command of ['a', 'b', 'c']) story.send(ask('all', false, command));
    expect(answers(story.effects)).toEqual([['c', false, reasons.ASKED_TOO_OFTEN]]);
  });
});

describe('a reboot that an operator asks for', () => {
  it('has its token on disk first, and the hour is the same as everybody’s', () => {
    const story = running();
    story.pass(SETTLE_MS);
    story.send(ask('reboot'));
    expect(story.take()).toEqual(['note_reboot']);
    story.send(NOTED);
    expect(story.take()).toEqual(['reboot', 'reboot ']);
    story.pass(REBOOT_MS_MAX + 1_000);
    expect(answers(story.effects)).toEqual([['c-1', false, reasons.STILL_UP]]);
    story.send(ask('reboot', true, 'c-2'));
    expect(answers(story.effects).at(-1)).toEqual(['c-2', false, reasons.tooManyInAnHour(1)]);
  });

  it('is no fruitless one: the watchdog may still reboot later', () => {
    const story = running();
    story.pass(SETTLE_MS);
    story.send(ask('reboot'));
    expect(story.model().reboots).toMatchObject([{ component: '', held: true }]);
    story.send(NOTED);
    story.pass(2 * HOUR_MS);
    story.take();
    story.fails('hardware', 'reboot');
    expect(story.take()).toContain('note_reboot');
  });

  it('that begins a sale while its token is written waits again, and takes the token back', () => {
    const story = running();
    story.pass(SETTLE_MS);
    story.send(ask('reboot'));
    story.busy('sale');
    story.send(NOTED);
    expect(story.model().phase).toBe('waiting');
    expect(story.model().reboots).toEqual([]);
  });
});
