// Words of others (what a database answers, an error of the system) made fit for a log line and a label:
// one line, no control characters, not longer than a person reads; and addresses without their secrets.

const CHARS_MAX = 300;

/** One line, bounded. */
export function systemWords(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to go
  const line = text.replaceAll(/[\u0000-\u001f\u007f-\u009f\s]+/g, ' ').trim();
  return line.length > CHARS_MAX ? `${line.slice(0, CHARS_MAX)}...` : line || 'nothing';
}

/** Without name and password, and without a query, which may hold a key. */
export function shownUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/** An error of the network with what caused it: "fetch failed" alone helps nobody. */
export function errorWords(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return systemWords(message || code || String(error));
}
