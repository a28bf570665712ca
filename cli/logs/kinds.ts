// Which states and kinds requests for logs have, as an operator types them. Apart from the verbs, because whoever completes
// a word after Tab reads them without loading all that a verb needs.

export const REQUEST_STATES = [
  'waiting',
  'running',
  'complete',
  'failed',
  'expired',
  'cancelled',
] as const;
export const REQUEST_KINDS = ['lines', 'tail', 'incident', 'diagnosis'] as const;
/** Less serious ones have no kinds that are counted. */
export const ERROR_LEVELS = ['error', 'warn'] as const;
