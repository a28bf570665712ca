// Hooks as real programs: how they end, what they may print, that nothing of them is left after their time, and that
// the next agent ends what a killed one had begun.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createHooks,
  type HookEnd,
  type HookSpec,
  OUTPUT_BYTES_MAX,
  TOLD_LINES_MAX,
} from '../../agent/hooks.ts';
import { emptyOver } from '../../agent/system/disk.ts';
import { realPorts } from '../../agent/system.ts';
import { isAlive, until } from './agent-rig.ts';

let runDir: string;
let logged: { message: string; fields: Record<string, unknown> }[];
beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), 'tw-hooks-'));
  logged = [];
});
afterEach(() => rmSync(runDir, { recursive: true, force: true }));

function open() {
  const keep = (message: string, fields: Record<string, unknown> = {}): void => {
    logged.push({ message, fields });
  };
  const log = { info: keep, warn: keep, error: keep };
  return createHooks({ runDir, ports: realPorts(), log, bound: emptyOver });
}

const spec = (script: string, more: Partial<HookSpec> = {}): HookSpec => ({
  kind: 'heal',
  component: 'sale',
  command: ['/bin/sh', '-c', script],
  timeoutMs: 20_000,
  env: { PATH: process.env['PATH'] ?? '', TILLWATCH_COMPONENT: 'sale' },
  ...more,
});
const run = (hooks: ReturnType<typeof open>, what: HookSpec): Promise<HookEnd> =>
  new Promise((done) => hooks.run(what, done));
const printed = (): unknown => logged.find(({ fields }) => 'printed' in fields)?.fields['printed'];

describe('a hook', () => {
  it('ends well with exit code 0, else it says how; it knows what it is', async () => {
    const hooks = open();
    const good = await run(hooks, spec('echo $TILLWATCH_HOOK for $TILLWATCH_COMPONENT'));
    expect(good).toEqual({ ok: true, reason: 'the heal hook did its work' });
    expect(printed()).toEqual(['heal for sale']);
    const bad = await run(hooks, spec('exit 3', { kind: 'reset' }));
    expect(bad).toEqual({ ok: false, reason: 'the reset hook ended with exit code 3' });
    const killed = await run(hooks, spec('kill -9 $$'));
    expect(killed.reason).toBe('the heal hook ended by signal SIGKILL');
    const none = await run(hooks, { ...spec(''), command: ['/nowhere/at/all'] });
    expect(none).toMatchObject({ ok: false, reason: expect.stringContaining('ENOENT') });
    expect(readdirSync(join(runDir, 'hooks')).filter((f) => f.endsWith('.json'))).toEqual([]);
  });

  it('that takes too long is ended with everything it started', async () => {
    const pids = join(runDir, 'pids');
    const script = `trap '' TERM; sleep 1000 & echo $! $$ > ${pids}; setsid sleep 1000 & wait`;
    const end = await run(open(), spec(script, { timeoutMs: 700 }));
    expect(end).toEqual({
      ok: false,
      reason: 'the heal hook took longer than 700 ms and was ended',
    });
    const left = readFileSync(pids, 'utf8').trim().split(' ').map(Number).filter(isAlive);
    expect(left).toEqual([]);
    const sleepers = readdirSync('/proc').filter((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
        return environment.includes('TILLWATCH_HOOK=heal') && isAlive(Number(pid));
      } catch {
        return false;
      }
    });
    expect(sleepers).toEqual([]);
  });

  it('runs alone for its component, and beside that of another', async () => {
    const hooks = open();
    const first = run(hooks, spec('sleep 0.5'));
    const second = run(hooks, spec('true'));
    const other = run(hooks, spec('true', { component: 'sync' }));
    expect(await second).toEqual({ ok: false, reason: 'another hook of it still runs' });
    expect((await other).ok).toBe(true);
    expect((await first).ok).toBe(true);
    expect((await run(hooks, spec('true'))).ok).toBe(true);
  });

  it('is cancelled also in the moment of its start', async () => {
    const hooks = open();
    const end = run(hooks, spec('sleep 1000'));
    hooks.cancel('sale', 'the process that it was for is gone');
    expect(await end).toEqual({ ok: false, reason: 'the process that it was for is gone' });
  });

  it('that prints without end fills nothing; its last lines are told, without card numbers', async () => {
    const script =
      'yes 0123456789 | head -c 20000000; sleep 1.5; seq 1 30; echo card 4111111111111111';
    const end = await run(open(), spec(script));
    expect(end.ok).toBe(true);
    expect(statSync(join(runDir, 'hooks', 'sale.out')).size).toBeLessThan(OUTPUT_BYTES_MAX);
    const lines = printed() as string[];
    expect(lines).toHaveLength(TOLD_LINES_MAX);
    expect(lines.at(-2)).toBe('30');
    expect(lines.at(-1)).not.toContain('4111111111111111');
  });

  it('that a killed agent left behind is ended by the next; a reboot is not called back', async () => {
    const before = open();
    void run(before, spec('sleep 1000'));
    void run(before, spec('sleep 1000', { kind: 'reboot', component: '' }));
    const record = (name: string): number =>
      JSON.parse(readFileSync(join(runDir, 'hooks', name), 'utf8')).pid;
    const both = await until('both run', () => {
      try {
        return [record('sale.json'), record('.till.json')] as const;
      } catch {
        return undefined;
      }
    });
    writeFileSync(join(runDir, 'hooks', 'damaged.json'), '{');
    await open().endLeftovers();
    expect(both.map(isAlive)).toEqual([false, true]);
    process.kill(-both[1], 'SIGKILL');
  });
});
