// The values that settings of sinks have in common (config-sinks.ts): addresses, numbers, headers, names; each complains
// with its path and a sentence, and returns something usable, so that one look finds everything that is wrong.

const HEADERS_MAX = 32;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/;
/** Followers of the ledger that are no sinks. */
const TAKEN_NAMES = ['registry', 'history'];
/** [RFC 9110 5.6.2] */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const OWN_HEADERS =
  /^(authorization|content-(encoding|type|length)|x-prometheus-remote-write-version|host|user-agent|transfer-encoding|connection)$/i;

export type Path = readonly (string | number)[];
export type Complain = (path: Path, sentence: string) => void;
export type Fields = Readonly<Record<string, unknown>>;

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function readUrl(
  value: unknown,
  path: Path,
  defaultPath: string,
  complain: Complain,
): URL | undefined {
  const rule = 'must be an address such as http://127.0.0.1:9090';
  if (value === null) return undefined;
  if (typeof value !== 'string' || !URL.canParse(value)) {
    complain(path, value === undefined ? 'is missing' : rule);
    return undefined;
  }
  const url = new URL(value);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') complain(path, rule);
  if (url.username !== '' || url.password !== '') {
    complain(
      path,
      'must not hold a name or password: put a token into a file and name it bearerTokenFile',
    );
  }
  if (url.hash !== '') complain(path, 'must not have a fragment (#)');
  if (url.pathname === '/') url.pathname = defaultPath;
  return url;
}

export function readNumber(
  value: unknown,
  path: Path,
  range: { readonly min: number; readonly max: number; readonly otherwise: number },
  complain: Complain,
): number {
  if (value === undefined) return range.otherwise;
  const inside =
    Number.isInteger(value) && Number(value) >= range.min && Number(value) <= range.max;
  if (!inside) complain(path, `must be a whole number from ${range.min} to ${range.max}`);
  return Number(value);
}

export function readHeaders(
  value: unknown,
  path: Path,
  complain: Complain,
): Record<string, string> {
  if (value === undefined) return {};
  if (!isFields(value) || Object.keys(value).length > HEADERS_MAX) {
    complain(path, `must be at most ${HEADERS_MAX} headers, such as { X-Scope-OrgID: shops }`);
    return {};
  }
  const headers: Record<string, string> = {};
  for (const [name, text] of Object.entries(value)) {
    const at = [...path, name];
    if (!TOKEN.test(name)) complain(at, 'is not the name of a header');
    else if (/^authorization$/i.test(name)) {
      complain(at, 'is a secret: put the token into a file and name it bearerTokenFile');
    } else if (OWN_HEADERS.test(name)) complain(at, 'is set by the broker');
    else if (typeof text !== 'string' || !/^[\x20-\x7e]{0,1024}$/.test(text)) {
      complain(at, 'must be text of one line');
    } else headers[name] = text;
  }
  return headers;
}

export function readName(
  value: unknown,
  path: Path,
  otherwise: string,
  complain: Complain,
): string {
  if (value === undefined) return otherwise;
  if (typeof value !== 'string' || !NAME.test(value)) {
    complain(path, 'must be up to 64 letters, digits, dots, colons, hyphens and underscores');
  } else if (TAKEN_NAMES.includes(value))
    complain(path, `"${value}" is a name of the broker's own`);
  return String(value);
}
