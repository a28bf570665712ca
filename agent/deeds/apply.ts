// Takes a version of the fleet's configuration: compared with its digest, read with the till's own file by the reader
// that reads it at every start, and refused with all that is wrong before anything is touched. What then becomes
// of it is the trial's (configuration/machine.ts); the result comes when that is over, from a later agent.

import { inflateRawSync } from 'node:zlib';
import {
  type AgentConfig,
  formatProblem,
  loadConfig,
  type Problem,
} from '../../configuration/config.ts';
import { readDocument } from '../../configuration/fleet.ts';
import { patternProblems } from '../../configuration/patterns.ts';
import { CONFIGURATION_BYTES_MAX, REASON_CHARS_MAX } from '../../protocol/limits.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { differenceOf } from '../configuration/difference.ts';
import { digestOf } from '../configuration/store.ts';
import { dependants } from '../watchdog/plan.ts';
import type { Desk, Of } from './types.ts';

const NO_FILE = 'this agent was started without a file of its own, and takes no configuration';

export const impossible = (_: Of<'apply'>, { rooms }: Desk): string | undefined =>
  rooms.configuration === undefined ? NO_FILE : undefined;

/** The text as its author wrote it. */
export function unpack({ packed, sha256 }: Of<'apply'>['arguments']): Result<string> {
  let bytes: Buffer;
  try {
    const maxOutputLength = CONFIGURATION_BYTES_MAX;
    bytes = inflateRawSync(Buffer.from(packed, 'base64'), { maxOutputLength });
  } catch {
    return fail(
      `the document cannot be unpacked, or has more than ${CONFIGURATION_BYTES_MAX} bytes`,
    );
  }
  const text = bytes.toString('utf8');
  const found = digestOf(text);
  if (found === sha256) return ok(text);
  return fail(`the document is not what was signed for: its SHA-256 is ${found}`);
}

/** As many whole problems as fit, and how many there are. */
export function refusal(problems: readonly string[]): string {
  const many = `${problems.length} problems: `;
  const head = problems.length > 1 ? many : '';
  let text = head;
  for (const [index, problem] of problems.entries()) {
    const next = `${text}${index === 0 ? '' : '; '}${problem}`;
    if (next.length > REASON_CHARS_MAX - 10) return `${text.slice(0, REASON_CHARS_MAX - 10)}; ...`;
    text = next;
  }
  return text;
}

const PASSWD = '/etc/passwd';
const PASSWD_BYTES_MAX = 1024 * 1024;

/** Root under another name of it [passwd(5)], which the reader of the document cannot know. */
export function rootsIn(
  { components, bounds }: Pick<AgentConfig, 'components' | 'bounds'>,
  passwd: string | undefined,
): Problem[] {
  const people = (passwd ?? '').split('\n').map((line) => line.split(':'));
  const roots = people.flatMap(([name, , uid]) => (Number(uid || 1) === 0 && name ? [name] : []));
  return components.flatMap(({ user = 'root' }, index) =>
    user === 'root' || !roots.includes(user) || bounds.users?.includes(user)
      ? []
      : [
          {
            path: `components[${index}].user`,
            sentence: `${user} is root on this till, which the till's own file does not list in bounds.users`,
          },
        ],
  );
}

function bringsComponents(text: string): boolean {
  const read = readDocument(text);
  return read.ok && read.value.components !== undefined;
}

type Read = { readonly text: string; readonly config: AgentConfig };
/** `isOwn`: the till's own file is wrong by now, which is not the document's fault. */
type Wrong = { readonly problems: readonly string[]; readonly isOwn?: boolean };

function read(command: Of<'apply'>, { rooms }: Desk): Read | Wrong {
  const unpacked = unpack(command.arguments);
  if (!unpacked.ok) return { problems: [unpacked.reason] };
  const own = rooms.configuration?.own;
  if (own === undefined) return { problems: [NO_FILE], isOwn: true };
  // As the next agent will read it, whoever has edited it meanwhile.
  const ownText = rooms.ports.files.read(own.path, CONFIGURATION_BYTES_MAX) ?? own.text;
  const alone = loadConfig(ownText, own.folder);
  if (!alone.ok) {
    const problems = alone.problems.map((one) => `the till's own file: ${formatProblem(one)}`);
    return { problems, isOwn: true };
  }
  const loaded = loadConfig(ownText, own.folder, unpacked.value);
  if (!loaded.ok) return { problems: loaded.problems.map(formatProblem) };
  const roots = rootsIn(loaded.config, rooms.ports.files.read(PASSWD, PASSWD_BYTES_MAX));
  if (roots.length > 0 && bringsComponents(unpacked.value)) {
    return { problems: roots.map(formatProblem) };
  }
  return { text: unpacked.value, config: loaded.config };
}

/** Whom it stops, and who needs them. */
export function touches(command: Of<'apply'>, desk: Desk): readonly string[] {
  const found = read(command, desk);
  if ('problems' in found) return [];
  const { config } = desk.rooms;
  const { changed, removed } = differenceOf(config, found.config);
  const items = config.components.map(({ name, after }) => ({ name, after }));
  return [...changed, ...removed].flatMap((name) => [name, ...dependants(items, name)]);
}

/** What takes the whole till at the moment: a trial would be judged by it. */
function busyWith({ supervisor, drills }: Desk): string | undefined {
  const { operation } = supervisor;
  if (operation !== undefined) {
    return `the till is in the middle of a recovery (${operation.rung} for ${operation.component}): send it again`;
  }
  return drills.isRunning ? 'a drill is under way: send it again when it is over' : undefined;
}

export async function run(command: Of<'apply'>, desk: Desk): Promise<void> {
  const { id, arguments: args } = command;
  const { rooms, done } = desk;
  const { configuration } = rooms;
  const busy = busyWith(desk);
  const found = read(command, desk);
  const isWrong = 'problems' in found;
  if (configuration === undefined || busy !== undefined || (isWrong && found.isOwn === true)) {
    done(id, false, busy ?? (isWrong ? refusal(found.problems) : NO_FILE));
    return;
  }
  const { name, version, sha256, readyMs } = args;
  const document = { name, version, sha256 };
  const problems = isWrong
    ? found.problems
    : (await patternProblems(found.config)).map(formatProblem);
  if (isWrong || problems.length > 0) configuration.refuse(document, id, refusal(problems));
  else configuration.receive(document, id, found, readyMs);
}
