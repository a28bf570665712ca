// The systemd units as systemd itself reads them. It cannot be run here (it wants to be process 1), so what can be
// checked is that every line is known and means something, and that the lines which keep a till selling are there.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { need } from './parts.ts';

const UNITS = ['tillwatch-agent.service', 'tillwatch-broker.service'];
const folder = mkdtempSync(join(tmpdir(), 'tw-units-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const unit = (name: string): string => readFileSync(join('deploy/systemd', name), 'utf8');

/** @returns what systemd has to say of it; nothing is well. The programs are not installed here: sh stands in. */
function verify(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text.replace(/^(ExecStart=)\S+/m, '$1/bin/sh'));
  const command = `systemd-analyze verify --man=no '${path}' 2>&1 || echo "ended with $?"`;
  return execFileSync('sh', ['-c', command], { encoding: 'utf8' });
}

describe.each(UNITS)('%s', (name) => {
  it('is read by systemd without a word', (context) => {
    need(context, 'systemd-analyze', 'systemd');
    expect(verify(name, unit(name))).toBe('');
  });

  it('would not be, with a line that systemd does not know or cannot read', (context) => {
    need(context, 'systemd-analyze', 'systemd');
    expect(verify(name, `${unit(name)}\n[Service]\nRestartSecs=1\n`)).toContain('RestartSecs');
    expect(verify(name, unit(name).replace('RestartSec=1', 'RestartSec=soon'))).toContain('soon');
  });
});

describe("the agent's unit", () => {
  const lines = unit('tillwatch-agent.service').split('\n');

  it.each([
    ['a restart of the agent ends no component', 'KillMode=process'],
    ['systemd waits until what ran was adopted', 'Type=notify'],
    ['the messages come from systemd-notify, a child', 'NotifyAccess=all'],
    ['an agent that does not sweep is ended', 'WatchdogSec=30'],
    ['without a core that could hold card data', 'WatchdogSignal=SIGKILL'],
    ['it comes back whatever ended it', 'Restart=always'],
    ['however often', 'StartLimitIntervalSec=0'],
    ['memory that runs short ends one component, not the unit', 'OOMPolicy=continue'],
    ['and the agent last', 'OOMScoreAdjust=-900'],
    ['records of running components outlive a restart', 'RuntimeDirectoryPreserve=yes'],
  ])('%s: %s', (_why, line) => {
    expect(lines).toContain(line);
  });

  it('takes nothing away that the watchdog or its components need', () => {
    const never =
      /^(ProtectProc|ProcSubset|PrivateDevices|DevicePolicy|DeviceAllow|ProtectClock|PrivateUsers|User|NoNewPrivileges|MemoryDenyWriteExecute|PrivateTmp|ProtectSystem|ProtectHome|SystemCallFilter|CapabilityBoundingSet)=/;
    expect(lines.filter((line) => never.test(line))).toEqual([]);
  });
});
