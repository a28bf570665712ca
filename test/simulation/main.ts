// One share of a long simulation, as a process of its own so that two cores are used: takes a seed and a number of
// steps, and writes what became of it as one line of JSON.

import { runMany } from './runs.ts';

const [seed = '1', steps = '1'] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(runMany(Number(seed), Number(steps)))}\n`);
