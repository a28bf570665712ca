// How much card data was taken out, and where: the agent's own log, events (with their evidence), and logs
// on their way out. A hit on export means that some component wrote card data to a file.

import { addCounts, type Counts, KINDS, type Kind, NO_COUNTS } from '../../redact/index.ts';

export type Where = 'own_log' | 'event' | 'export';
export type Redaction = { readonly where: Where; readonly kind: Kind; readonly count: number };

export type Redactions = {
  readonly add: (where: Where, counts: Counts) => void;
  /** Only what ever happened. */
  readonly list: (exported: Counts) => readonly Redaction[];
};

export function createRedactions(): Redactions {
  const seen = new Map<Where, Counts>();
  return {
    add: (where, counts) => {
      seen.set(where, addCounts(seen.get(where) ?? NO_COUNTS, counts));
    },
    list: (exported) =>
      [...seen, ['export', exported] as const].flatMap(([where, counts]) =>
        KINDS.filter((kind) => counts[kind] > 0).map((kind) => ({
          where,
          kind,
          count: counts[kind],
        })),
      ),
  };
}
