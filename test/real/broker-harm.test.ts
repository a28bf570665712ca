// What may be done to a running broker from outside its protocols: the reader of its stderr goes away,
// its folder belongs to others, its clock is another one.

import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Bench, MAIN, openBench } from './broker-rig.ts';
import { connectTerminal, makeBatch, until } from './front-rig.ts';

let bench: Bench;
beforeEach(() => {
  bench = openBench();
});
afterEach(() => bench.close());

test('the end of whoever reads its log on stderr is not its own', async () => {
  const child = spawn(process.execPath, [MAIN, '--config', bench.configure()], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, TILLWATCH_LOG: 'stderr' },
  });
  bench.children.push(child);
  const { mqttPort } = await bench.ready(child);
  child.stderr.destroy();
  for (let seq = 1; seq <= 5; seq += 1) {
    const till = await connectTerminal(mqttPort, 'lane-1');
    await till.send(makeBatch(seq));
    await until('the acknowledgement', () => till.acked(seq));
    await till.end();
  }
  expect([child.exitCode, child.signalCode]).toEqual([null, null]);
});

test('a folder in which anybody may write is refused: they could put their own token there', async () => {
  mkdirSync(bench.data(''));
  chmodSync(bench.data(''), 0o777);
  const { exit, said } = bench.launch(bench.configure());
  expect(await exit).toBe(69);
  expect(said()).toMatch(/data is a folder in which anybody may write \(mode 777\): run chmod o-w/);
  chmodSync(bench.data(''), 0o755);
  await bench.start();
});
