// The requests for logs of an agent, in a process that can be killed: commands and acknowledgements in as lines, chunks and
// ends out as lines.

import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { openPulls } from '../../agent/logs/pull/pulls.ts';
import { startPull } from '../../agent/system/pull-child.ts';
import { realPorts } from '../../agent/system.ts';
import { epochOfRequest } from '../../protocol/logs.ts';
import { ok } from '../../protocol/result.ts';
import { NO_RULES } from '../../redact/index.ts';

const [folder = '', book = ''] = process.argv.slice(2);
const { clock, timers } = realPorts();
const quiet = { info: () => {}, warn: () => {}, error: () => {} };
const say = (words: object): boolean => process.stdout.write(`${JSON.stringify(words)}\n`);
let child: number | undefined;

const pulls = openPulls({
  ...{ path: book, folder, journal: undefined, intake: undefined, components: ['sale'] },
  ...{ rules: NO_RULES, share: 1, clock, timers, random: () => 0, log: quiet },
  redactions: { add: () => {}, missed: () => {} },
  startPull: (...all) => {
    const started = startPull(...all);
    child = started.pid;
    return started;
  },
  read: (path) => readFileSync(path, 'utf8'),
  write: (path, text) => {
    writeFileSync(path, text);
    return ok(undefined);
  },
  time: { nowMs: clock.wallMs, offsetMs: () => 0, known: () => true, learn: () => true },
});
const pump = (): void => {
  for (let bytes = pulls.take(); bytes !== undefined; bytes = pulls.take()) {
    say({ chunk: Buffer.from(bytes).toString('base64'), child });
  }
};
pulls.onWork(pump);
pulls.start((...told) => say({ told }));
createInterface({ input: process.stdin }).on('line', (line) => {
  const { begin, ack, upTo } = JSON.parse(line);
  if (begin !== undefined) pulls.begin(begin);
  else {
    pulls.acknowledge({
      ...{
        epoch: epochOfRequest(ack),
        streams: [{ stream: 'logs', ranges: [{ first: 1, last: upTo }] }],
      },
      ...{ refused: [], brokerTimeMs: 1, paceBytesPerSecond: 0, notice: '' },
      ledgerGeneration: new Uint8Array(16),
    });
  }
  pump();
});
