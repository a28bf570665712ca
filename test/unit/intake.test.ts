// Intake over real files: what became of output while nobody looked, and what the next agent finds.

import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeRig, type IntakeRig, openRig, recordsIn, takeAll } from '../long/intake-rig.ts';

let folder: string;
let file: string;
let rigs: IntakeRig[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-intake-'));
  file = join(folder, 'logs', 'sale', 'a.log');
  mkdirSync(join(folder, 'logs', 'sale'), { recursive: true });
  rigs = [];
});
afterEach(async () => {
  for (const rig of rigs) await close(rig);
  rmSync(folder, { recursive: true, force: true });
});

function open(version?: string, rate?: number) {
  const rig = openRig(folder, version, rate);
  rigs.push(rig);
  return rig;
}
async function close(rig: IntakeRig): Promise<void> {
  rigs = rigs.filter((one) => one !== rig);
  await closeRig(rig);
}
const take = (rig: IntakeRig, path: string | undefined = file) => takeAll(rig, path);
const texts = (component?: string): string[] =>
  recordsIn(folder, component).map(({ text }) => text);

describe('output that was taken', () => {
  it('is there for the first who asks, also before anybody has looked', async () => {
    writeFileSync(file, 'one\ntwo\n');
    const rig = open();
    const caught = rig.intake.catchUp(['sale'], 5_000);
    await Promise.resolve();
    rig.output.tidy('sale', file);
    await caught;
    expect(texts()).toEqual(['one', 'two']);
  });

  it('is there for the second who asks as well, when the first has what it wanted', async () => {
    const rig = open();
    await take(rig);
    const looks: (() => Promise<void>)[] = [];
    rig.intake.begin(
      (component) =>
        new Promise((done) => looks.push(() => rig.output.press(component).then(done))),
    );
    const look = async (): Promise<void> => {
      await looks.shift()?.();
      await new Promise((done) => setImmediate(done));
    };
    writeFileSync(file, 'one\n');
    const [first, second] = [1, 2].map(() => rig.intake.catchUp(['sale'], 5_000));
    await look();
    await first;
    expect(texts()).toEqual(['one']);
    appendFileSync(file, 'two\n');
    while (looks.length > 0) await look();
    await second;
    expect(texts()).toEqual(['one', 'two']);
  });

  it('lies in the journal without card data and is nulls where it stood', async () => {
    const rig = open('4.2');
    const heard: string[] = [];
    rig.intake.listen((component, { text }) => heard.push(`${component}: ${text}`));
    writeFileSync(file, '2026-11-22T10:00:00Z ERROR card 4111111111111111\n  at a.js:1\nplain\n');
    await take(rig);
    const told = '2026-11-22T10:00:00Z ERROR card [PAN visa ....1111]\n  at a.js:1';
    expect(recordsIn(folder)).toMatchObject([
      {
        timeMs: Date.UTC(2026, 10, 22, 10),
        guessed: false,
        level: 'error',
        version: '4.2',
        text: told,
      },
      { guessed: true, text: 'plain' },
    ]);
    expect(heard).toEqual([`sale: ${told}`, 'sale: plain']);
    expect(readFileSync(file).every((byte) => byte === 0)).toBe(true);
    expect(rig.intake.lastLines('sale', 2)).toEqual(['  at a.js:1', 'plain']);
    expect(rig.redactions.list()).toMatchObject([{ where: 'journal', kind: 'pan', count: 1 }]);
    expect(rig.intake.behind()).toEqual([]);
  });

  it('is not taken again by the next agent, which counts on and knows who printed what', async () => {
    writeFileSync(file, 'one\n');
    const first = open('1');
    await take(first);
    appendFileSync(file, 'two\n');
    await close(first);
    const second = open('2');
    await take(second);
    const other = second.output.fileOf('sale', 'b');
    writeFileSync(other, 'three WARN\n[WARN] four\n');
    await take(second, other);
    expect(recordsIn(folder).map(({ text, version }) => `${version} ${text}`)).toEqual([
      '1 one',
      '1 two',
      '2 three WARN',
      '2 [WARN] four',
    ]);
    const counts = second.intake.counts().filter(({ component }) => component === 'sale');
    expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(4);
    expect(second.intake.versionOf('sale')).toBe('2');
  });

  it('and was emptied since is read from its begin, also when it has grown beyond the place', async () => {
    const rig = open();
    writeFileSync(file, 'old one\nold two\n');
    await take(rig);
    truncateSync(file);
    appendFileSync(file, 'new one\n');
    await take(rig);
    truncateSync(file);
    appendFileSync(file, 'newer, and longer than what stood there\nand more\n');
    await take(rig);
    await close(rig);
    truncateSync(file);
    appendFileSync(
      file,
      'newest, while no agent ran, and longer than what stood there before it\n',
    );
    await take(open());
    expect(texts()).toEqual([
      ...['old one', 'old two', 'new one', 'newer, and longer than what stood there', 'and more'],
      'newest, while no agent ran, and longer than what stood there before it',
    ]);
  });

  it('and that the journal has lost since has a record in its place, once', async () => {
    for (const text of ['one\n', `${'x'.repeat(9_000)}\n`]) {
      const rig = open();
      appendFileSync(file, text);
      await take(rig);
      await close(rig);
    }
    const newest = join(folder, 'journal', 'sale', '00000001.seg');
    const bytes = readFileSync(newest);
    writeFileSync(newest, bytes.fill(1, bytes.length - 8));
    for (const text of ['4111111', '11 three\n']) {
      const rig = open();
      appendFileSync(file, text);
      await take(rig);
      await close(rig);
    }
    const lost =
      '[tillwatch: 8.8 KB lost here: neither the journal nor the output has them any more]';
    expect(texts()).toEqual(['one', lost, '[cut] three']);
  });

  it('of lives that are over comes first, with its half line, and its files go', async () => {
    writeFileSync(join(folder, 'logs', 'sale', 'old.log'), 'dead\nhalf a li');
    writeFileSync(file, 'alive\nnot yet');
    const rig = open();
    await take(rig);
    expect(texts()).toEqual(['dead', 'half a li', 'alive']);
    rmSync(file);
    await take(rig);
    expect(existsSync(join(folder, 'logs', 'sale', 'old.log'))).toBe(true);
  });

  it('goes within seconds also when nobody asks, and so does a line that never ends', async () => {
    const rig = open();
    const look = async (): Promise<void> => {
      rig.output.tidy('sale', file);
      await rig.output.settled();
    };
    writeFileSync(file, 'card 4111111111111111\nenter 37828224');
    await look();
    await look();
    expect(texts()).toEqual([]);
    expect(readFileSync(file, 'utf8')).toContain('4111');
    rig.pass(11_000);
    await look();
    expect(texts()).toEqual(['card [PAN visa ....1111]', 'enter [cut]']);
    expect(readFileSync(file).every((byte) => byte === 0)).toBe(true);
    appendFileSync(file, '6310005\n');
    await look();
    rig.pass(11_000);
    await look();
    expect(texts().at(-1)).toBe('[cut]');
  });

  it('of a life that is over goes with its file, once nobody writes there any more', async () => {
    const old = join(folder, 'logs', 'sale', 'old.log');
    writeFileSync(old, 'dead\n');
    writeFileSync(file, 'alive\n');
    const rig = open();
    await take(rig);
    appendFileSync(old, 'from its grave\n');
    rig.pass(20_000);
    await take(rig);
    expect(existsSync(old)).toBe(true);
    rig.pass(31_000);
    await take(rig);
    expect(existsSync(old)).toBe(false);
    expect(existsSync(file)).toBe(true);
    expect(texts()).toEqual(['dead', 'alive', 'from its grave']);
    expect(rig.output.readings()[0]?.dropped).toEqual({});
  });

  it('of a component that is no longer configured is taken, too, and its files go', async () => {
    mkdirSync(join(folder, 'logs', 'gone'));
    writeFileSync(join(folder, 'logs', 'gone', 'a.log'), 'card 4111111111111111\n');
    const rig = open();
    await rig.output.settled();
    await rig.intake.catchUp(['gone'], 5_000);
    expect(texts('gone')).toEqual(['card [PAN visa ....1111]']);
    rig.pass(31_000);
    rig.intake.lookAtOwn();
    await rig.output.settled();
    expect(existsSync(join(folder, 'logs', 'gone', 'a.log'))).toBe(false);
  });

  it('that came too fast has a record in its place, and what was kept of it comes once', async () => {
    const rig = open('1', 100_000);
    writeFileSync(file, 'before\n');
    await take(rig);
    const lines = Array.from({ length: 20_000 }, (_, n) => `line ${n} ${'x'.repeat(100)}\n`);
    appendFileSync(file, lines.join(''));
    await take(rig);
    const all = recordsIn(folder);
    expect(all[0]?.text).toBe('before');
    expect(all[1]).toMatchObject({ level: 'warn' });
    expect(all[1]?.text).toMatch(
      /^\[tillwatch: \d\.\d MB not kept here, .*: more than 97.7 KB a second\]$/,
    );
    const kept = all.slice(2).map(({ text }) => Number(/^line (\d+) x{100}$/.exec(text)?.[1]));
    expect(kept.length).toBeGreaterThan(500);
    const first = 20_000 - kept.length;
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, n) => first + n));
    const sum = rig.intake.counts().reduce((all, { count }) => all + count, 0);
    expect(sum).toBe(recordsIn(folder, 'agent').length + all.length);
    await close(rig);
    await take(open());
    expect(recordsIn(folder)).toHaveLength(all.length);
  });

  it('that the journal does not take stays where it is, bounded in memory, until it does', async () => {
    writeFileSync(join(folder, 'journal'), 'in the way');
    const rig = open();
    const text = Array.from({ length: 20_000 }, (_, n) => `line ${n} ${'x'.repeat(80)}\n`).join('');
    writeFileSync(file, text);
    await take(rig);
    expect(rig.intake.behind()).toContainEqual({ component: 'sale', bytes: text.length });
    expect(readFileSync(file, 'utf8')).toBe(text);
    rmSync(join(folder, 'journal'));
    await take(rig);
    expect(rig.intake.behind()).toEqual([]);
    expect(recordsIn(folder)).toHaveLength(20_000);
  });
});

describe('the agent’s own log', () => {
  it('is a component like any other, and read on when it is rotated', async () => {
    const rig = open();
    rig.log.warn('first');
    await take(rig);
    const own = join(folder, 'agent.log');
    renameSync(own, join(folder, 'agent1.log'));
    writeFileSync(own, '{"level":"info","message":"second"}\n');
    await take(rig);
    expect(texts('agent').map((text) => JSON.parse(text).message)).toEqual(['first', 'second']);
    expect(readFileSync(own, 'utf8')).toContain('second');
  });
});
