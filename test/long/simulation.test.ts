// Twenty million steps of the simulated till over two processes: more tills, more days and rarer meetings than fit
// into every test run. TILLWATCH_STEPS changes how many, TILLWATCH_SEED repeats one run.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { fromEnvironment, type Runs } from '../simulation/runs.ts';

const STEPS = 20_000_000;
const SHARES = 2;
/** So far apart that no run is done twice. */
const SEEDS_APART = 10_000_000;
const program = new URL('../simulation/main.ts', import.meta.url).pathname;

async function share(seed: number, steps: number): Promise<Runs> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, `${seed}`, `${steps}`], {
    maxBuffer: 16 * 1024 * 1024,
  });
  return JSON.parse(stdout) as Runs;
}

it('no checker finds anything in twenty million steps', async () => {
  const { seed, steps, isRepeated } = fromEnvironment(STEPS);
  const shares = isRepeated ? 1 : SHARES;
  const begun = performance.now();
  const all = await Promise.all(
    Array.from({ length: shares }, (_, index) =>
      share(seed + index * SEEDS_APART, Math.ceil(steps / shares)),
    ),
  );
  const taken = all.reduce((sum, runs) => sum + runs.steps, 0);
  const runs = all.reduce((sum, each) => sum + each.runs, 0);
  const seconds = Math.round((performance.now() - begun) / 1_000);
  console.log(`${taken} steps in ${runs} runs from seed ${seed} in ${seconds} s`);
  expect(all.flatMap(({ failure }) => failure?.text ?? [])).toEqual([]);
  expect(taken).toBeGreaterThanOrEqual(steps);
});
