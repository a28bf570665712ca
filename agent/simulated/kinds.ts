// What goes wrong and how often: the table of research/pos.md section 7 as data. Ids and rates are that
// table's, so that a number can be looked up there; what a fault does to a till is in ailments.ts. Left out
// is what no till does by itself (N5, N6), what would end a terminal for good (H12, S2, X1) and what
// needs parts that are not built (C1, U1 to U4, X2). P3, the leak, belongs to a version (character.ts), S3
// to one power cut in twenty; D3, a duplicate, leaves no trace on a till that works.

/** What it does; ailments.ts has an entry for each. */
export type Effect =
  | 'printer'
  | 'scale'
  | 'scanner'
  | 'drawer'
  | 'reopen'
  | 'stall'
  | 'crash'
  | 'hang'
  | 'crash_loop'
  | 'exhausted'
  | 'tender'
  | 'disk'
  | 'clock'
  | 'dead_letter'
  | 'stale'
  | 'logs'
  | 'cut'
  | 'flap'
  | 'freeze'
  | 'power';

export type FaultKind = {
  readonly id: string;
  readonly effect: Effect;
  /** Of each terminal, or of each store as a whole. */
  readonly per: 'terminal' | 'store';
  readonly perYear: number;
  /** How long it lasts where it does not end by itself, drawn log-uniformly. */
  readonly seconds: readonly [min: number, max: number];
  /** `everyday`: part of any trading day and no incident. */
  readonly nature: 'everyday' | 'hardware' | 'software' | 'surroundings';
  /** UnifiedPOS error code, where a device says one. */
  readonly code?: string;
};

/** A shop that is closed on Sundays and holidays. */
const DAYS = 300;
const MINUTE = 60;
const HOUR = 3_600;

// biome-ignore format: a table is read by its columns
export const FAULTS: readonly FaultKind[] = [
  { id: 'H1', effect: 'printer', per: 'terminal', perYear: 0.75 * DAYS, seconds: [30, 6 * MINUTE], nature: 'everyday', code: 'EPTR_REC_EMPTY' },
  { id: 'H2', effect: 'printer', per: 'terminal', perYear: 0.3 * DAYS, seconds: [10, 2 * MINUTE], nature: 'everyday', code: 'EPTR_COVER_OPEN' },
  { id: 'H3', effect: 'printer', per: 'terminal', perYear: 6, seconds: [5, 30], nature: 'hardware', code: 'E_TIMEOUT' },
  { id: 'H4', effect: 'printer', per: 'terminal', perYear: 0.8, seconds: [5 * MINUTE, HOUR], nature: 'hardware', code: 'E_FAILURE' },
  { id: 'H5', effect: 'printer', per: 'terminal', perYear: 1, seconds: [2 * MINUTE, 10 * MINUTE], nature: 'hardware', code: 'E_FAILURE' },
  { id: 'H6', effect: 'reopen', per: 'terminal', perYear: 12, seconds: [1, 5], nature: 'hardware', code: 'E_OFFLINE' },
  { id: 'H7', effect: 'stall', per: 'terminal', perYear: 6, seconds: [60, 60], nature: 'hardware' },
  { id: 'H8', effect: 'scanner', per: 'terminal', perYear: 0.3, seconds: [30 * MINUTE, 4 * HOUR], nature: 'hardware', code: 'E_NOSERVICE' },
  { id: 'H9', effect: 'scanner', per: 'terminal', perYear: 4, seconds: [10 * MINUTE, 2 * HOUR], nature: 'hardware', code: 'E_NOHARDWARE' },
  { id: 'H10', effect: 'scale', per: 'terminal', perYear: 1 * DAYS, seconds: [5, MINUTE], nature: 'everyday', code: 'E_BUSY' },
  { id: 'H11', effect: 'drawer', per: 'terminal', perYear: 2, seconds: [MINUTE, 30 * MINUTE], nature: 'hardware', code: 'E_FAILURE' },
  { id: 'P1', effect: 'crash', per: 'terminal', perYear: 6, seconds: [0, 0], nature: 'software' },
  { id: 'P2', effect: 'hang', per: 'terminal', perYear: 6, seconds: [60, 60], nature: 'software' },
  { id: 'P4', effect: 'crash_loop', per: 'terminal', perYear: 0.2, seconds: [5 * MINUTE, HOUR], nature: 'software' },
  { id: 'P5', effect: 'exhausted', per: 'terminal', perYear: 0.5, seconds: [0, 0], nature: 'software' },
  { id: 'P6', effect: 'tender', per: 'terminal', perYear: 0.3, seconds: [10, MINUTE], nature: 'software' },
  { id: 'S1', effect: 'disk', per: 'terminal', perYear: 0.5, seconds: [10 * MINUTE, HOUR], nature: 'surroundings' },
  { id: 'T1', effect: 'clock', per: 'terminal', perYear: 0.55, seconds: [0, 0], nature: 'surroundings' },
  { id: 'D1', effect: 'dead_letter', per: 'terminal', perYear: 3, seconds: [0, 0], nature: 'software' },
  { id: 'D2', effect: 'stale', per: 'terminal', perYear: 0.5, seconds: [5 * MINUTE, HOUR], nature: 'software' },
  { id: 'D4', effect: 'stale', per: 'terminal', perYear: 4, seconds: [30 * MINUTE, 8 * HOUR], nature: 'software' },
  { id: 'L1', effect: 'logs', per: 'terminal', perYear: 1, seconds: [MINUTE, 5 * MINUTE], nature: 'software' },
  { id: 'N1', effect: 'cut', per: 'store', perYear: 24, seconds: [MINUTE, HOUR], nature: 'surroundings' },
  { id: 'N2', effect: 'cut', per: 'store', perYear: 0.05, seconds: [24 * HOUR, 72 * HOUR], nature: 'surroundings' },
  { id: 'N3', effect: 'flap', per: 'store', perYear: 50, seconds: [2 * MINUTE, 20 * MINUTE], nature: 'everyday' },
  { id: 'N4', effect: 'freeze', per: 'store', perYear: 2, seconds: [2 * MINUTE, 15 * MINUTE], nature: 'surroundings' },
  { id: 'S4', effect: 'power', per: 'store', perYear: 6, seconds: [20, 20 * MINUTE], nature: 'surroundings' },
];

/** Of these a part comes to all terminals of a version at once: a bad release, a poison record. */
export const VERSION_WIDE: ReadonlySet<string> = new Set([
  'P1',
  'P2',
  'P5',
  'D1',
  'D2',
  'D4',
  'L1',
]);
