// What every verb is given: where to write, how to colour, where the broker is. Tests pass their own; only
// tillwatch.ts makes the real one.

import type { Client } from './client.ts';
import type { Style } from './screen.ts';

export type Context = {
  /** One line to standard output. */
  readonly print: (line: string) => void;
  readonly style: Style;
  readonly client: Client;
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly json: boolean;
};

/** The value as people's tools want it: one document, indented. */
export const printJson = (context: Pick<Context, 'print'>, value: unknown): void =>
  context.print(JSON.stringify(value, undefined, 2));
