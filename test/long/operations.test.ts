// OPERATIONS.md as somebody follows it who has never seen any of this: every block of it is run as it stands, on machines
// that had nothing installed (machines.ts), with one broker at a real address, two stores and four tills, and a spare
// machine on which the broker is restored after its own is gone. What a person would type in between (tokens, yes) is
// typed. Where the document says "each till", its block runs on all four.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ADDRESS, type Answer, type Machine, openMachines } from './machines.ts';

const TILLS = ['bm-lane-1', 'bm-lane-2', 'lb-lane-1', 'lb-lane-2'];
type Block = { readonly kind: 'sh' | 'yaml'; readonly where: string; readonly text: string };

/** Fences with a word behind the language: a machine, or the name of a file. */
function blocksOf(markdown: string): readonly Block[] {
  return [...markdown.matchAll(/^```(sh|yaml) (\S+)\n([\s\S]*?)^```$/gm)].map(
    ([, kind, where, text]) => ({
      kind: kind as Block['kind'],
      where: where ?? '',
      text: text ?? '',
    }),
  );
}

let lan: Awaited<ReturnType<typeof openMachines>>;
let archive: string;
const machines = new Map<string, Machine>();
const on = (name: string): Machine => {
  const found = machines.get(name);
  if (found === undefined) throw new Error(`there is no machine ${name}`);
  return found;
};

beforeAll(async () => {
  const env = { ...process.env, TILLWATCH_PACKAGE_LEVEL: '1' };
  const commands = [['cli/build.js'], ['cli/package.js', '--platform', 'linux-x64']];
  for (const one of commands) execFileSync(process.execPath, one, { stdio: 'pipe', env });
  archive = readdirSync('packages').find((name) => name.endsWith('-linux-x64.tar.gz')) ?? '';
  lan = await openMachines(mkdtempSync(join(tmpdir(), 'tw-ops-')), ['broker.example.com']);
  for (const name of ['broker', 'office', 'spare', ...TILLS]) {
    const machine = await lan.machine(name);
    machines.set(name, machine);
    cpSync(join('packages', archive), join(machine.folder, 'root', archive));
  }
}, 240_000);
afterAll(() => lan?.close());

/** In how many tries of a second it comes true. */
async function until(what: string, look: () => Promise<boolean>, tries = 60): Promise<void> {
  for (let left = tries; left > 0; left -= 1) {
    if (await look()) return;
    await new Promise((done) => setTimeout(done, 1_000));
  }
  throw new Error(`never happened: ${what}; it says ${lastFleet}`);
}

let said: { name: string; text: string; out: string }[] = [];
async function run(name: string, text: string, answer?: Answer): Promise<string> {
  const { code, out } = await on(name).run(text, answer);
  said.push({ name, text, out });
  expect(code, `${name}: ${text}\n${out}`).toBe(0);
  return out;
}

const tokenOf = (terminal: string): string => {
  const row = on('office')
    .read('root/tokens.csv')
    .split('\n')
    .find((line) => line.startsWith(`${terminal},`));
  return row?.split(',').at(-1) ?? '';
};

let lastFleet = '';
const fleetSays = async (pattern: RegExp): Promise<boolean> => {
  lastFleet = (await on('office').run('tillwatch fleet')).out;
  return pattern.test(lastFleet);
};

/** What a person does besides, before a block or with it. */
async function follow({ where, text }: Block): Promise<void> {
  if (where === 'till') {
    for (const till of TILLS) {
      if (text.includes('token.txt')) on(till).write('root/token.txt', `${tokenOf(till)}\n`);
    }
    await Promise.all(TILLS.map((till) => run(till, text)));
    if (text.includes('join')) await until('all are online', () => fleetSays(/4 online/));
    return;
  }
  if (where === 'spare') {
    const home = on('broker').folder;
    cpSync(join(home, 'var/backups/tillwatch.age'), join(on('spare').folder, 'root/tillwatch.age'));
    cpSync(
      join(home, 'root/backup-passphrase'),
      join(on('spare').folder, 'root/backup-passphrase'),
    );
    on('broker').cut();
    on('spare').address(ADDRESS);
  }
  const init = said.find(({ text: told }) => told.includes('broker init'))?.out ?? '';
  const token = /^two1\.admin\.\S+$/m.exec(init)?.[0];
  const answer: Answer = (question) => (question.includes('[y/N]') ? 'y' : (token ?? ''));
  await run(where, text, text.includes('tillwatch login') ? answer : undefined);
  if (text.includes('config apply')) await until('all run', () => fleetSays(/sale +2\.4\.1 +4/));
}

test('every block of OPERATIONS.md runs as it is written', async () => {
  const blocks = blocksOf(readFileSync('OPERATIONS.md', 'utf8'));
  expect(blocks.length).toBeGreaterThan(15);
  said = [];
  for (const block of blocks) {
    if (block.kind === 'yaml') on('office').write(`root/${block.where}`, block.text);
    else await follow(block);
  }
  // The spare machine has the name now, and nobody enrolled again.
  await until('all are online at the other machine', () => fleetSays(/4 online/), 90);
}, 420_000);
