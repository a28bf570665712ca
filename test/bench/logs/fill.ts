// A journal as a till's components would have filled it, made at once: records of a sale in winston's JSON, the same for
// the same seed, appended by the store itself. Lines differ as real ones do, or compression would flatter everybody.

import { openJournal } from '../../../agent/logs/journal/journal.ts';
import { BLOCK_RAW_BYTES_MAX, type JournalRecord } from '../../../agent/logs/journal/types.ts';
import { realPorts } from '../../../agent/system.ts';
import { stamp } from '../../../redact/index.ts';

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const ARTICLES = [
  'Oat milk 1 l',
  'Rye bread',
  'Bananas',
  'Gouda, young',
  'Tea lights',
  'Batteries',
];
const BLOCK_BYTES = BLOCK_RAW_BYTES_MAX / 2;
/** As wide as a busy till prints: a gigabyte is some days of it. */
const EVERY_MS = 40;

export function dice(seed: number): (most: number) => number {
  let state = seed;
  return (most) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * most);
  };
}

/** One line; `at` counts them. */
export function lineOf(at: number, timeMs: number, roll: (most: number) => number): string {
  const article = ARTICLES[roll(ARTICLES.length)];
  const level = roll(200) === 0 ? 'warn' : 'info';
  const hex =
    roll(2 ** 30)
      .toString(16)
      .padStart(8, '0') + roll(2 ** 30).toString(16);
  return JSON.stringify({
    ...{ level, message: `line ${at}: ${article} rung up`, basket: `${hex}-${roll(9_999)}` },
    ...{ quantity: 1 + roll(4), totalMinor: roll(20_000), tookMs: roll(90), lane: roll(12) },
    timestamp: new Date(timeMs).toISOString(),
  });
}

export type Filled = {
  readonly records: number;
  readonly rawBytes: number;
  readonly fromMs: number;
};

/** @param untilMs time of the newest record, terminal's own clock */
export async function fillJournal(
  folder: string,
  component: string,
  rawBytes: number,
  untilMs: number,
  seed = 1,
): Promise<Filled> {
  const { clock } = realPorts();
  const store = openJournal({ folder, bytesMax: 4 * 2 ** 30, clock, log: silent });
  const roll = dice(seed);
  const lineBytes = lineOf(1, untilMs, dice(seed)).length;
  const total = Math.ceil(rawBytes / lineBytes);
  const fromMs = untilMs - total * EVERY_MS;
  let bytes = 0;
  for (let at = 0; at < total; ) {
    const records: JournalRecord[] = [];
    for (let block = 0; block < BLOCK_BYTES && at < total; at += 1) {
      const timeMs = fromMs + at * EVERY_MS;
      const text = lineOf(at, timeMs, roll);
      const level = text.startsWith('{"level":"warn"') ? 'warn' : 'info';
      records.push({ timeMs, guessed: false, level, text, version: '1' });
      block += text.length;
      bytes += text.length + 1;
    }
    const appended = await store.append(component, records, [], stamp());
    if (!appended.ok) throw new Error(appended.reason);
  }
  await store.settled();
  store.close();
  return { records: total, rawBytes: bytes, fromMs };
}
