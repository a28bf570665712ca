// The forwarding of a broker, without the broker: the thread, its file and its cursors, over answers that lie in a
// folder. It is there to be killed. As a program: loki-child.ts FOLDER URL.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemTimers } from '../../broker/clock.ts';
import type { LogRecord } from '../../broker/logs/model.ts';
import { startLoki } from '../../broker/sinks/loki.ts';

const [folder = '', url = ''] = process.argv.slice(2);
const records = JSON.parse(readFileSync(join(folder, 'records.json'), 'utf8')) as LogRecord[];
const say = (sentence: string): boolean => process.stderr.write(`${sentence}\n`);
const loki = startLoki({
  sinks: [
    { kind: 'loki', name: 'loki', url, headers: {}, timeoutMs: 2_000, kinds: ['pull', 'tail'] },
  ],
  ...{ folder, path: join(folder, 'loki.db'), deadLetters: { days: 30, rowsMax: 100 } },
  records: {
    get: (id) => records.find((record) => record.id === id),
    oldestFirst: () => records,
  },
  storeOf: () => 'berlin',
  onChange: () => undefined,
  timers: systemTimers,
  log: { info: () => undefined, warn: say, error: say },
});
setInterval(() => {
  const [status] = loki.status();
  process.stdout.write(`${JSON.stringify(status)}\n`);
}, 50);
