// Commands from an operator to one terminal. The broker signs the encoded command with Ed25519 and the
// terminal checks the signature over those very bytes, so there is no canonical form to get wrong.
// A command is for one terminal, expires, and its id makes it run at most once.

import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import * as v from 'valibot';
import { COMMAND_KINDS, type CommandKind, catalogue, isKind } from './catalogue.ts';
import { isId, UUID_PATTERN } from './ids.ts';
import { readJson } from './json.ts';
import * as limits from './limits.ts';
import { fail, ok, type Result } from './result.ts';
import { bytes, decodeRaw, encodeRaw, list, num, type SignedCommand, text } from './wire.ts';

export {
  COMMAND_EXPIRY_MS,
  COMMAND_KINDS,
  type CommandKind,
  DRILL_FAULTS,
  type DrillFault,
  LOGS_EXPIRY_MS,
} from './catalogue.ts';

/** The agent's own log, where a component is named. */
export const AGENT_LOG = 'agent';

export const COMMAND_STATES = [
  'accepted',
  'rejected',
  'running',
  'succeeded',
  'failed',
  'expired',
  'unknown',
] as const;
/** What a terminal reports; the broker adds `pending` (not delivered) in its own queue. */
export type CommandState = (typeof COMMAND_STATES)[number];
export const FINAL_STATES: readonly CommandState[] = [
  'rejected',
  'succeeded',
  'failed',
  'expired',
  'unknown',
];

type Common = {
  readonly id: string;
  readonly terminal: string;
  readonly issuedMs: number;
  readonly expiresMs: number;
  readonly operator: string;
  readonly reason: string;
  readonly traceparent: string;
};
/** What is to be done, typed by its kind. */
export type CommandContent = {
  [K in CommandKind]: {
    readonly kind: K;
    readonly arguments: v.InferOutput<(typeof catalogue)[K]['arguments']>;
  };
}[CommandKind];
export type Command = Common & CommandContent;

/** @returns the content, or a sentence that names the field. */
export function readContent(kind: string, args: unknown): Result<CommandContent> {
  if (!isKind(kind)) {
    return fail(`the kind "${kind.slice(0, 64)}" is not one of: ${COMMAND_KINDS.join(', ')}`);
  }
  const checked = v.safeParse(catalogue[kind].arguments, args);
  // The table ties kind and arguments together; a look-up by a union loses that tie.
  if (checked.success) return ok({ kind, arguments: checked.output } as CommandContent);
  const issue = checked.issues[0];
  const path = v.getDotPath(issue);
  return fail(`arguments${path === null ? '' : `.${path}`}: ${issue.message}`);
}

/** The components that a command is about, by name; none where it is about all of them. */
export function componentsOf({ arguments: args }: CommandContent): readonly string[] {
  if ('components' in args) return args.components.filter((name) => name !== AGENT_LOG);
  const named = 'component' in args ? args.component : undefined;
  return named === undefined || named === AGENT_LOG ? [] : [named];
}

export type CommandResult = {
  readonly commandId: string;
  readonly state: CommandState;
  readonly reason: string;
  readonly timeMs: number;
  readonly detail: Readonly<Record<string, unknown>>;
};

/** Ed25519 public keys are 32 bytes behind a fixed SPKI prefix [RFC 8410 4]. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const PUBLIC_KEY_TEXT = /^ed25519:([A-Za-z0-9+/]{43}=)$/;

/** A public key as it stands in a configuration: `ed25519:` and 44 characters of base64. */
export function publicKeyText(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return `ed25519:${der.subarray(SPKI_PREFIX.length).toString('base64')}`;
}

export function parsePublicKey(textual: string): Result<{ keyId: string; key: KeyObject }> {
  const match = PUBLIC_KEY_TEXT.exec(textual);
  const raw = Buffer.from(match?.[1] ?? '', 'base64');
  if (raw.length !== 32) return fail('a command key reads ed25519: and 44 characters of base64');
  const key = createPublicKey({
    key: Buffer.concat([SPKI_PREFIX, raw]),
    format: 'der',
    type: 'spki',
  });
  return ok({ keyId: keyIdOf(textual), key });
}

/** The short name of a key: the first 8 bytes of the SHA-256 of its text form, in hex. */
export const keyIdOf = (textual: string): string =>
  createHash('sha256').update(textual).digest('hex').slice(0, 16);

export function signCommand(command: Command, privateKey: KeyObject): Uint8Array {
  const { arguments: args, ...fields } = command;
  const body = encodeRaw('Command', { ...fields, argumentsJson: JSON.stringify(args) });
  const signed: SignedCommand = {
    command: body,
    keyId: keyIdOf(publicKeyText(privateKey)),
    signature: sign(null, body, privateKey),
  };
  return encodeRaw('SignedCommand', signed);
}

type Raw = Readonly<Record<string, unknown>>;

function readHead(raw: Raw): Result<Common> {
  const common = {
    id: text(raw['id']),
    terminal: text(raw['terminal']),
    issuedMs: num(raw['issuedMs']),
    expiresMs: num(raw['expiresMs']),
    operator: text(raw['operator']),
    reason: text(raw['reason']),
    traceparent: text(raw['traceparent']),
  };
  if (!UUID_PATTERN.test(common.id)) return fail('command has no valid id');
  if (!isId(common.terminal)) return fail('command names no valid terminal');
  if (!Number.isSafeInteger(common.issuedMs)) return fail('command has no valid issue time');
  if (!Number.isSafeInteger(common.expiresMs)) return fail('command has no valid expiry');
  return ok(common);
}

function readCommand(data: Uint8Array): Result<Command> {
  const decoded = decodeRaw('Command', data, limits.COMMAND_BYTES_MAX);
  if (!decoded.ok) return decoded;
  const raw = decoded.value;
  const head = readHead(raw);
  if (!head.ok) return head;
  const args = readJson('command.arguments', text(raw['argumentsJson']));
  if (!args.ok) return args;
  const content = readContent(text(raw['kind']), args.value);
  return content.ok ? ok({ ...head.value, ...content.value }) : content;
}

/** Nobody whom this terminal believes has signed it. */
export const UNTRUSTED_KEY = 'command is signed by a key that is not trusted here';
export const BAD_SIGNATURE = 'command signature does not match';

/** @returns the bytes of the command, once somebody who is believed has signed them. */
function signedBody(data: Uint8Array, keys: ReadonlyMap<string, KeyObject>): Result<Uint8Array> {
  const raw = decodeRaw('SignedCommand', data, limits.COMMAND_BYTES_MAX);
  if (!raw.ok) return raw;
  const body = bytes(raw.value['command']);
  const key = keys.get(text(raw.value['keyId']));
  if (key === undefined) return fail(UNTRUSTED_KEY);
  const signature = bytes(raw.value['signature']);
  const isTheirs = signature.length === 64 && verify(null, body, key, signature);
  return isTheirs ? ok(body) : fail(BAD_SIGNATURE);
}

/**
 * Checks signature first, then content: nothing of an unsigned command is interpreted.
 * Audience and expiry are the caller's, because they need the terminal's name and clock.
 */
export function verifyCommand(
  data: Uint8Array,
  keys: ReadonlyMap<string, KeyObject>,
): Result<Command> {
  const body = signedBody(data, keys);
  return body.ok ? readCommand(body.value) : body;
}

/** Of a command that is believed, whatever it asks for: a newer broker may know more than we do. */
export function verifyHead(data: Uint8Array, keys: ReadonlyMap<string, KeyObject>): Result<Common> {
  const body = signedBody(data, keys);
  if (!body.ok) return body;
  const raw = decodeRaw('Command', body.value, limits.COMMAND_BYTES_MAX);
  return raw.ok ? readHead(raw.value) : raw;
}

export function encodeResultBody(results: readonly CommandResult[]): Uint8Array {
  return encodeRaw('ResultBody', {
    results: results.map(({ detail, ...result }) => ({
      ...result,
      detailJson: JSON.stringify(detail),
    })),
  });
}

/** One that this version does not know: only that result is left out, the ledger has it. */
const STATE_WORD = /^[a-z][a-z_]{0,31}$/;

export function decodeResultBody(data: Uint8Array): Result<CommandResult[]> {
  const raw = decodeRaw('ResultBody', data, limits.BODY_BYTES_MAX, limits.RESULTS_PER_BODY_MAX);
  if (!raw.ok) return raw;
  const entries = list(raw.value['results']);
  if (entries.length > limits.RESULTS_PER_BODY_MAX) return fail('body has too many results');
  const results: CommandResult[] = [];
  for (const entry of entries) {
    const state = COMMAND_STATES.find((known) => known === entry['state']);
    const commandId = text(entry['commandId']);
    if (state === undefined && STATE_WORD.test(text(entry['state']))) continue;
    if (state === undefined) return fail('result has no known state');
    if (!UUID_PATTERN.test(commandId)) return fail('result names no command');
    const detail = readJson('result detail', text(entry['detailJson']) || '{}');
    if (!detail.ok) return detail;
    results.push({
      commandId,
      state,
      reason: text(entry['reason']).slice(0, limits.REASON_CHARS_MAX),
      timeMs: num(entry['timeMs']),
      detail: typeof detail.value === 'object' && detail.value !== null ? { ...detail.value } : {},
    });
  }
  return ok(results);
}
