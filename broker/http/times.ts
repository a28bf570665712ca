// Times as they are written in a query: milliseconds since 1970, or as people and their tools write them.

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/;

/** @returns milliseconds since 1970; NaN when it cannot be read. */
export function readTime(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  return MOMENT.test(text) ? Date.parse(text) : Number.NaN;
}

export const unreadableTime = (field: string): string =>
  `${field}: write milliseconds since 1970, or a time such as 2026-01-31T12:00:00Z`;
