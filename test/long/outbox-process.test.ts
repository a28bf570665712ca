import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openOutbox } from '../../agent/telemetry/outbox.ts';
import { realClock, until } from '../real/link-rig.ts';
import { drain, eventsOf, makeFolder, quietLog, snapshotsOf } from '../unit/outbox-rig.ts';

const WRITER = join(import.meta.dirname, '../real/outbox-writer.ts');
let folder: ReturnType<typeof makeFolder>;
let child: ChildProcess | undefined;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => {
  child?.kill('SIGKILL');
  folder.remove();
});

const path = () => join(folder.path, 'outbox.db');
const QUOTA = 16 * 1024 * 1024;

function start(options: readonly string[], limit = ''): { lines: () => string[][] } {
  const command = [process.execPath, WRITER, path(), ...options];
  child = limit
    ? spawn('sh', ['-c', `ulimit -S -f ${limit} && exec "$@"`, 'sh', ...command])
    : spawn(command[0] as string, command.slice(1));
  let text = '';
  child.stdout?.on('data', (data) => {
    text += String(data);
  });
  child.stderr?.on('data', (data) => process.stderr.write(data));
  return {
    // The last line may be cut off by the kill.
    lines: () =>
      text
        .slice(0, text.lastIndexOf('\n') + 1)
        .split('\n')
        .map((line) => line.split(' ')),
  };
}

const numbers = (lines: string[][], kind: string): number[] =>
  lines
    .filter(([first]) => first === kind)
    .flatMap(([, ...rest]) => rest.filter((t) => t).map(Number));

describe('an outbox whose process is killed', () => {
  test('loses nothing that it had taken, seals nothing twice, and resends the same bytes', async () => {
    const written = new Set<number>();
    const maybeAcked = new Set<number>();
    const sealed = new Map<string, string>();
    const rounds = 6;
    let offset = 0;
    for (let round = 0; round < rounds; round += 1) {
      const { lines } = start([`${QUOTA}`, '0']);
      const wanted = 60 + round * 17;
      await until('written', () => numbers(lines(), 'w').length / 2 >= wanted);
      child?.kill('SIGKILL');
      await once(child as ChildProcess, 'close');
      const said = lines();
      // Values begin anew in each life: make them unique over all of them.
      const lift = (value: number): number => value + Math.sign(value) * offset;
      for (const [kind, n] of said) if (kind === 'w') written.add(Number(n) + offset);
      for (const value of numbers(said, 'k')) maybeAcked.add(lift(value));
      for (const [kind, key = '', crc = ''] of said) {
        if (kind !== 's') continue;
        expect(sealed.get(key) ?? crc, `the bytes of ${key}`).toBe(crc);
        sealed.set(key, crc);
      }
      const outbox = openOutbox({
        path: path(),
        bytesMax: QUOTA,
        clock: realClock,
        log: quietLog(),
      });
      expect(outbox.stats().damaged).toBe(0);
      const seen: number[] = [];
      for (const batch of drain(outbox)) {
        const key = `${batch.stream}/${batch.seq}`;
        const crc = String(crc32(batch.bytes));
        expect(sealed.get(key) ?? crc, `the bytes of ${key}`).toBe(crc);
        sealed.set(key, crc);
        if (batch.stream === 'metrics') {
          seen.push(...snapshotsOf(batch).map((s) => lift(s.samples[0]?.value ?? 0)));
        } else seen.push(...eventsOf(batch).map((event) => lift(-Number(event.fields['reason']))));
      }
      outbox.close();
      expect(new Set(seen).size).toBe(seen.length);
      const here = new Set([...seen, ...maybeAcked]);
      for (const n of written) {
        if (n <= offset) continue;
        expect(here.has(n), `snapshot ${n}`).toBe(true);
        expect(here.has(-n), `event ${n}`).toBe(true);
      }
      offset += 100_000;
    }
    const seqs = (stream: string) =>
      [...sealed.keys()]
        .filter((key) => key.startsWith(stream))
        .map((key) => Number(key.split('/')[1]))
        .toSorted((a, b) => a - b);
    for (const stream of ['events', 'metrics']) {
      expect(seqs(stream)).toEqual(seqs(stream).map((_, index) => index + 1));
    }
    console.log(`${written.size} snapshots and events, ${sealed.size} batches, ${rounds} kills`);
  });
});

const canLimit = process.platform === 'linux' && spawnSync('prlimit', ['--version']).status === 0;

describe('a disk that is full', () => {
  test.skipIf(!canLimit).each([
    { name: 'for a while: nothing is lost', pauseMs: '10', loses: false },
    {
      name: 'for too long: the oldest snapshots go, and are named to the sample',
      pauseMs: '1',
      loses: true,
    },
  ])(
    '$name',
    async ({ pauseMs, loses }) => {
      // A file may be 200 KiB at most: the write then fails as on a full disk.
      const { lines } = start([`${QUOTA}`, pauseMs, 'no'], '400');
      const held = () => lines().some(([kind, , count]) => kind === 'w' && Number(count) > 20);
      await until('refused and held', held);
      if (loses) {
        const full = () =>
          lines().some(([kind, , count]) => kind === 'w' && Number(count) === 2_000);
        await until('the hold is full', full);
        const before = lines().length;
        await until('and overflows', () => lines().length > before + 100);
      }
      expect(child?.exitCode).toBeNull();
      execFileSync('prlimit', ['--pid', String(child?.pid), '--fsize=unlimited']);
      const count = lines().length;
      const isEmpty = ([kind, , left]: string[]) => kind === 'w' && left === '0';
      await until('written again', () => lines().slice(count).some(isEmpty));
      child?.kill('SIGTERM');
      await once(child as ChildProcess, 'close');
      const last = numbers(lines(), 'w').at(-2) ?? 0;
      const outbox = openOutbox({
        path: path(),
        bytesMax: QUOTA,
        clock: realClock,
        log: quietLog(),
      });
      const all = drain(outbox);
      outbox.close();
      const snapshots = all.filter((b) => b.stream === 'metrics').flatMap(snapshotsOf);
      const values = new Set(snapshots.map((s) => s.samples[0]?.value ?? 0));
      const events = all.filter((b) => b.stream === 'events').flatMap(eventsOf);
      const gaps = events.filter((event) => event.kind === 'gap');
      const named = (field: string) =>
        gaps.reduce((sum, gap) => sum + Number(gap.fields[field] ?? 0), 0);
      const reasons = new Set(
        events.filter((e) => e.kind !== 'gap').map((e) => e.fields['reason']),
      );
      expect(values.size).toBe(snapshots.length);
      expect(values.size + named('samples')).toBe(last);
      expect(reasons.size + named('events')).toBe(last);
      expect(gaps.length > 0).toBe(loses);
      expect(named('results')).toBe(0);
      const said = lines()
        .filter(([kind]) => kind === 'l')
        .map((line) => line.slice(1, 6).join(' '));
      expect(said).toEqual(['the disk takes no telemetry', 'the disk takes telemetry again']);
    },
    60_000,
  );
});
