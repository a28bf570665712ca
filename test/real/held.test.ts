// Who holds a port, a file or a device: real processes that do, seen in /proc by pid and name.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { realPorts } from '../../agent/system.ts';
import {
  findHolders,
  HELD_WAIT_MS_MAX,
  type Holder,
  waitUntilFree,
} from '../../agent/watchdog/held.ts';
import { until } from './agent-rig.ts';

const ports = realPorts();
let folder: string;
let child: ChildProcess;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-held-'));
});
afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** @returns what it printed: its port. */
function hold(file: string): Promise<number> {
  const program = `
    require('node:fs').openSync(${JSON.stringify(file)}, 'r');
    require('node:net').createServer().listen(0, function () { console.log(this.address().port); });
  `;
  child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return until('it listens', () => Number(text.trim()) || undefined);
}

describe('what a component needs', () => {
  it('is found held, with pid and name of the holder, also through a link', async () => {
    const file = join(folder, 'spool');
    writeFileSync(file, '');
    symlinkSync('spool', join(folder, 'by-name'));
    const port = await hold(file);
    const needed = { ports: [port], files: [file, join(folder, 'by-name'), join(folder, 'gone')] };
    const holders = await until('all is found', () => {
      const found = findHolders(ports, needed); // a busy machine may need a second search
      return found.length === 3 && found.every(({ pid }) => pid !== undefined) && found;
    });
    const who = { pid: child.pid, comm: 'node' };
    expect(holders.toSorted((a, b) => (a.what < b.what ? -1 : 1))).toEqual(
      [file, join(folder, 'by-name'), `port ${port}`]
        .map((what) => ({ what, ...who, comm: expect.any(String) }))
        .toSorted((a, b) => (a.what < b.what ? -1 : 1)),
    );
  });

  it('is free when nobody holds it: a file of another name is not it', async () => {
    const file = join(folder, 'spool');
    writeFileSync(file, '');
    writeFileSync(join(folder, 'other'), '');
    await hold(join(folder, 'other'));
    expect(findHolders(ports, { ports: [1], files: [file] })).toEqual([]);
  });

  it('is a device whatever its node is called', async () => {
    await hold('/dev/full');
    symlinkSync('/dev/full', join(folder, 'printer'));
    const found = await until('it is found', () => {
      const all = findHolders(ports, { ports: [], files: [join(folder, 'printer')] });
      return all.length > 0 && all;
    });
    expect(found[0]?.pid).toBe(child.pid);
  });

  it('is waited for while it is let go, and not for ever', async () => {
    const file = join(folder, 'spool');
    writeFileSync(file, '');
    const port = await hold(file);
    const told: [Holder, string][] = [];
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const options = { ports, log, report: (...one: [Holder, string]) => void told.push(one) };
    const needed = { ports: [port], files: [] };
    const startMs = performance.now();
    expect(await waitUntilFree('sale', needed, options)).toHaveLength(1);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(HELD_WAIT_MS_MAX - 50);
    expect(told).toMatchObject([[{ what: `port ${port}` }, /does not let go/]]);
    setTimeout(() => child.kill('SIGKILL'), 150);
    expect(await waitUntilFree('sale', needed, options)).toEqual([]);
    expect(told[1]?.[1]).toMatch(/for a moment/);
    expect(await waitUntilFree('sale', needed, options)).toEqual([]);
    expect(told).toHaveLength(2);
  });
});
