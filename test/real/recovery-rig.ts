// What tests of the recovery ladder share: components that fail a given number of times and then hold, hooks that leave
// a trace, and the questions that a technician asks over the till's own socket.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AskTill, tillIn } from '../../cli/till.ts';
import type { TillAnswer, TillComponent } from '../../protocol/till.ts';
import { FAULT, type LogLine, type Rig, until } from './agent-rig.ts';

/** Quick enough for a test; everything else as shipped. */
export const QUICK = { backoff: { minMs: 10, maxMs: 50, stableMs: 60_000 } } as const;

const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(' ');

/**
 * Becomes ready and dies a moment later for its first `failures` lives, or for ever; then it is well.
 * @param knobs of the fault component, for its good lives.
 */
export const flaky = (
  rig: Rig,
  name: string,
  failures: number,
  more: object = {},
  knobs: readonly string[] = [],
) => {
  const lives = join(rig.folder, `${name}.lives`);
  const program = quoted([process.execPath, FAULT]);
  const script = [
    `echo $$ >> '${lives}'`,
    `test -e '${join(rig.folder, `${name}.cured`)}' && exec ${program} ${quoted(knobs)}`,
    `test $(wc -l < '${lives}') -gt ${failures} && exec ${program} ${quoted(knobs)}`,
    `exec ${program} --live-ms 150 --exit 1`,
  ].join('\n');
  return { name, command: ['/bin/sh', '-c', script], version: '1.0.0', ...QUICK, ...more };
};

/** A hook that notes that it ran, and may do more. */
export const noting = (rig: Rig, name: string, more = 'true') => [
  '/bin/sh',
  '-c',
  `echo $TILLWATCH_HOOK $TILLWATCH_COMPONENT >> '${join(rig.folder, name)}'; ${more}`,
];

export const linesOf = (rig: Rig, name: string): string[] => {
  const path = join(rig.folder, name);
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').filter(Boolean) : [];
};

export const ask = (rig: Rig): AskTill => tillIn(join(rig.folder, 'run'));

/** As soon as the agent answers: it opens its socket a moment after it took over its components. */
export async function status(rig: Rig): Promise<TillAnswer> {
  for (let tries = 0; ; tries += 1) {
    const reply = await ask(rig)({ kind: 'status' });
    if (reply.ok) return reply.value as TillAnswer;
    if (tries > 100) throw new Error(reply.sentence);
    await new Promise((done) => setTimeout(done, 50));
  }
}

export async function component(rig: Rig, name: string): Promise<TillComponent> {
  const found = (await status(rig)).components.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no component ${name}`);
  return found;
}

/** The states of a component in their order, as its log tells them. */
export const course = (rig: Rig, name: string): string[] =>
  rig.lines(name).flatMap(({ to }) => (to === undefined ? [] : [to]));

/** Events of one kind about a component, as the agent's own log tells them. */
export const told = (rig: Rig, name: string, kind: string): LogLine[] =>
  rig.lines(name).filter(({ message }) => message.endsWith(`: ${kind}`));

export const toldOnce = (rig: Rig, name: string, kind: string, more: object = {}) =>
  until(`${name}: ${kind} ${JSON.stringify(more)}`, () =>
    told(rig, name, kind).find((line) =>
      Object.entries(more).every(([key, value]) => line[key] === value),
    ),
  );

/** @returns how many lines its log had by then. */
export async function killAgent(rig: Rig): Promise<number> {
  rig.agent?.kill('SIGKILL');
  await until('the agent is gone', () => rig.agent?.signalCode === 'SIGKILL');
  return rig.log().length;
}

export const quarantinedAfter = (rig: Rig, lines: number) =>
  until('it is given to a human', () =>
    rig
      .log()
      .slice(lines)
      .find(({ to }) => to === 'quarantined'),
  );
