// What tests of drills share: the real verb against a real agent, and the report that it prints.

import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as v from 'valibot';
import { expect } from 'vitest';
import { type DrillReport, drillReportSchema } from '../../protocol/drill.ts';
import { fault, type Rig } from './agent-rig.ts';
import { plainEnvironment } from './plain-environment.ts';
import { status } from './recovery-rig.ts';

export type Ran = { readonly exit: number; readonly out: string; readonly err: string };

export const tillwatch = (env: Record<string, string>, ...argv: string[]): Promise<Ran> =>
  new Promise((done) => {
    const child = execFile(
      process.execPath,
      [resolve('cli/tillwatch.ts'), ...argv],
      { env: { ...plainEnvironment, ...env }, timeout: 300_000 },
      (_error, out, err) => done({ exit: child.exitCode ?? -1, out, err }),
    );
  });

export const drill = (rig: Rig, ...argv: string[]): Promise<Ran> =>
  tillwatch({ TILLWATCH_RUN_DIR: join(rig.folder, 'run') }, 'drill', ...argv);

export const reportOf = ({ out }: Ran): DrillReport => v.parse(drillReportSchema, JSON.parse(out));

/** Runs it to its end. @returns its report and how the verb ended. */
export async function drilled(
  rig: Rig,
  ...argv: string[]
): Promise<DrillReport & { exit: number }> {
  const ran = await drill(rig, ...argv, '--json');
  try {
    return { ...reportOf(ran), exit: ran.exit };
  } catch {
    throw new Error(`no report: exit ${ran.exit}, ${ran.err}${ran.out.slice(0, 1_000)}`);
  }
}

/** Everything that carries the mark of the drill. */
export const guests = (rig: Rig): number[] => rig.copies('drill');

/** A till with one component on which drills are allowed, once that is ready. @returns its process. */
export async function till(rig: Rig, more: object = {}, sale: object = fault('sale')) {
  rig.configure([sale], { drills: true, ...more });
  void rig.start();
  const pid = await rig.ready('sale');
  await status(rig);
  return pid;
}

export const inRunDir = (rig: Rig, name: string): string => join(rig.folder, 'run', name);

export function expectNothingLeft(rig: Rig): void {
  expect(guests(rig)).toEqual([]);
  for (const name of ['drill.json', 'drill.failed']) {
    expect(existsSync(inRunDir(rig, name))).toBe(false);
  }
  const logs = join(rig.folder, 'data', 'logs', 'drill');
  expect(existsSync(logs) ? readdirSync(logs) : []).toEqual([]);
}
