// A component that prints card numbers in ways of its own: at no time one of them lies under the journal's folder, and in
// the plain files of output none is left some seconds after it was printed (research/pos.md section 9, R1 and R4).

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startAgent } from '../../agent/agent.ts';
import { loadConfig } from '../../configuration/config.ts';
import { recordsIn } from './intake-rig.ts';

/** More than the first six and the last four of what is printed below. */
const CARDS = /4111 ?1111 ?11|3782822463|5555555555|4111%201111/;
/** Held for ten seconds, looked at each second. */
const LEFT_MS_MAX = 14_000;

const PRINTER = `
let n = 0;
const print = () => {
  n += 1;
  console.log(JSON.stringify({ level: 'info', n, pan: 4111111111111111, track: '4111111111111111=2512101' }));
  console.log('paid with 4111 1111 1111 1111 and 378282246310005 #' + n);
  process.stdout.write('half of it: 55555555');
  setTimeout(() => process.stdout.write('55554444\\n'), 30);
};
const timer = setInterval(print, 60);
setTimeout(() => clearInterval(timer), 3000);
setInterval(() => {}, 1000);
`;

const filesUnder = (folder: string): string[] => {
  try {
    const all = readdirSync(folder, { recursive: true, withFileTypes: true });
    return all.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
  } catch {
    return [];
  }
};
const cardsUnder = (folder: string): number =>
  filesUnder(folder).filter((path) => {
    try {
      return CARDS.test(readFileSync(path, 'latin1'));
    } catch {
      return false; // removed meanwhile
    }
  }).length;

it('card numbers that a component prints are never in the journal, and soon nowhere', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tw-cards-'));
  const text = `
terminal: lane-1
dataDir: ${join(folder, 'data')}
runDir: ${join(folder, 'run')}
broker: { plainText: true, host: 127.0.0.1, port: 1 }
components:
  - { name: sale, channel: false, command: ${JSON.stringify([process.execPath, '-e', PRINTER])} }
`;
  const loaded = loadConfig(text, folder);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const agent = await startAgent(loaded.config);
  if (!agent.ok) throw new Error(agent.reason);
  const [journal, output] = [join(folder, 'data', 'journal'), join(folder, 'data', 'logs')];
  try {
    let wasThere = false;
    const untilMs = performance.now() + 3_500 + LEFT_MS_MAX;
    while (performance.now() < untilMs) {
      expect(cardsUnder(journal)).toBe(0);
      const isThere = cardsUnder(output) > 0;
      wasThere ||= isThere;
      if (wasThere && !isThere && performance.now() > untilMs - LEFT_MS_MAX) break;
      await new Promise((done) => setTimeout(done, 50));
    }
    expect(wasThere).toBe(true);
    expect(cardsUnder(output)).toBe(0);
    const records = recordsIn(join(folder, 'data'));
    expect(records.length).toBeGreaterThan(60);
    expect(records.some(({ text: line }) => line.includes('[PAN visa ....1111]'))).toBe(true);
    expect(records.every(({ text: line }) => !CARDS.test(line))).toBe(true);
  } finally {
    await agent.value.stop('the test ends', 'stop');
    rmSync(folder, { recursive: true, force: true });
  }
}, 40_000);
