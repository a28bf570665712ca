// The broker's HTTP API as a verb sees it: a value, or an exit code with a sentence that says what to do.
// Answers are typed by what broker/http promises (version 1, fields are only added) and not checked again
// field by field: both come from the same package.

import type { CommandState } from '../protocol/commands.ts';
import type { Cause, ComponentState } from '../protocol/events.ts';
import type { Cut } from '../protocol/logs.ts';
import type { AwayView } from './away-words.ts';
import type { BehindView, ConfigurationView, MaintenanceView } from './described.ts';
import { EXIT, type ExitCode } from './exit.ts';
import type { IdentityView } from './identity-words.ts';
import type { Operator } from './operator.ts';
import { ask, type Question, readAll } from './transport.ts';
import { whyUnreachable } from './unreachable.ts';

const ANSWER_MS_MAX = 10_000;
/** The log lines of one request are the most that is read at once (protocol/limits.ts). */
const ANSWER_BYTES_MAX = 80 * 1024 * 1024;

export type Presence = 'never' | 'online' | 'late' | 'lost';

export type ComponentView = {
  readonly name: string;
  readonly version: string;
  readonly mode?: 'act' | 'observe';
  readonly state: ComponentState | 'unknown';
  readonly restarts: Partial<Record<Cause, number>>;
  readonly restartsTotal: number;
  readonly lastReason?: string;
  readonly lastCause?: Cause;
  readonly pid?: number;
  readonly instance?: string;
  readonly sinceMs?: number;
};

export type TerminalView = {
  readonly id: string;
  readonly store: string;
  readonly region?: string;
  readonly labels?: readonly string[];
  readonly configuration?: ConfigurationView;
  readonly maintenance?: MaintenanceView;
  /** Components that run another version than the one set as their target. */
  readonly behind?: readonly BehindView[];
  readonly identity?: IdentityView;
  readonly presence: Presence;
  readonly connected: boolean;
  /** IANA name of its local time. */
  readonly timeZone?: string;
  readonly lastSeenMs?: number;
  readonly agent?: { readonly version?: string; readonly node?: string; readonly starts?: number };
  readonly components: readonly ComponentView[];
  readonly openIncidents: readonly {
    readonly component: string;
    readonly cause: string;
    readonly reason: string;
    readonly openedMs: number;
  }[];
  readonly devices?: readonly {
    readonly component: string;
    readonly device: string;
    readonly state: string;
    readonly troubles: readonly string[];
  }[];
  readonly held?: { readonly by: string; readonly reason: string; readonly untilMs: number };
  readonly disk?: { readonly level: string; readonly reason: string };
  readonly away?: AwayView;
  readonly clockOffsetMs?: number;
  readonly clockSkewMs?: number;
  readonly clockLeftMs?: number;
  readonly samples?: number;
  readonly events?: number;
};

export type FleetView = {
  readonly terminals: Readonly<Record<'total' | Presence, number>>;
  readonly versions: readonly {
    readonly component: string;
    readonly version: string;
    readonly terminals: number;
  }[];
  readonly states: readonly { component: string; state: string; count: number }[];
  readonly restarts: readonly { component: string; cause: Cause; version: string; count: number }[];
  readonly agentStarts?: number;
};

export type EventView = {
  readonly id: number;
  readonly terminal: string;
  readonly store: string;
  readonly timeMs: number;
  readonly receivedMs: number;
  readonly kind: string;
  readonly component: string;
  readonly fields: Readonly<Record<string, unknown>>;
};

export type CommandView = {
  readonly id: string;
  readonly terminal: string;
  readonly state: CommandState | 'pending' | 'sent' | 'cancelled';
  readonly reason?: string;
  /** Of a command, id of its trace. */
  readonly trace?: string;
  readonly history: readonly {
    readonly state: CommandState | 'pending' | 'sent' | 'cancelled';
    readonly timeMs: number;
    readonly reason?: string;
    /** What the terminal told beside it, by kind of command. */
    readonly detail?: unknown;
  }[];
};

export type Refusal = {
  readonly ok: false;
  readonly exit: ExitCode;
  readonly sentence: string;
  /** The HTTP status, when the broker itself said no. */
  readonly status?: number;
};
export type LogRequestView = {
  readonly id: string;
  readonly what?: 'lines' | 'diagnosis' | 'tail' | 'incident';
  readonly terminal: string;
  readonly store?: string;
  /** Of the store, as its terminal tells it. */
  readonly timeZone?: string;
  readonly group?: string;
  readonly state: 'waiting' | 'running' | 'complete' | 'failed' | 'expired' | 'cancelled';
  readonly connected: boolean;
  readonly operator?: string;
  readonly reason?: string;
  readonly components?: readonly string[];
  readonly createdMs?: number;
  readonly bytes: number;
  readonly lines: number;
  readonly error: string;
  readonly bytesMax: number;
  readonly expiresMs: number;
  readonly redactions: number;
  readonly truncated: boolean;
  readonly cutBy?: Cut;
  readonly fromMs: number;
  /** Of the terminal's journal, looked through so far, of so many. */
  readonly searchedBytes?: number;
  readonly searchBytes?: number;
  /** Records of a live tail that did not fit the line. */
  readonly dropped?: number;
  /** Card data that the terminal's own redactor had missed on the way in. */
  readonly missed?: number;
  readonly trace?: string;
};

export type Reply<T> = { readonly ok: true; readonly value: T } | Refusal;

export type Headings = Readonly<Record<string, string>>;
/** Told of the headers of each answer of the broker. */
export type Heard = (headers: { readonly get: (name: string) => string | null }) => void;

export type Client = {
  readonly url: string;
  /** @param fields what a broker's answer surely has, for an address that may be somebody else's */
  readonly get: <T>(path: string, fields?: readonly (keyof T)[]) => Promise<Reply<T>>;
  readonly post: <T>(path: string, body: unknown, headers?: Headings) => Promise<Reply<T>>;
  readonly remove: <T>(path: string) => Promise<Reply<T>>;
  /** An answer that is no JSON. */
  readonly bytes: (path: string) => Promise<Reply<Uint8Array>>;
};

/** What only few verbs need. */
export type WideClient = Client & {
  readonly patch: <T>(path: string, body: unknown) => Promise<Reply<T>>;
};

type Init = Pick<Question, 'method' | 'body'> & { readonly headers?: Headings };
type Answer = { readonly status: number; readonly bytes: Uint8Array };

const bad = (exit: ExitCode, sentence: string): Refusal => ({ ok: false, exit, sentence });

/** What to do about not being let in, by how one came there. */
export function signedOut({ url, token, context }: Operator): string {
  if (context !== undefined) {
    const what = token === undefined ? 'you are signed out' : 'your session has ended';
    return `${what} (context ${context}): tillwatch login ${url}`;
  }
  return (
    `the broker at ${url} does not accept the token: set TILLWATCH_API_TOKEN to ` +
    'what stands in the file "api-token" of its data folder, or to the token of an operator, ' +
    `or sign in with tillwatch login ${url}`
  );
}

function refused(
  operator: Operator,
  status: number,
  problem: { detail?: string; title?: string },
): Refusal {
  const { url } = operator;
  const detail = problem.detail ?? problem.title ?? `${url} answers with HTTP status ${status}`;
  // Who may not is told which role may.
  if (status === 403) return { ...bad(EXIT.denied, detail), status };
  if (status === 401) return { ...bad(EXIT.denied, signedOut(operator)), status };
  const exit = status === 400 || status === 422 ? EXIT.usage : EXIT.failed;
  return { ...bad(exit, detail), status };
}

export function createClient(
  operator: Operator,
  answerMsMax = ANSWER_MS_MAX,
  heard: Heard = () => undefined,
): WideClient {
  const { url, token, authority } = operator;
  const stranger = () => bad(EXIT.unavailable, `what answers at ${url} is not a Tillwatch broker`);
  async function send(path: string, init: Init): Promise<Answer | Refusal> {
    try {
      const headers = {
        accept: 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...init.headers,
      };
      const signal = AbortSignal.timeout(answerMsMax);
      const answer = await ask({ url: `${url}${path}`, ...init, headers, authority, signal });
      heard({ get: (name) => [answer.headers[name]].flat().join(', ') || null });
      return { status: answer.statusCode ?? 0, bytes: await readAll(answer, ANSWER_BYTES_MAX) };
    } catch (error) {
      return { ok: false, ...whyUnreachable(error, operator) };
    }
  }
  function read<T>({ status, bytes }: Answer, fields: readonly PropertyKey[] = []): Reply<T> {
    let body: unknown;
    try {
      body = JSON.parse(Buffer.from(bytes).toString());
    } catch {
      return stranger();
    }
    if (typeof body !== 'object' || body === null) return stranger();
    if (status < 200 || status >= 300) return refused(operator, status, body);
    return fields.every((name) => name in body) ? { ok: true, value: body as T } : stranger();
  }
  async function question<T>(
    path: string,
    init: Init,
    fields: readonly PropertyKey[] = [],
  ): Promise<Reply<T>> {
    const answer = await send(path, init);
    return 'ok' in answer ? answer : read<T>(answer, fields);
  }
  return {
    url,
    get: (path, fields) => question(path, { method: 'GET' }, fields),
    post: (path, body, headers) =>
      question(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
    patch: (path, body) =>
      question(path, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    remove: (path) => question(path, { method: 'DELETE' }),
    bytes: async (path) => {
      const answer = await send(path, { method: 'GET', headers: { accept: '*/*' } });
      if ('ok' in answer) return answer;
      const isGood = answer.status >= 200 && answer.status < 300;
      return isGood ? { ok: true, value: answer.bytes } : read<never>(answer);
    },
  };
}
