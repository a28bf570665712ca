// The thread that reads one long text, says what is wrong with it, and ends. Started by read.ts.

import { parentPort, workerData } from 'node:worker_threads';
import { problemsIn } from './problems.ts';

parentPort?.postMessage(await problemsIn(String(workerData)));
