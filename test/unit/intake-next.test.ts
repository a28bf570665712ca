// What the next agent makes of output that one before has taken: nulls at its end, and the last words of a component that
// crashes before it prints anything more.

import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

function open() {
  const rig = openRig(folder);
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
  it('and ends in nulls is not behind, whoever wrote them', async () => {
    for (const nulls of [10, 5_000, 200_000]) {
      const rig = open();
      const path = join(folder, 'logs', 'sale', `${nulls}.log`);
      appendFileSync(path, Buffer.concat([Buffer.from(`${nulls}\n`), Buffer.alloc(nulls)]));
      await take(rig, path);
      rig.pass(11_000);
      await take(rig, path);
      rig.pass(11_000);
      await take(rig, path);
      expect(rig.intake.behind(), `${nulls}`).toEqual([]);
      appendFileSync(path, Buffer.alloc(nulls));
      for (let look = 0; look < 4; look += 1) {
        rig.output.tidy('sale', path);
        await rig.output.settled();
        rig.pass(11_000);
      }
      expect(rig.intake.behind(), `${nulls}, and nobody asks`).toEqual([]);
      await close(rig);
      // As a power cut leaves it.
      appendFileSync(path, Buffer.alloc(nulls));
      const next = open();
      await take(next, path);
      next.pass(11_000);
      await take(next, path);
      next.pass(11_000);
      await take(next, path);
      expect(next.intake.behind(), `${nulls}, by the next agent`).toEqual([]);
      await close(next);
    }
    writeFileSync(file, 'two\n');
    await take(open());
    expect(texts().filter((text) => !text.startsWith('[tillwatch: '))).toEqual([
      ...['10', '5000', '200000', 'two'],
    ]);
  });

  it('is what the next agent tells of a crash that comes before anything was printed', async () => {
    const first = open();
    writeFileSync(join(folder, 'logs', 'sale', 'old.log'), 'of the life before\n');
    writeFileSync(file, `${'x'.repeat(12_000)}\none card 4111111111111111\n at a.js:1\n`);
    await take(first);
    await close(first);
    rmSync(join(folder, 'logs', 'sale', 'old.log'));
    const next = open();
    await take(next);
    const lines = ['one card [PAN visa ....1111]', ' at a.js:1'];
    expect(next.intake.words.now('sale', file).slice(-2)).toEqual(lines);
    const all = next.intake.lastLines('sale', 1_000);
    expect(all.join('').length).toBeLessThan(8 * 1024);
    expect(all.join('')).not.toContain('life before');
    appendFileSync(file, 'two\n');
    await take(next);
    expect(next.intake.words.now('sale', file).slice(-3)).toEqual([...lines, 'two']);
    const other = next.output.fileOf('sale', 'b');
    writeFileSync(other, '');
    expect(next.intake.words.now('sale', other)).toEqual([]);
  });
});
