// Bytes between a broker and its tills as the kernel counts them, each connection with all its segments: what a store's
// line carries, headers included. Read from ss(8), because a proxy before ten thousand connections would be measured
// as well; without it nothing is said.

import { spawnSync } from 'node:child_process';

/** IP and TCP with its time stamps, without what is below. */
const HEADER_BYTES = 52;
const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;

export type Traffic = { readonly received: number; readonly sent: number };

const sumOf = (text: string, field: string): number => {
  let sum = 0;
  for (const [, number] of text.matchAll(new RegExp(`\\b${field}:(\\d+)`, 'g'))) {
    sum += Number(number);
  }
  return sum;
};

/** Of all connections to this port that are there now, from their beginning on. */
export function trafficOf(port: number): Traffic | undefined {
  const ran = spawnSync('ss', ['-tinH', 'state', 'established', `( sport = :${port} )`], {
    encoding: 'utf8',
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  if (ran.status !== 0) return undefined;
  const text = ran.stdout;
  return {
    received: sumOf(text, 'bytes_received') + sumOf(text, 'segs_in') * HEADER_BYTES,
    sent: sumOf(text, 'bytes_sent') + sumOf(text, 'segs_out') * HEADER_BYTES,
  };
}
