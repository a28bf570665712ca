// Every way to hang that issue after issue of other supervisors tells of, in programs of three languages that know
// nothing of us beyond their probe, all at once under one agent with the settings that ship. Each must be found,
// healed, and told with the right cause and a reason; and nobody else may be touched meanwhile.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fault, isAlive, type LogLine, Rig, until } from '../real/agent-rig.ts';
import { type Patient, ward } from './patients/ward.ts';

type Case = Patient & { readonly cause: string; readonly reason: RegExp; readonly more?: object };

/** Spinning ones come one after the other: together they would starve the machine, which is another test. */
const SPIN_EVERY_MS = 14_000;
const UNANSWERED = /^\d+ probes in a row failed/;
const QUICKLY = 3_000;

const hangs: readonly Case[] = [
  ...(['node', 'python', 'shell'] as const).flatMap((language, at): Case[] => [
    {
      ...{ name: `${language}-spin`, language, mode: 'spin' },
      afterMs: QUICKLY + at * SPIN_EVERY_MS,
      ...{ cause: 'unresponsive', reason: UNANSWERED },
    },
    {
      ...{ name: `${language}-read-fifo`, language, mode: 'read-fifo', afterMs: QUICKLY },
      ...{ cause: 'unresponsive', reason: UNANSWERED },
    },
    {
      ...{ name: `${language}-wait-for-child`, language, mode: 'wait-for-child', afterMs: QUICKLY },
      ...{ cause: 'unresponsive', reason: UNANSWERED },
    },
    {
      ...{ name: `${language}-stop`, language, mode: 'stop', afterMs: QUICKLY },
      ...{ cause: 'unresponsive|hang', reason: /stopped/ },
    },
  ]),
  {
    ...{ name: 'node-deadlock', language: 'node', mode: 'deadlock', afterMs: QUICKLY },
    ...{ cause: 'unresponsive', reason: UNANSWERED },
  },
  {
    ...{ name: 'python-deadlock', language: 'python', mode: 'deadlock', afterMs: QUICKLY },
    ...{ cause: 'unresponsive', reason: UNANSWERED },
  },
  {
    ...{ name: 'node-starve-pool', language: 'node', mode: 'starve-pool', afterMs: QUICKLY },
    ...{ cause: 'unresponsive', reason: UNANSWERED },
  },
  {
    ...{ name: 'python-zombie', language: 'python', mode: 'zombie', afterMs: QUICKLY },
    ...{ cause: 'unresponsive|crash', reason: /./ },
  },
  {
    ...{ name: 'shell-escape', language: 'shell', mode: 'escape', afterMs: QUICKLY },
    ...{ cause: 'unresponsive|hang', reason: /stopped/ },
  },
  {
    ...{ name: 'shell-fork-bomb', language: 'shell', mode: 'fork-bomb', afterMs: QUICKLY },
    ...{ cause: 'unresponsive|hang', reason: /stopped/ },
  },
];

const MEMORY = { limits: { memoryBytes: 400_000_000, everyMs: 1_000 } };
const DESCRIPTORS = { limits: { descriptors: 500, everyMs: 1_000 } };
const leaks: readonly Case[] = (['node', 'python'] as const).flatMap((language): Case[] => [
  {
    ...{ name: `${language}-leak`, language, mode: 'leak', afterMs: QUICKLY },
    ...{ cause: 'memory', reason: /MB/, more: MEMORY },
  },
  {
    ...{ name: `${language}-leak-descriptors`, language, mode: 'leak-descriptors' },
    ...{ afterMs: QUICKLY, cause: 'memory', reason: /descriptors/, more: DESCRIPTORS },
  },
]);

/** Instrumented: what only a program that speaks to us can be asked. */
const instrumented = (folder: string) => {
  const once = (name: string) => [
    '--hang-after-ms',
    '3000',
    '--once',
    join(folder, `${name}.once`),
  ];
  return [
    fault('lying', ['--mode', 'lie', ...once('lying')]),
    fault('never', ['--mode', 'never', '--deadline-ms', '4000', ...once('never')]),
  ];
};

let rig: Rig;
beforeAll(async () => {
  rig = new Rig();
  const cases = [...hangs, ...leaks];
  const configured = await ward([...cases, ...WELL], rig.folder);
  const components = configured.map((one, at) => ({ ...one, ...cases[at]?.more }));
  rig.configure([...components, ...instrumented(rig.folder)]);
  void rig.start();
});
afterAll(() => rig.clean());

/** They are well, and are to stay so. */
const WELL: readonly Patient[] = (['node', 'python', 'shell'] as const).map((language) => {
  return { name: `${language}-well`, language, mode: 'well', afterMs: 0 };
});

const opened = (name: string): LogLine[] =>
  rig.lines(name).filter((line) => line.message.includes('incident opened'));

/** What it began with and what became of it, within two minutes. */
async function story(name: string) {
  const recovered = await until(
    `${name} is healed`,
    () => rig.lines(name).find((line) => line.message.endsWith('incident_recovered')),
    120_000,
  );
  const [first] = opened(name);
  if (first === undefined) throw new Error(`${name} recovered from nothing`);
  return { first, recovered, reason: first.message.split('incident opened: ')[1] ?? '' };
}

describe('a program that knows nothing of us', () => {
  for (const { name, cause, reason } of hangs) {
    it(`${name}: is found, healed, and told rightly`, async () => {
      const { first, recovered, reason: told } = await story(name);
      expect(first.cause).toMatch(new RegExp(`^(${cause})$`));
      expect(told).toMatch(reason);
      expect(recovered['attempts']).toBe(1);
      expect(rig.copies(name).length).toBeGreaterThanOrEqual(1);
    });
  }

  for (const { name, cause, reason } of leaks) {
    it(`${name}: is restarted before it falls over`, async () => {
      const restarted = await until(
        `${name} is restarted`,
        () => rig.lines(name).find((line) => line.to === 'stopping'),
        120_000,
      );
      expect(restarted.cause).toBe(cause);
      expect(restarted.message).toMatch(reason);
      await rig.ready(name, 2);
    });
  }
});

describe('an instrumented program', () => {
  it('whose worker beats for its stuck main thread is found out', async () => {
    const { first, reason } = await story('lying');
    expect(first.cause).toBe('hang');
    expect(reason).toContain('although beats arrive');
  });

  it('whose promise never settles is found by its work, while its loop turns', async () => {
    const { first, reason } = await story('never');
    expect(first.cause).toBe('stalled');
    expect(reason).toContain('work item never is overdue');
  });
});

describe('after all of that', () => {
  it('nobody who was well was touched', () => {
    for (const { name } of WELL) {
      expect(rig.lines(name).filter((line) => line.to === 'ready')).toHaveLength(1);
      expect(opened(name)).toEqual([]);
    }
  });

  it('each that hung failed once only, and nothing of its old life is left', async () => {
    for (const { name } of hangs) expect([name, opened(name).length]).toEqual([name, 1]);
    const lives = new Set(
      rig
        .log()
        .flatMap(({ message, instance }) =>
          message.includes(' started: ') ? [String(instance)] : [],
        ),
    );
    const newest = new Map<string, string>();
    for (const { component = '', message, instance } of rig.log()) {
      if (message.includes(' started: ')) newest.set(component, String(instance));
    }
    const present = new Set(newest.values());
    const old = [...lives].filter((instance) => !present.has(instance));
    await until('the old lives are gone', () => old.every((instance) => marked(instance) === 0));
  });
});

/** Living processes that carry this instance in their environment. */
function marked(instance: string): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
      return environment.includes(`TILLWATCH_INSTANCE=${instance}`) && isAlive(Number(pid));
    } catch {
      return false;
    }
  }).length;
}
