// A probe that watches what a component prints. Real files, which are cut, replaced, punched and torn as they are on
// tills.

import { execFileSync } from 'node:child_process';
import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LOOK_BYTES_MAX, STRETCHES_MAX } from '../../agent/watchdog/probes-log.ts';
import { patternProblems } from '../../configuration/patterns.ts';
import { clocks, folder, own, pause, warnings, watchLog } from './watching-rig.ts';

const well = { ok: true, reason: 'its output is as it should be' };
const sick = { ok: false, reason: 'its output says "FATAL|lost the printer"' };
const failOn = 'FATAL|lost the printer';

describe('a log probe', () => {
  it('fails from a line that says so until one that says it is well again', async () => {
    const watched = watchLog({ failOn, expect: '^ready again' });
    appendFileSync(own, 'ready again\n');
    expect(await watched.next()).toEqual(well);
    appendFileSync(own, 'all is well\n12:00 FATAL: no more paper\nall is well\n');
    expect(await watched.next()).toEqual(sick);
    expect(await watched.next()).toEqual(sick);
    appendFileSync(own, 'ready again\n');
    expect(await watched.next()).toEqual(well);
  });

  it('judges whole lines only, and a last one that nothing follows', async () => {
    const watched = watchLog({ failOn: 'FATAL$' });
    appendFileSync(own, 'FATAL');
    appendFileSync(own, ' is a word in this line\r\n');
    expect(await watched.next()).toEqual(well);
    appendFileSync(own, 'this is FATAL');
    await watched.next();
    expect(await watched.next()).toMatchObject({ ok: false });
  });

  it('fails by silence, and any output ends that', async () => {
    const watched = watchLog({ silenceMs: 1_000_000 });
    await pause(100);
    expect(watched.seen).toEqual([]); // it has not said a word, and its time is not over
    appendFileSync(own, '.');
    expect(await watched.next()).toEqual(well);
    clocks.aheadMs = 1_000_001;
    expect(await watched.next()).toEqual({ ok: false, reason: 'it prints nothing for 1000000 ms' });
    appendFileSync(own, '.');
    expect(await watched.next()).toEqual(well);
  });

  it('takes only the lines it waits for as a sign, where it waits for some', async () => {
    const watched = watchLog({ expect: 'sold \\d+', silenceMs: 1_000_000 });
    appendFileSync(own, 'sold 3\n');
    expect(await watched.next()).toEqual(well);
    clocks.aheadMs = 1_000_001;
    appendFileSync(own, 'still here\n');
    const reason = 'it does not print "sold \\d+" for 1000000 ms';
    expect(await watched.next()).toEqual({ ok: false, reason });
    appendFileSync(own, 'sold 4\n');
    expect(await watched.next()).toEqual(well);
  });

  it('forgives silence while the agent itself stood still', async () => {
    const watched = watchLog({ silenceMs: 1_000_000 });
    appendFileSync(own, '.');
    expect(await watched.next()).toEqual(well);
    clocks.aheadMs = 1_000_001;
    watched.probe.dropInFlight();
    expect(await watched.next()).toEqual(well);
    expect(watched.seen.every(({ ok }) => ok)).toBe(true);
  });

  it('goes on in a file that is cut, replaced, lost or punched', async () => {
    const path = join(folder, 'kiosk.log');
    writeFileSync(path, 'FATAL of yesterday\n');
    const watched = watchLog({ path, failOn, expect: 'well' });
    expect(await watched.next()).toEqual(well);
    truncateSync(path);
    appendFileSync(path, 'FATAL\n');
    expect(await watched.next()).toEqual(sick);
    renameSync(path, `${path}.1`);
    expect(await watched.next()).toEqual(sick);
    writeFileSync(path, `well, and longer than the one before it ${'x'.repeat(100)}\n`);
    expect(await watched.next()).toEqual(well);
    const punched = `${path}.new`;
    writeFileSync(punched, `${'old\n'.repeat(4_096)}FATAL\n`);
    execFileSync('fallocate', ['-p', '-n', '-o', '0', '-l', '8192', punched]);
    renameSync(punched, path);
    expect(await watched.next()).toEqual(sick);
    expect(warnings).toEqual([]);
  });

  it('reads the newest of a flood, says so once, and is not held up by a pattern', async () => {
    const watched = watchLog({ failOn: '(.*a){20}b|FATAL' });
    expect(await watched.next()).toEqual(well);
    appendFileSync(own, `${'a'.repeat(900)}\n`.repeat(Math.ceil((3 * LOOK_BYTES_MAX) / 900)));
    let longestMs = 0;
    let lastMs = performance.now();
    const timer = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }, 1);
    await watched.next();
    await watched.next();
    clearInterval(timer);
    expect(longestMs).toBeLessThan(500); // V8's own engine would not come back
    expect(warnings).toEqual(['probe: output comes faster than it can be matched: ']);
    appendFileSync(own, 'FATAL\n');
    expect(await watched.next()).toMatchObject({ ok: false });
  });

  it('gives up lines that take too long to match, and says so', async () => {
    const watched = watchLog({ failOn: 'FATAL' });
    expect(await watched.next()).toEqual(well);
    clocks.lookMs = 1;
    appendFileSync(own, `${'a line that takes a millisecond\n'.repeat(10 * STRETCHES_MAX)}FATAL\n`);
    expect(await watched.next()).toEqual(well);
    expect(warnings).toEqual(['probe: output comes faster than it can be matched: ']);
  });

  it('does not blame a component whose output the disk did not take', async () => {
    rmSync(own);
    const watched = watchLog({ silenceMs: 1 });
    await pause(100);
    expect(watched.seen).toEqual([]);
    expect(warnings).toEqual(['probe: could not be asked: its output file is not there']);
  });

  it('waits for the line by which it says that it is ready', async () => {
    const watched = watchLog({ expect: 'listening' });
    appendFileSync(own, 'begun\n');
    await pause(100);
    expect(watched.seen).toEqual([]);
    appendFileSync(own, 'listening on 8090\n');
    expect(await watched.next()).toEqual(well);
  });

  it('counts an adopted life, whose beginning it does not read, as begun', async () => {
    writeFileSync(own, `begun\n${'x\n'.repeat(LOOK_BYTES_MAX)}`);
    const watched = watchLog({ expect: 'begun' });
    expect(await watched.next()).toEqual(well);
  });

  it('that is given no pattern is told with its place', async () => {
    const probe = (more: object) => ({
      kind: 'log',
      everyMs: 1,
      timeoutMs: 1,
      failures: 1,
      ...more,
    });
    const bad = [probe({ failOn: '(' }), probe({ expect: 'a(?=b)' }), probe({ failOn: '(?i)ok' })];
    const config = { components: [{ probes: bad }] } as unknown as Parameters<
      typeof patternProblems
    >[0];
    const found = await patternProblems(config);
    expect(found.map(({ path }) => path)).toEqual([
      'components[0].probes[0].failOn',
      'components[0].probes[1].expect',
    ]);
    expect(found[0]?.sentence).toMatch(/^is not a pattern: missing closing \)/);
    watchLog({ failOn: '(' });
    await pause(100);
    expect(warnings[0]).toMatch(/^probe: could not be asked: .*missing closing \)/);
  });

  it('is never caught by a FIFO', async () => {
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    watchLog({ path: join(folder, 'fifo'), failOn });
    await pause(100);
    expect(warnings[0]).toContain('is not a file');
  });
});
