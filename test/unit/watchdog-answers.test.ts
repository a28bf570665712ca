// Whoever asks for a restart gets an answer in the end, also where nobody may or can bring the component back: a
// command that is running for ever stays in the journal and tells the centre nothing.

import { describe, expect, it } from 'vitest';
import { tell } from './watchdog-story.ts';

const restart = {
  kind: 'restart',
  reason: 'kim asked for it',
  command: 'c-1',
  force: false,
} as const;

describe('a restart that was asked for', () => {
  it('is answered where the component is only observed and does not become ready', () => {
    const story = tell({ mode: 'observe' });
    story.run();
    story.hands.becomesReady = false;
    story.send(restart);
    story.pass(120_000, 'healthy');
    expect(story.kills()).toEqual([]);
    expect(story.of('command_done')).toMatchObject([{ command: 'c-1', ok: false }]);
    story.send({ kind: 'ready' });
    expect(story.state()).toBe('ready');
    expect(story.of('command_done')).toHaveLength(1);
  });

  it('is answered where the kernel does not let the old process die, and done when it does', () => {
    const story = tell();
    story.run();
    story.hands.stops = false;
    story.hands.dies = false;
    story.send(restart);
    story.pass(60_000, 'disk');
    expect(story.state()).toBe('stopping');
    expect(story.of('command_done')).toMatchObject([{ command: 'c-1', ok: false }]);
    story.hands.dies = true;
    story.pass(20_000, 'healthy');
    expect(story.state()).toBe('ready');
    expect(story.of('command_done')).toHaveLength(1);
  });
});
