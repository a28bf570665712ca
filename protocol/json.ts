// JSON that came over the wire, read so that it can also be written again: JSON.parse takes any depth,
// JSON.stringify recurses and throws at a few thousand levels, and a throw at the broker would come
// back with the same row at its every start. Nobody nests for honest reasons as deep as the limit.

import { JSON_DEPTH_MAX } from './limits.ts';
import { fail, ok, type Result } from './result.ts';

function fits(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((inner) => fits(inner, levels - 1));
}

/** @param what begins the sentence of a refusal, such as `result detail`. */
export function readJson(what: string, json: string): Result<unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return fail(`${what} is not JSON`);
  }
  return fits(value, JSON_DEPTH_MAX) ? ok(value) : fail(`${what} is nested too deep`);
}
