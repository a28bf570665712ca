// The program that asks the broker for a certificate: a job on its standard input as one line, an answer on its standard
// output as one line (agent/identity/job.ts), and it ends. It also ends when its input does: whoever started it is gone,
// and the next one starts another. Apart from the agent because of the memory that certificate requests take.

import { createInterface } from 'node:readline';
import * as v from 'valibot';
import { runJob } from './identity/enrolling.ts';
import { type Done, JOB_MS_MAX, jobSchema } from './identity/job.ts';
import { realPorts } from './system.ts';

function answer(done: Done, code: number): void {
  process.stdout.write(`${JSON.stringify(done)}\n`, () => process.exit(code));
}

const { timers } = realPorts();
timers.after(JOB_MS_MAX, () => process.exit(75));
process.stdout.on('error', () => process.exit(74));
const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
lines.on('close', () => process.exit(75));
lines.once('line', (line) => {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    json = undefined;
  }
  const job = v.safeParse(jobSchema, json);
  if (!job.success) {
    answer({ ok: false, reason: 'this is no job', final: false }, 64);
    return;
  }
  runJob(job.output, timers).then(
    (done) => answer(done, 0),
    (error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      answer({ ok: false, reason: `internal fault: ${reason}`, final: false }, 70);
    },
  );
});
