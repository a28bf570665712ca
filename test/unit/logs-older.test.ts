// What of a file is older than a moment: never more, also where lines have no time.

import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { olderThan, removeOwnOlder } from '../../agent/logs/older.ts';
import { realTimers } from '../real/link-rig.ts';

const AT_MS = Date.UTC(2026, 10, 22, 12);
const ports = { clock: { monotonicMs: () => performance.now() }, timers: realTimers };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-older-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const line = (minute: number): string =>
  `${JSON.stringify({ timestamp: new Date(AT_MS + minute * 60_000).toISOString(), minute })}\n`;
function write(name: string, text: string, modifiedMs = AT_MS + 3_600_000): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  utimesSync(path, modifiedMs / 1_000, modifiedMs / 1_000);
  return path;
}

describe('what is older', () => {
  it('ends where the first line of that time begins', async () => {
    const lines = Array.from({ length: 1_000 }, (_, minute) => line(minute));
    const path = write('a.log', lines.join(''));
    const at = (minute: number) => olderThan(path, [], AT_MS + minute * 60_000, ports);
    const bytesOf = (count: number) => lines.slice(0, count).join('').length;
    expect(await at(-5)).toBe(0);
    expect(await at(0)).toBe(0);
    expect(await at(500)).toBe(bytesOf(500));
    expect(await at(5_000)).toBe(bytesOf(1_000));
  });

  it('is nothing of a file whose lines have no time and which is newer as a whole', async () => {
    const path = write('b.log', 'no time here\n'.repeat(1_000));
    expect(await olderThan(path, [], AT_MS, ports)).toBe(0);
    expect(await olderThan(path, [], AT_MS + 2 * 3_600_000, ports)).toBe(13_000);
    expect(await olderThan(join(folder, 'gone.log'), [], AT_MS, ports)).toBe(0);
  });

  it('of the agent’s own log are closed files alone', () => {
    const path = write('agent.log', 'open', AT_MS - 1);
    write('agent1.log', 'newer', AT_MS + 1);
    write('agent2.log', 'older', AT_MS - 1);
    expect(removeOwnOlder(path, AT_MS)).toBe(5);
    expect(removeOwnOlder(path, AT_MS)).toBe(0);
  });
});
