// Bytes that are nearly right: what a fuzzer is made of. Seeded, so that what was found once is found again; inputs that
// found something are files in test/fuzz-seeds/ (hex, or text for HTTP) and are tried first, as they are and mutated.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { random } from '../../real/front-rig.ts';

const SEEDS = join(import.meta.dirname, '../../fuzz-seeds');
/** Where lengths, flags and signs change their meaning. */
const INTERESTING = [
  0, 1, 2, 7, 8, 9, 10, 13, 16, 31, 32, 47, 63, 64, 127, 128, 129, 192, 253, 254, 255,
];

export type Dice = {
  readonly pick: (n: number) => number;
  readonly of: <T>(list: readonly T[]) => T;
  readonly mutate: (bytes: Uint8Array, others: readonly Uint8Array[]) => Buffer;
};

/** How many of an amount, from the environment; the default keeps a file of tests short. */
export const amount = (name: string, usual: number): number => {
  const value = Number(process.env[name] ?? usual);
  return Number.isFinite(value) && value > 0 ? value : usual;
};

export function readSeeds(folder: 'mqtt' | 'envelope' | 'command' | 'http'): Buffer[] {
  const dir = join(SEEDS, folder);
  return readdirSync(dir)
    .sort()
    .map((name) => {
      const text = readFileSync(join(dir, name), 'utf8');
      return name.endsWith('.hex')
        ? Buffer.from(text.replace(/#.*$/gm, '').replace(/\s/g, ''), 'hex')
        : Buffer.from(text, 'latin1');
    });
}

export function createDice(seed: number): Dice {
  const next = random(seed);
  const pick = (n: number): number => Math.floor(next() * n);
  const of = <T>(list: readonly T[]): T => list[pick(list.length)] as T;
  const changes: ((bytes: Buffer, others: readonly Uint8Array[]) => Buffer)[] = [
    (bytes) => {
      const at = pick(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(8));
      return bytes;
    },
    (bytes) => {
      bytes[pick(bytes.length)] = of(INTERESTING);
      return bytes;
    },
    (bytes) => {
      bytes[pick(bytes.length)] = pick(256);
      return bytes;
    },
    (bytes) => bytes.subarray(0, 1 + pick(bytes.length)) as Buffer,
    (bytes) => {
      const at = pick(bytes.length);
      const noise = Buffer.from(Array.from({ length: 1 + pick(12) }, () => pick(256)));
      return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]);
    },
    (bytes) => {
      const at = pick(bytes.length);
      const chunk = bytes.subarray(at, at + 1 + pick(40));
      return Buffer.concat([bytes.subarray(0, at), chunk, chunk, bytes.subarray(at)]);
    },
    (bytes) => {
      const at = pick(bytes.length);
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + pick(20))]);
    },
    (bytes, others) => {
      const other = of(others);
      const at = pick(bytes.length);
      return Buffer.concat([bytes.subarray(0, at), other.subarray(pick(other.length))]);
    },
  ];
  return {
    pick,
    of,
    mutate: (from, others) => {
      let bytes: Buffer = Buffer.from(from);
      for (let times = 1 + pick(4); times > 0; times -= 1) {
        if (bytes.length === 0) bytes = Buffer.from([pick(256)]);
        bytes = of(changes)(bytes, others);
      }
      return bytes;
    },
  };
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
/** What is really held, in bytes. */
export function heldBytes(): number {
  collect();
  collect();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}
