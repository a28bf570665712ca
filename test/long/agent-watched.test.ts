// Who watches the agent, against the real thing as far as a test can have it: systemd's own systemd-notify and a
// datagram socket that hears what systemd would hear, and files in place of the watchdog device.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { fault, Rig, until } from '../real/agent-rig.ts';
import { need } from './parts.ts';

/** Node has no datagram sockets: prints `MILLISECONDS TEXT` for each message, as systemd would get it. */
const RECEIVER = `
import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
    data = s.recv(4096)
    print(int(time.monotonic() * 1000), data.decode().replace("\\n", "|"), flush=True)
`;
const WATCHDOG_MS = 1_500;

type Heard = { readonly atMs: number; readonly text: string };

class Systemd {
  readonly folder = mkdtempSync(join(tmpdir(), 'tw-notify-'));
  readonly socket = join(this.folder, 'notify');
  readonly #receiver: ChildProcess;
  #out = '';

  constructor() {
    this.#receiver = spawn('python3', ['-c', RECEIVER, this.socket], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#receiver.stdout?.on('data', (chunk) => {
      this.#out += chunk;
    });
  }

  bound(): Promise<boolean> {
    return until('the receiver listens', () => this.#out.startsWith('bound\n'));
  }

  /** Messages but the barrier, which systemd-notify sends behind each. */
  heard(): Heard[] {
    const lines = this.#out.split('\n').slice(1, -1);
    return lines
      .map((line) => ({ atMs: Number.parseInt(line, 10), text: line.replace(/^\d+ /, '') }))
      .filter(({ text }) => text !== 'BARRIER=1');
  }

  feeds(): number {
    return this.heard().filter(({ text }) => text.includes('WATCHDOG=1')).length;
  }

  close(): void {
    this.#receiver.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const rigs: Rig[] = [];
const listeners: Systemd[] = [];
afterEach(async () => {
  for (const listener of listeners.splice(0)) listener.close();
  for (const rig of rigs.splice(0)) await rig.clean();
});

function newRig(more: object = {}): Rig {
  const rig = new Rig();
  rigs.push(rig);
  rig.configure([fault('sale')], more);
  return rig;
}

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
const texts = (systemd: Systemd): string[] => systemd.heard().map(({ text }) => text);

describe('an agent that systemd started', () => {
  async function underSystemd(more: Record<string, string> = {}): Promise<[Rig, Systemd]> {
    const systemd = new Systemd();
    listeners.push(systemd);
    await systemd.bound();
    const rig = newRig();
    const usec = String(WATCHDOG_MS * 1_000);
    void rig.start({ NOTIFY_SOCKET: systemd.socket, WATCHDOG_USEC: usec, ...more });
    return [rig, systemd];
  }

  it('says READY once, feeds the watchdog, tells how many components are ready, and that it ends', async (context) => {
    need(context, 'systemd-notify', 'systemd');
    need(context, 'python3', 'python3');
    const [rig, systemd] = await underSystemd();
    await rig.ready('sale');
    await until('it was fed several times', () => systemd.feeds() >= 4);
    expect(texts(systemd).filter((text) => text.includes('READY=1'))).toHaveLength(1);
    expect(texts(systemd)[0]).toContain('READY=1');
    expect(texts(systemd).join()).toContain('STATUS=1 of 1 components ready');
    const fed = systemd.heard().filter(({ text }) => text.includes('WATCHDOG=1'));
    const gaps = fed.slice(1).map(({ atMs }, index) => atMs - (fed[index]?.atMs ?? 0));
    // Not more often than a third of the time; how much later depends on the machine.
    expect(Math.min(...gaps)).toBeGreaterThan(WATCHDOG_MS / 3 - 100);
    rig.agent?.kill('SIGTERM');
    // With a line for people beside it when that has changed, and maybe before the answer to a last feed.
    await until('it says that it ends', () =>
      texts(systemd).some((text) => /^STOPPING=1(\||$)/.test(text)),
    );
  });

  it('says that it ends also when its last word has not been taken yet', async () => {
    const rig = newRig();
    const said = join(rig.folder, 'said');
    const slow = `#!/bin/sh\n: >> ${said}\nsleep 1.5\necho "$@" >> ${said}\n`;
    writeFileSync(join(rig.folder, 'systemd-notify'), slow, { mode: 0o755 });
    const path = `${rig.folder}:${process.env['PATH']}`;
    const ended = rig.start({ NOTIFY_SOCKET: '/nobody', PATH: path });
    // READY is on its way for another second and a half, and the agent needs far less to end.
    await until('it says that it is ready', () => existsSync(said));
    rig.agent?.kill('SIGTERM');
    await ended;
    await until('it has said so', () => readFileSync(said, 'utf8').includes('STOPPING=1'), 5_000);
  });

  it('does not feed it while it is stopped, and does again afterwards', async (context) => {
    need(context, 'systemd-notify', 'systemd');
    need(context, 'python3', 'python3');
    const [rig, systemd] = await underSystemd();
    await until('it was fed', () => systemd.feeds() >= 2);
    rig.agent?.kill('SIGSTOP');
    await sleep(300); // one may be on its way
    const before = systemd.feeds();
    await sleep(2 * WATCHDOG_MS);
    expect(systemd.feeds()).toBe(before);
    rig.agent?.kill('SIGCONT');
    await until('it is fed again', () => systemd.feeds() > before);
  });

  it('does not feed a watchdog that was set up for another process', async (context) => {
    need(context, 'systemd-notify', 'systemd');
    need(context, 'python3', 'python3');
    const [rig, systemd] = await underSystemd({ WATCHDOG_PID: '1' });
    await rig.ready('sale');
    await sleep(WATCHDOG_MS);
    expect(systemd.feeds()).toBe(0);
  });

  it('runs on, and says why, where systemd-notify cannot reach anybody', async (context) => {
    need(context, 'systemd-notify', 'systemd');
    const rig = newRig();
    void rig.start({ NOTIFY_SOCKET: join(rig.folder, 'nobody'), WATCHDOG_USEC: '900000' });
    await rig.ready('sale');
    const said = () =>
      rig.log().filter(({ message }) => message.includes('systemd cannot be told'));
    await until('it says so', () => said().length > 0);
    await sleep(2_500);
    expect(said()).toHaveLength(1);
  });
});

describe("the machine's watchdog device", () => {
  it('is fed, and disarmed when the agent ends in good order', async () => {
    const rig = newRig({ watchdogDevice: 'device' });
    const device = join(rig.folder, 'device');
    writeFileSync(device, '');
    rig.configure([fault('sale')], { watchdogDevice: device });
    const ended = rig.start();
    await until('it is fed', () => readFileSync(device, 'latin1') === '.');
    rig.agent?.kill('SIGTERM');
    expect((await ended).code).toBe(0);
    expect(readFileSync(device, 'latin1')).toMatch(/^\.+V$/);
  });

  it('goes on counting when the agent crashes', async () => {
    const rig = newRig();
    const device = join(rig.folder, 'device');
    writeFileSync(device, '');
    rig.configure([fault('sale')], { watchdogDevice: device });
    const ended = rig.start();
    await until('it is fed', () => readFileSync(device, 'latin1') === '.');
    rig.agent?.kill('SIGKILL');
    await ended;
    expect(readFileSync(device, 'latin1')).toMatch(/^\.+$/);
  });

  it('that is missing, or a FIFO that nobody reads, is a sentence and no failure', async () => {
    for (const kind of ['missing', 'FIFO']) {
      const rig = newRig();
      const device = join(rig.folder, kind);
      if (kind === 'FIFO') execFileSync('mkfifo', [device]);
      rig.configure([fault('sale')], { watchdogDevice: device });
      void rig.start();
      await rig.ready('sale');
      const code = kind === 'FIFO' ? 'ENXIO' : 'ENOENT';
      const sentence = `the watchdog device ${device} cannot be opened: ${code}`;
      await until('it says so', () => rig.log().some(({ message }) => message === sentence));
    }
  });
});

describe('the file of sweeps', () => {
  it('changes while the agent sweeps, in place, and is made again when somebody removed it', async () => {
    const rig = newRig();
    void rig.start();
    const file = join(rig.folder, 'run', 'sweep');
    const read = (): string => {
      try {
        return readFileSync(file, 'latin1');
      } catch {
        return '';
      }
    };
    const first = await until('it is written', () => /^\d{10} \d{16}\n$/.test(read()) && read());
    expect(Number.parseInt(first, 10)).toBe(rig.agent?.pid);
    await until('it is written again', () => read() !== first);
    expect(read()).toHaveLength(first.length);
    rmSync(file);
    await until('it is there again', () => read() !== '');
  });
});
