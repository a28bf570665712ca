// Starts the program that asks for a certificate, gives it its job and hears its answer. Its input stays open for as long
// as we live: it ends with us. Its output is bounded and comes through a pipe, because it is short and ends.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { type Done, doneSchema, JOB_MS_MAX, type Job, LINE_BYTES_MAX } from '../identity/job.ts';
import { machineOf } from '../identity/machine.ts';
import type { Cancel, Timers } from '../ports.ts';
import { codeOf, realFiles } from './files.ts';
import { bare } from './privileges.ts';

/** It ends by itself before. */
const PATIENCE_MS = JOB_MS_MAX + 10_000;

/** The source beside this one, or what was built: the agent is a file in dist/ or, in the command line, in dist/parts/. */
function programPath(here = import.meta.url): string {
  const places = here.endsWith('.ts') ? ['../enrol-main.ts'] : ['enrol.mjs', '../enrol.mjs'];
  const paths = places.map((place) => fileURLToPath(new URL(place, here)));
  return paths.find((path) => existsSync(path)) ?? paths[0] ?? '';
}

const environment = (): Record<string, string> =>
  Object.fromEntries(
    ['PATH', 'HOME'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

function read(line: string): Result<Done> {
  try {
    const done = v.safeParse(doneSchema, JSON.parse(line));
    if (done.success) return ok(done.output);
  } catch {
    // Half a line, or none.
  }
  return fail('the program that enrols ended without an answer');
}

export type EnrolChild = { readonly done: Promise<Result<Done>>; readonly stop: Cancel };

/** Never rejects; `stop` ends it. */
export function startEnrol(job: Job, timers: Timers, program = programPath()): EnrolChild {
  let stop: Cancel = () => undefined;
  const done = new Promise<Result<Done>>((resolve) => {
    let output = '';
    const told = bare([process.execPath, program], environment());
    if (!told.ok) return resolve(told);
    const [node = '', ...rest] = told.value.command;
    const child = spawn(node, rest, {
      env: told.value.env,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const finish = (result: Result<Done>): void => {
      cancel();
      child.kill('SIGKILL');
      resolve(result);
    };
    const cancel = timers.after(PATIENCE_MS, () => finish(fail('the program that enrols hangs')));
    stop = () => finish(fail('the agent ends'));
    child.once('error', (error) => finish(fail(`cannot start ${program}: ${codeOf(error)}`)));
    child.stdin.on('error', () => undefined);
    child.stdin.write(`${JSON.stringify(job)}\n`);
    child.stdout.setEncoding('utf8');
    child.stdout.on('error', () => undefined);
    child.stdout.on('data', (text: string) => {
      output += text;
      const end = output.indexOf('\n');
      if (end >= 0) finish(read(output.slice(0, end)));
      else if (output.length > LINE_BYTES_MAX) finish(read(''));
    });
    child.once('close', () => finish(read(output)));
  });
  return { done, stop: () => stop() };
}

/** Hex of what names this machine [machine-id(5)]; without one, its name and network addresses. */
export function readMachine(): string {
  const macs = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal)
    .map(({ mac }) => mac)
    .toSorted();
  return machineOf([realFiles.read('/etc/machine-id') ?? '', [hostname(), ...macs].join(' ')]);
}
