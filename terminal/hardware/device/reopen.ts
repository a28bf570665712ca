// A person has a device closed and opened again. The keeper's own loop does the opening, as it does after any lost
// connection, so that nothing is ever said to a device in the middle of something else; here it is waited for.

import type { Health, Trouble } from './device.ts';

/** Looks that are waited for: the first may still be of the old connection. */
const LOOKS = 2;

export type Reopening = {
  readonly isEnabled: boolean;
  /** Ends the present connection. */
  readonly drop: () => void;
  /** How often its port was opened so far. */
  readonly opens: () => number;
  /** Until it was looked at once more, or that takes too long. */
  readonly looked: () => Promise<void>;
  readonly trouble: () => Trouble | undefined;
};

export async function reopened(name: string, of: Reopening): Promise<Health> {
  const level = 'INTERNAL';
  if (!of.isEnabled) return { level, ok: false, text: `the ${name} is not enabled` };
  const before = of.opens();
  of.drop();
  for (let look = 0; look < LOOKS && of.opens() === before; look += 1) await of.looked();
  const said = of.trouble()?.text;
  if (of.opens() === before) {
    return { level, ok: false, text: said ?? `the ${name} could not be opened again` };
  }
  const text = `the ${name} was closed and opened again; ${said ?? 'it is well'}`;
  return { level, ok: true, text };
}
