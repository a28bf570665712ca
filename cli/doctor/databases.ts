// The broker's databases without the broker: opened read-only beside it, which changes nothing and holds nobody up, and
// looked through by a thread that is ended when it takes too long: a check of many gigabytes must not keep a person
// waiting who has other things to look at.

import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';

const CHECK_MS_MAX = 15_000;

const CODE = `
const { parentPort, workerData } = require('node:worker_threads');
const { DatabaseSync } = require('node:sqlite');
try {
  const db = new DatabaseSync(workerData, { readOnly: true });
  parentPort.postMessage(String(Object.values(db.prepare('pragma quick_check(1)').get())[0]));
} catch (error) {
  parentPort.postMessage(error.message);
}
`;

/** @returns `ok`, what is wrong, or undefined when there was no time. */
export function quickCheck(path: string, msMax = CHECK_MS_MAX): Promise<string | undefined> {
  const worker = new Worker(CODE, { eval: true, workerData: path });
  return new Promise((done) => {
    const end = (verdict: string | undefined): void => {
      clearTimeout(timer);
      void worker.terminate();
      done(verdict);
    };
    const timer = setTimeout(() => end(undefined), msMax);
    worker.once('message', end);
    worker.once('error', (error) => end(error.message));
  });
}

type Row = Readonly<Record<string, unknown>>;
export type Reader = {
  readonly rows: (sql: string, ...values: readonly number[]) => readonly Row[];
  readonly number: (sql: string) => number;
};

/** @throws what SQLite says. */
export function reading<T>(path: string, read: (from: Reader) => T): T {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 2_000 });
  try {
    const rows: Reader['rows'] = (sql, ...values) => db.prepare(sql).all(...values);
    return read({ rows, number: (sql) => Number(Object.values(rows(sql)[0] ?? {})[0] ?? 0) });
  } finally {
    db.close();
  }
}
