// What a real agent keeps of real failures: where a stuck main thread stood, and the last words of one that crashed.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Bundle } from '../../agent/evidence/bundle.ts';
import { fault, Rig, until } from './agent-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.clean());

/** Bundles of evidence, oldest first. */
function bundles(component: string): Bundle[] {
  const folder = join(rig.folder, 'data', 'evidence', component);
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
    return names
      .sort()
      .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Bundle);
  } catch {
    return [];
  }
}

describe('the evidence of an agent', () => {
  it('says at which line a main thread hung, and what a crashed one said last', async () => {
    rig.configure([
      fault('stuck', ['--mode', 'block', '--hang-after-ms', '1500'], { witness: true }),
      fault('crashed', ['--run-ms', '300', '--exit', '7']),
    ]);
    void rig.start();
    const confirmed = await until('the hang is written down', () =>
      bundles('stuck').find(({ phase }) => phase === 'confirmed'),
    );
    expect(confirmed.js?.stack[0]).toMatch(/^block \(test\/real\/fault\.ts:\d+\)$/);
    const [main] = confirmed.system?.processes ?? [];
    expect(main).toMatchObject({ state: 'S', wchan: expect.stringContaining('futex') });
    expect(main?.threadStates?.length).toBeGreaterThan(2);
    expect(confirmed.logLines.at(-1)).toContain('hanging block');
    expect((await rig.healed('stuck')).opened.cause).toBe('hang');
    // The witness wakes the thread that it asks; that must not look as if it had come round.
    const story = rig.lines('stuck').map(({ message }) => message);
    const asked = story.findIndex((message) => message.includes('asleep without waking'));
    const killed = story.findIndex((message) => message.includes('is killed'));
    const cleared = story.slice(asked, killed).filter((message) => message.includes('cleared'));
    // An agent that did not run for a while begins anew with what it suspects, and says so.
    const isStarved = rig.log().some(({ message }) => message.includes('did not run for a while'));
    expect(isStarved ? [] : cleared, story.join('\n')).toEqual([]);
    const crash = await until('the crash is written down', () => bundles('crashed')[0]);
    expect(crash).toMatchObject({ phase: 'exit', exit: { code: 7 } });
    expect(crash.logLines.length).toBeGreaterThan(0);
  });
});
