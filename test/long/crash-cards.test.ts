// A component that prints card numbers in the line of an error and crashes: what the agent keeps of that for itself (kinds
// of errors, evidence, its own log, everything but the output) has the line, and no number.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { startAgent } from '../../agent/agent.ts';
import { loadConfig } from '../../configuration/config.ts';
import { until } from '../real/agent-rig.ts';

/** More than the first six and the last four of what is printed below. */
const CARDS = /4111[ -]?1111[ -]?11|5555555555|NTU1NTU1NTU1NTU1|34313131313131/;

const CRASHER = `
const card = '4111111111111111';
console.log('ERROR declined ' + card + ' by host');
console.error('ERROR declined 4111 1111 1111 1111 by host');
console.error('ERROR ' + JSON.stringify({ pan: card, hex: Buffer.from(card).toString('hex') }));
console.error('ERROR raw ' + Buffer.from('5555555555554444').toString('base64'));
setTimeout(() => { throw new Error('cannot book ' + card); }, 300);
`;

const filesUnder = (folder: string): string[] => {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true });
  return all.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
};
function textOf(path: string): string {
  try {
    const bytes = readFileSync(path);
    return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('latin1');
  } catch {
    return ''; // replaced meanwhile
  }
}

it('keeps what a component said before a crash, and no card number of it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tw-crash-cards-'));
  const data = join(folder, 'data');
  const loaded = loadConfig(
    `
terminal: lane-1
dataDir: ${data}
runDir: ${join(folder, 'run')}
broker: { plainText: true, host: 127.0.0.1, port: 1 }
components:
  - { name: sale, channel: false, command: ${JSON.stringify([process.execPath, '-e', CRASHER])} }
`,
    folder,
  );
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const agent = await startAgent(loaded.config);
  if (!agent.ok) throw new Error(agent.reason);
  const kept = (): string[] => {
    const output = join(data, 'logs', 'sale');
    return filesUnder(folder).filter((path) => !path.startsWith(output));
  };
  const said = (part: string): string =>
    kept()
      .filter((path) => path.includes(part))
      .map(textOf)
      .join('\n');
  try {
    await until('a crash has evidence', () => said('/evidence/').includes('declined'));
    // There they were.
    expect(filesUnder(join(data, 'logs', 'sale')).some((path) => CARDS.test(textOf(path)))).toBe(
      true,
    );
    await agent.value.stop('the test ends', 'stop');
    expect(said('/evidence/')).toContain('[PAN visa ....1111]');
    expect(said('/kinds.json')).toContain('declined');
    expect(kept().filter((path) => CARDS.test(textOf(path)))).toEqual([]);
  } finally {
    await agent.value.stop('the test ends', 'stop');
    rmSync(folder, { recursive: true, force: true });
  }
}, 30_000);
