// The systemd units as systemd itself reads them. It cannot be run here (it wants to be process 1), so what can be
// checked is that every line is known and means something, and that the lines which keep a till selling are there.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { need } from './parts.ts';

const SERVICES = ['tillwatch-agent.service', 'tillwatch-broker.service'];
const HELPER = ['tillwatch-helper.socket', 'tillwatch-helper@.service'];
const folder = mkdtempSync(join(tmpdir(), 'tw-units-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const unit = (name: string): string => readFileSync(join('deploy/systemd', name), 'utf8');

/** @returns what systemd has to say of it; nothing is well. The programs are not installed here: sh stands in. */
function verify(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text.replace(/^(ExecStart=)\S+/m, '$1/bin/sh'));
  // A socket is read together with what it starts.
  for (const other of HELPER.filter((one) => one !== name)) {
    writeFileSync(join(folder, other), unit(other).replace(/^(ExecStart=)\S+/m, '$1/bin/sh'));
  }
  const command = `systemd-analyze verify --man=no '${path}' 2>&1 || echo "ended with $?"`;
  return execFileSync('sh', ['-c', command], { encoding: 'utf8' });
}

describe.each([...SERVICES, ...HELPER])('%s', (name) => {
  it('is read by systemd without a word', (context) => {
    need(context, 'systemd-analyze', 'systemd');
    expect(verify(name, unit(name))).toBe('');
  });
});

describe.each(SERVICES)('%s', (name) => {
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
    ['it is a user of its own', 'User=tillwatch'],
    ['components reach their socket and can list nothing', 'RuntimeDirectoryMode=0710'],
    [
      'it may look after components that are other users, and nothing else',
      'AmbientCapabilities=CAP_SETUID CAP_SETGID CAP_KILL CAP_SYS_PTRACE CAP_DAC_READ_SEARCH',
    ],
  ])('%s: %s', (_why, line) => {
    expect(lines).toContain(line);
  });

  it('takes nothing away that the watchdog or its components need', () => {
    const never =
      /^(ProtectProc|ProcSubset|PrivateDevices|DevicePolicy|DeviceAllow|PrivateUsers|NoNewPrivileges|MemoryDenyWriteExecute|PrivateTmp|ProtectSystem|ProtectHome)=/;
    expect(lines.filter((line) => never.test(line))).toEqual([]);
  });

  // systemd.exec(5): for a unit that is not root each of these means NoNewPrivileges, and no sudo in any component.
  it('has no line that would take sudo from every component', () => {
    const implies =
      /^(SystemCall\w+|RestrictAddressFamilies|RestrictNamespaces|RestrictRealtime|RestrictSUIDSGID|ProtectClock|ProtectHostname|ProtectKernel\w+|LockPersonality|DynamicUser)=/;
    expect(lines.filter((line) => implies.test(line))).toEqual([]);
  });

  it('starts what `current` leads to, so that an upgrade is one rename', () => {
    const started = SERVICES.flatMap((name) => unit(name).match(/\/opt\/\S+/g) ?? []);
    expect(started.filter((path) => !path.startsWith('/opt/tillwatch/current/'))).toEqual([]);
    expect(started.length).toBeGreaterThan(3);
  });
});

describe("the helper's socket", () => {
  const lines = unit('tillwatch-helper.socket').split('\n');

  it.each([
    ["only the agent's user may open it", 'SocketUser=tillwatch'],
    ['and not its group, which components are in', 'SocketMode=0600'],
    ['nothing of it is resident', 'Accept=yes'],
    ['a flood is turned away', 'MaxConnections=4'],
    ['and does not switch it off', 'TriggerLimitIntervalSec=0'],
  ])('%s: %s', (_why, line) => {
    expect(lines).toContain(line);
  });

  it('starts something that holds no capability and no network', () => {
    const service = unit('tillwatch-helper@.service').split('\n');
    for (const line of ['CapabilityBoundingSet=', 'NoNewPrivileges=yes', 'PrivateNetwork=yes']) {
      expect(service).toContain(line);
    }
    expect(service).toContain('RuntimeMaxSec=20');
  });
});

/** Where systemd says that it is well shut in; lower is better. */
const EXPOSURE_MAX = [
  ['tillwatch-broker.service', 2],
  ['tillwatch-helper@.service', 2],
  ['tillwatch-agent.service', 9.1],
] as const;

describe('what systemd thinks of a unit', () => {
  it.for(EXPOSURE_MAX)('%s is exposed by at most %d', ([name, most], context) => {
    need(context, 'systemd-analyze', 'systemd');
    const path = join(folder, name);
    writeFileSync(path, unit(name).replace(/^(ExecStart=)\S+/m, '$1/bin/sh'));
    const command = `systemd-analyze security --offline=true '${path}' 2>/dev/null || true`;
    const said = execFileSync('sh', ['-c', command], { encoding: 'utf8' });
    const level = Number(/exposure level for \S+ ([0-9.]+)/.exec(said)?.[1] ?? 'NaN');
    expect(level).toBeLessThanOrEqual(most);
  });
});
