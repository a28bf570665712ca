import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  enqueue,
  HISTORY_MAX,
  isFinal,
  type QueuedCommand,
  type QueueEvent,
  SILENCE_MS_MAX,
  step,
} from '../../broker/commands/queue.ts';
import { COMMAND_STATES, type Command, type CommandState } from '../../protocol/commands.ts';

const EXPIRES = 300_000;
const command: Command = {
  id: '11111111-1111-4111-8111-111111111111',
  terminal: 'lane-1',
  kind: 'restart',
  arguments: { component: 'sale' },
  issuedMs: 0,
  expiresMs: EXPIRES,
  operator: 'kim',
  reason: 'till hangs',
  traceparent: '',
};
const result = (state: CommandState, timeMs: number, reason = ''): QueueEvent => ({
  kind: 'result',
  result: { commandId: command.id, state, timeMs, reason, detail: {} },
});
const ready: QueueEvent = { kind: 'terminal_ready' };
const tick: QueueEvent = { kind: 'tick', connected: true };
const tickAlone: QueueEvent = { kind: 'tick', connected: false };

/** Runs a story; each step with its time. */
function tell(...steps: readonly (readonly [now: number, event: QueueEvent])[]) {
  let queued: QueuedCommand = enqueue(command);
  const sentAt: number[] = [];
  const finished: string[] = [];
  for (const [now, event] of steps) {
    const next = step(queued, event, now);
    queued = next.queued;
    for (const effect of next.effects) {
      if (effect.kind === 'send') sentAt.push(now);
      else finished.push(effect.state);
    }
  }
  return { queued, state: queued.state, sentAt, finished };
}

describe('a command', () => {
  it('waits for its terminal, is sent, accepted, run and done', () => {
    const story = tell(
      [1, tickAlone],
      [5_000, ready],
      [5_100, result('accepted', 5_050)],
      [5_200, result('running', 5_060)],
      [6_000, result('succeeded', 5_900)],
    );
    expect(story).toMatchObject({ state: 'succeeded', sentAt: [5_000], finished: ['succeeded'] });
    expect(story.queued.history.map(({ state }) => state)).toEqual([
      'pending',
      'sent',
      'accepted',
      'running',
      'succeeded',
    ]);
  });

  it('is sent again after 2, 4, 8 ... at most 60 seconds until it is answered', () => {
    const seconds = Array.from({ length: 200 }, (_, second) => [second * 1_000, tick] as const);
    const { sentAt } = tell([0, ready], ...seconds);
    expect(sentAt.map((ms) => ms / 1_000)).toEqual([0, 2, 6, 14, 30, 62, 122, 182]);
    expect(tell([0, ready], [100, result('accepted', 50)], ...seconds).sentAt).toEqual([0]);
  });

  it('is not sent into nowhere: only a connected terminal gets it again', () => {
    expect(tell([0, ready], [9_000, tickAlone], [10_000, tickAlone]).sentAt).toEqual([0]);
  });

  it('is sent at once when the terminal comes back, however long it would have waited', () => {
    expect(tell([0, ready], [2_000, tick], [2_100, ready]).sentAt).toEqual([0, 2_000, 2_100]);
  });

  it('expires when nobody took it, and is not sent any more', () => {
    const story = tell([EXPIRES, tick], [EXPIRES + 1, ready]);
    expect(story).toMatchObject({ state: 'expired', sentAt: [], finished: ['expired'] });
    expect(story.queued.history.at(-1)?.reason).toMatch(/was not there/);
  });

  it('that expired here is corrected by a late word of the terminal', () => {
    const story = tell(
      [0, ready],
      [EXPIRES, tick],
      [EXPIRES + 9_000, result('accepted', 100)],
      [EXPIRES + 9_000, result('succeeded', 900)],
    );
    expect(story).toMatchObject({ state: 'succeeded', finished: ['expired', 'succeeded'] });
  });

  it('that was accepted becomes unknown only long after its expiry', () => {
    const accepted = [
      [0, ready],
      [100, result('accepted', 50)],
    ] as const;
    expect(tell(...accepted, [EXPIRES + 1_000, tick]).state).toBe('accepted');
    expect(tell(...accepted, [EXPIRES + SILENCE_MS_MAX, tick]).state).toBe('unknown');
  });

  it('takes each word once and keeps its first final word', () => {
    const done = result('succeeded', 900);
    const story = tell([0, ready], [1_000, done], [1_001, done], [1_002, result('failed', 950)]);
    expect(story).toMatchObject({ state: 'succeeded', finished: ['succeeded'] });
    expect(story.queued.history.length).toBe(3);
  });

  it('is not put back by a word that arrives behind a later one', () => {
    const story = tell(
      [0, ready],
      [1_000, result('succeeded', 900)],
      [1_100, result('accepted', 50)],
    );
    expect(story.state).toBe('succeeded');
    expect(story.queued.history.map(({ timeMs }) => timeMs)).toEqual([0, 0, 50, 900]);
  });

  it('never leaves the word of its terminal, whatever happens in whatever order', () => {
    const state = fc.constantFrom(...COMMAND_STATES);
    const event = fc.oneof(
      fc.constantFrom(ready, tick, tickAlone),
      fc.tuple(state, fc.nat(2_000_000)).map(([said, at]) => result(said, at)),
    );
    const steps = fc.array(fc.tuple(fc.nat(600_000), event), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (list) => {
        let queued = enqueue(command);
        let now = 0;
        let word: string | undefined;
        for (const [waitMs, happening] of list) {
          now += waitMs;
          const next = step(queued, happening, now);
          const sends = next.effects.some(({ kind }) => kind === 'send');
          expect(sends && (isFinal(queued.state) || now >= EXPIRES)).toBe(false);
          queued = next.queued;
          if (happening.kind === 'result' && isFinal(happening.result.state)) {
            word ??= happening.result.state;
          }
          if (word !== undefined) expect(queued.state).toBe(word);
          expect(queued.history.length).toBeLessThanOrEqual(HISTORY_MAX);
        }
      }),
    );
  });
});
