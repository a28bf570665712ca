// Closed files of the agent's own log that are older than a moment, and never the one that is written.

import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeOwnOlder } from '../../agent/logs/intake/own-files.ts';

const AT_MS = Date.UTC(2026, 10, 22, 12);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-older-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string, modifiedMs = AT_MS + 3_600_000): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  utimesSync(path, modifiedMs / 1_000, modifiedMs / 1_000);
  return path;
}

describe('what is older', () => {
  it('of the agent’s own log are closed files alone', () => {
    const path = write('agent.log', 'open', AT_MS - 1);
    write('agent1.log', 'newer', AT_MS + 1);
    write('agent2.log', 'older', AT_MS - 1);
    expect(removeOwnOlder(path, AT_MS)).toBe(5);
    expect(removeOwnOlder(path, AT_MS)).toBe(0);
  });
});
