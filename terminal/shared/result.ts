// Expected failure is a value with a human reason; only a bug throws. The same shape as the wire's, but
// the terminal's own: a component must run under any supervisor and imports nothing of the protocol.

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });
export const fail = (reason: string): { readonly ok: false; readonly reason: string } => ({
  ok: false,
  reason,
});

/** What an error says, for a log line or a reason; errors of Node carry the useful part in `message`. */
export const saying = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
