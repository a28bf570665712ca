// Which machine this is, as a hash that says nothing else: of the machine id of the system, or of its name and network
// addresses where there is none. Two machines with one identity are noticed by it (protocol/hello.ts).

import { createHash, randomBytes } from 'node:crypto';

const CHARS = 16;

/** @param facts what names the machine, best first; empty ones are passed over. */
export function machineOf(facts: readonly string[]): string {
  const named = facts.find((fact) => fact.trim() !== '') ?? '';
  return createHash('sha256').update(named.trim()).digest('hex').slice(0, CHARS);
}

/** New for each process. */
export const newInstance = (): string => randomBytes(CHARS / 2).toString('hex');
