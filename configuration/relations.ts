// How the values of a configuration fit together, in the till's own file and in a document of the fleet alike: names,
// order and deadlines. All of it is within one top-level key, so that each of the two is judged by itself and what
// they make together is as good as both.

import { join, resolve } from 'node:path';
import * as v from 'valibot';
import { SOCKET_PATH_BYTES_MAX } from '../protocol/limits.ts';
import { COMPONENTS_MAX, componentSchema } from './component.ts';
import type { ComponentConfig } from './config.ts';
import { DEFAULTS } from './defaults.ts';
import { misfitsOf } from './external.ts';
import { timesOf } from './times.ts';
import { misplacedIn } from './uplink.ts';
import { type Path, type Problems, valueAt } from './yaml.ts';

/** A component as far as it could be read: relations of the good ones are told with the rest. */
type Readable = {
  readonly index: number;
  readonly component: ComponentConfig;
  /** Keys that were left out because they are wrong by themselves. */
  readonly wrong: readonly string[];
};

const rawComponents = (value: unknown): readonly unknown[] => {
  const raw = valueAt(value, ['components']);
  // Of too many only that is told: who waits for whom among thousands helps nobody.
  return Array.isArray(raw) && raw.length <= COMPONENTS_MAX ? raw : [];
};

/** One wrong value is left out (the schema tells of it), so that how the others fit is told in the same answer. */
function readOne(entry: unknown, index: number): Readable[] {
  const read = v.safeParse(componentSchema, entry);
  if (read.success) return [{ index, component: read.output, wrong: [] }];
  if (typeof entry !== 'object' || entry === null) return [];
  const wrong = read.issues.map((issue) => String(issue.path?.[0]?.key));
  const rest = Object.entries(entry).filter(([key]) => !wrong.includes(key));
  const again = v.safeParse(componentSchema, { name: 'unnamed', ...Object.fromEntries(rest) });
  return again.success ? [{ index, component: again.output, wrong }] : [];
}

const readable = (value: unknown): Readable[] => rawComponents(value).flatMap(readOne);

/** @returns the names on the way from a component back to itself, or nothing. */
function findCycle(start: string, after: ReadonlyMap<string, readonly string[]>): string[] {
  const seen = new Set<string>();
  const walk = (name: string, way: string[]): string[] => {
    for (const next of after.get(name) ?? []) {
      if (next === start) return [...way, next];
      if (seen.has(next)) continue;
      seen.add(next);
      const found = walk(next, [...way, next]);
      if (found.length > 0) return found;
    }
    return [];
  };
  return walk(start, [start]);
}

const stringsAt = (value: unknown, key: string): string[] => {
  const list = valueAt(value, [key]);
  return Array.isArray(list) ? list.filter((entry) => typeof entry === 'string') : [];
};

function checkNames(value: unknown, problems: Problems): void {
  const components = rawComponents(value);
  const names = components.map((entry) => valueAt(entry, ['name']));
  names.forEach((name, index) => {
    const first = names.indexOf(name);
    if (typeof name !== 'string' || first === index) return;
    const sentence = `"${name}" is the name of components[${first}] already`;
    problems.add(['components', index, 'name'], sentence);
  });
  const after = new Map(
    components.map((entry, index) => [String(names[index]), stringsAt(entry, 'after')]),
  );
  components.forEach((entry, index) => {
    stringsAt(entry, 'after').forEach((name, at) => {
      if (names.includes(name)) return;
      problems.add(['components', index, 'after', at], `no component is called "${name}"`);
    });
    const way = findCycle(String(names[index]), after);
    if (way.length === 0) return;
    problems.add(['components', index, 'after'], `waits for itself: ${way.join(' after ')}`);
  });
}

function checkKind({ index, component, wrong }: Readable, value: unknown, problems: Problems) {
  const hasChannel = valueAt(rawComponents(value)[index], ['channel']) === true;
  for (const { path, sentence } of [...misfitsOf(component, hasChannel), ...timesOf(component)]) {
    if (!wrong.includes(String(path[0]))) problems.add(['components', index, ...path], sentence);
  }
}

function checkOrder(value: unknown, low: Path, high: Path, limits: number[], to: Problems): void {
  const [lowDefault = 0, highDefault = 0] = limits;
  const lowest = valueAt(value, low.map(String)) ?? lowDefault;
  const highest = valueAt(value, high.map(String)) ?? highDefault;
  if (typeof lowest !== 'number' || typeof highest !== 'number' || lowest <= highest) return;
  to.add(low, `must not be more than ${high.at(-1)} (${highest})`);
}

/** Asked of the raw value, so that these are told as well when something else is wrong. */
export function checkRelations(value: unknown, problems: Problems): void {
  checkNames(value, problems);
  for (const component of readable(value)) checkKind(component, value, problems);
  const { link, sampling, disk } = DEFAULTS;
  const links = [link.reconnectMsMin, link.reconnectMsMax];
  checkOrder(value, ['link', 'reconnectMsMin'], ['link', 'reconnectMsMax'], links, problems);
  const samplings = [sampling.everyMs, sampling.sendMs];
  checkOrder(value, ['sampling', 'everyMs'], ['sampling', 'sendMs'], samplings, problems);
  const disks = [disk.floorBytes, disk.lowBytes];
  checkOrder(value, ['disk', 'floorBytes'], ['disk', 'lowBytes'], disks, problems);
  const broker = valueAt(value, ['broker']);
  if (typeof broker === 'object' && broker !== null) {
    for (const [key, sentence] of misplacedIn({ ...broker }))
      problems.add(['broker', key], sentence);
  }
}

export const socketPath = (runDir: string): string => join(runDir, 'channel.sock');

/** @param folder where the file lies. */
export function checkRunDir(value: unknown, folder: string, problems: Problems): void {
  const runDir = valueAt(value, ['runDir']);
  if (typeof runDir !== 'string') return;
  const bytes = Buffer.byteLength(socketPath(resolve(folder, runDir)));
  if (bytes > SOCKET_PATH_BYTES_MAX) {
    problems.add(
      ['runDir'],
      `is too long: its socket's path has ${bytes} bytes, ${SOCKET_PATH_BYTES_MAX} are possible`,
    );
  }
}
