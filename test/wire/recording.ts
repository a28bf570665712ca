// What a recording is: the messages of one version of agent and broker as they went over the wire, one JSON line each,
// and a manifest with what they said in the words of that version. Application messages and not TCP, because packets are
// MQTT's business, and what has to be understood for ever is what travels in them. Bytes are base64, so that a
// recording is text, can be looked at and is stored once.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandState } from '../../protocol/commands.ts';
import type { Stream } from '../../protocol/wire.ts';

export const FOLDER = import.meta.dirname;
/** How a recording is made, as a test says it to whoever lacks one. */
export const COMMAND = 'node test/wire/record.ts';

/** One message. `made`: by the version's own encoders and not in a session, because nothing cheap causes it. */
export type Line =
  | { readonly what: 'connect'; readonly client: string; readonly user?: string }
  | { readonly what: 'batch'; readonly stream: Stream; readonly data: string }
  | { readonly what: 'ack'; readonly data: string }
  | { readonly what: 'command'; readonly data: string }
  | {
      readonly what: 'https';
      readonly path: string;
      readonly asked: Record<string, unknown>;
      readonly status: number;
      readonly answer: Record<string, unknown>;
    };

/** What the lines say, in the words of the version that sent them. */
export type Told = {
  /** id, kind, component, time. */
  readonly events: readonly (readonly [string, string, string, number])[];
  readonly results: readonly (readonly [string, CommandState])[];
  /** Trace and span. */
  readonly spans: readonly (readonly [string, string])[];
  readonly samples: number;
  /** The newest value of each series: name with labels, value. */
  readonly newest: Readonly<Record<string, number>>;
  /** Answers to requests for logs: bytes, and the digest of all of them. */
  readonly logs: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
  /** Components that the last inventory names, with their versions. */
  readonly components: Readonly<Record<string, string>>;
  /** id and kind of signed commands. */
  readonly commands: readonly (readonly [string, string])[];
};

export type Session = {
  readonly name: string;
  readonly terminal: string;
  /** Public keys that its commands are signed with. */
  readonly commandKeys: readonly string[];
  /** Of the machine that recorded, when it ended. */
  readonly endedMs: number;
  readonly told: Told;
};
export type Recorded = Session & { readonly version: string; readonly lines: readonly Line[] };

export const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
export const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** One session a line. */
const MANIFEST = 'manifest.jsonl';

/** Replaces what was there of this version. */
export function writeRecording(
  version: string,
  sessions: readonly (Session & { readonly lines: readonly Line[] })[],
): string {
  const folder = join(FOLDER, version);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { name, lines } of sessions) {
    writeFileSync(
      join(folder, `${name}.jsonl`),
      lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    );
  }
  const told = sessions.map(({ lines: _, ...session }) => `${JSON.stringify(session)}\n`);
  writeFileSync(join(folder, MANIFEST), told.join(''));
  return folder;
}

export const versions = (): string[] =>
  readdirSync(FOLDER, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();

export function readRecording(version: string): readonly Recorded[] {
  const folder = join(FOLDER, version);
  const linesOf = (name: string): string[] =>
    readFileSync(join(folder, name), 'utf8').trim().split('\n');
  const sessions = linesOf(MANIFEST).map((line) => JSON.parse(line) as Session);
  return sessions.map((session) => {
    const lines = linesOf(`${session.name}.jsonl`).map((line) => JSON.parse(line) as Line);
    return { ...session, version, lines };
  });
}

/** Everything that is kept, of every version. */
export const recordings = (): readonly Recorded[] => versions().flatMap(readRecording);
