// Stalls that only a program's own metrics or its output show: its loop turns, its health page answers, and no work
// is done. A whole agent, a program that knows nothing of it, and the same program while its remote party is away.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Rig, until } from '../real/agent-rig.ts';
import { freePort, isRunning, pause } from '../real/external-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.clean());

/** Works for two seconds; then work goes on arriving and none is done. `down`: its metrics blame somebody else. */
const PROGRAM = `
import { createServer } from 'node:http';
const [down] = process.argv.slice(2);
const startMs = performance.now();
let waiting = 0, completed = 0;
setInterval(() => {
  waiting += 1;
  if (performance.now() - startMs > 2000) return;
  waiting = 0;
  completed += 1;
  console.log('sold', completed);
}, 100);
const server = createServer((_, response) => response.end(
  'queue_length ' + waiting + '\\nsold_total ' + completed + '\\nuplink_up ' + (down ? 0 : 1) + '\\n'));
server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
`;

const stalling = (name: string, port: number, ...words: string[]) => ({
  name,
  command: [process.execPath, join(rig.folder, 'program.mjs'), ...words],
  channel: false,
  version: '1.0.0',
  metricsUrl: `http://127.0.0.1:${port}/metrics`,
  probes: [{ kind: 'http', url: `http://127.0.0.1:${port}/` }],
  progress: {
    waiting: { metric: 'queue_length' },
    completed: { metric: 'sold_total' },
    unless: { metric: 'uplink_up' },
    stalledMs: 3_000,
  },
});
const writeProgram = (more: string): void =>
  writeFileSync(join(rig.folder, 'program.mjs'), PROGRAM.replaceAll('listen(0', `listen(${more}`));

describe('a program whose loop turns and whose work stands', () => {
  it('is found by its metrics, and left alone while the remote party is away', async () => {
    const [port, other] = [await freePort(), await freePort()];
    writeProgram(`process.argv[2] === 'down' ? ${other} : ${port}`);
    rig.configure([stalling('stuck', port), stalling('cut-off', other, 'down')]);
    void rig.start();
    const first = await rig.ready('stuck');
    const spared = await rig.ready('cut-off');
    const { opened } = await rig.healed('stuck');
    expect(opened).toMatchObject({ cause: 'stalled' });
    expect(isRunning(first)).toBe(false);
    await pause(4_000);
    expect(isRunning(spared)).toBe(true);
    const told = rig.lines('cut-off').map(({ message }) => message);
    expect(told.filter((message) => message.includes('incident'))).toEqual([]);
  });

  it('is found by what it no longer prints', async () => {
    writeProgram('0');
    const { progress: _, metricsUrl: __, ...component } = stalling('stuck', 1);
    const probes = [{ kind: 'log', expect: '^sold', silenceMs: 2_000, everyMs: 500 }];
    rig.configure([{ ...component, probes }]);
    void rig.start();
    const first = await rig.ready('stuck');
    const { opened } = await rig.healed('stuck');
    expect(opened).toMatchObject({ cause: 'unresponsive' });
    await until('it is gone', () => !isRunning(first));
  });
});

it('a configuration with a pattern that is none is refused', async () => {
  const probes = [{ kind: 'log', failOn: '(' }];
  rig.configure([{ name: 'front', command: ['true'], probes }]);
  expect(await rig.start()).toMatchObject({
    code: 64,
    stderr: expect.stringMatching(/^components\[0\]\.probes\[0\]\.failOn: is not a pattern: /),
  });
});
