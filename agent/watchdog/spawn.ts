// Starts one component: refuse while a copy lives, sweep what an earlier life left, write the record, start
// the shim, learn the pids from its pid file, write the record again. The record comes before the process,
// never after, so that there is no moment at which an agent could die and leave a process without a trace.

import { dirname, join } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { EndWatch, Life } from './end-watch.ts';
import {
  amend,
  type Context,
  delay,
  newRecord,
  pidsOf,
  placeOf,
  type SpawnSpec,
  sweepLeftovers,
  watch,
} from './hands.ts';
import { identify } from './identity.ts';
import { lifeByInstance, locate, type Place } from './locate.ts';
import { readRecord, recordPath, writeRecord } from './record.ts';
import { type Exit, parsePidFile, pidFile, SHIM_FILE, shimCommand } from './shim.ts';
import { DATA_MARK } from './strays.ts';
import { INSTANCE_MARK, killTree } from './tree.ts';

/** Until the shim has written its pid file: 4 ms on an idle machine, seconds on a starved one. */
const PIDS_WAIT_MS_MAX = 10_000;
const PID_LOOKS_MS = [1, 1, 2, 2, 5, 10, 20] as const;

const NAME = /^(?!\.{1,2}$)[^/\0]{1,128}$/;

/** After so many looks a pid file that is there and says nothing will never say anything. */
const EMPTY_LOOKS_MAX = 10;

function prepare(context: Context, spec: SpawnSpec, place: Place): Result<void> {
  const { log } = context;
  const { files } = context.ports;
  if (spec.cwd !== undefined && !files.isDirectory(spec.cwd)) {
    return fail(`its working directory ${spec.cwd} does not exist`);
  }
  for (const name of files.list(place.dir)) {
    if (SHIM_FILE.test(name)) files.remove(join(place.dir, name));
  }
  const made = files.makeDirectory(place.dir, 0o700);
  if (!made.ok) return made;
  // Where this fails, the start says that the output is lost; the component runs all the same.
  files.makeDirectory(dirname(spec.logFile), 0o700);
  const written = writeRecord(files, place.dir, newRecord(spec, context.ports));
  if (!written.ok) {
    // Something has filled /run: no reason to give a till up. The process is found by its marks then, as long as
    // no record of another life is believed.
    log.error(`control: ${written.reason}`, { component: spec.component });
    files.remove(recordPath(place.dir));
  }
  return ok(undefined);
}

/** Its shim has written down who it is; or could not, as /run is full, and is asked by its marks. */
async function findPids(
  { ports }: Context,
  place: Place,
  { instance }: SpawnSpec,
  hasEnded: () => boolean,
): Promise<{ readonly pid: number } | undefined> {
  const untilMs = ports.clock.monotonicMs() + PIDS_WAIT_MS_MAX;
  let empty = 0;
  for (let look = 0; ; look += 1) {
    const ended = hasEnded(); // before the read: what it wrote last must be seen
    const text = ports.files.read(pidFile(place.dir, instance), 64);
    const pids = parsePidFile(text);
    if (pids !== undefined) return pids;
    if (text !== undefined) empty += 1;
    const marked = empty > EMPTY_LOOKS_MAX ? lifeByInstance(ports, place, instance) : undefined;
    if (marked !== undefined) return marked;
    if (ended || ports.clock.monotonicMs() >= untilMs) return undefined;
    await delay(ports, PID_LOOKS_MS[look] ?? 20);
  }
}

async function start(
  context: Context,
  spec: SpawnSpec,
  onExit: (exit: Exit) => void,
): Promise<Result<Life>> {
  const { ports } = context;
  const place = placeOf(context, spec.component);
  const { component, instance, token, logFile, version, launch } = spec;
  let shimExit: { status: number | undefined } | undefined;
  let watching: EndWatch | undefined;
  const startedMs = ports.clock.wallMs();
  const { dataDir } = context;
  const marks = {
    [INSTANCE_MARK]: instance,
    ...(dataDir === undefined ? {} : { [DATA_MARK]: dataDir }),
  };
  const started = await ports.processes.start(
    {
      command: shimCommand(place.dir, instance, spec.command),
      // The shim passes SIGTERM on, also to another user's process.
      ownWords: shimCommand(place.dir, instance, []).length,
      as: spec.as,
      env: { ...spec.env, ...marks },
      cwd: spec.cwd,
      logFile,
    },
    (status) => {
      shimExit = { status };
      watching?.shimExited(status);
    },
  );
  if (!started.ok) return started;
  const { outputLost } = started.value;
  if (outputLost !== undefined) {
    context.log.warn(`${component}: its output is not kept: ${outputLost}`, { component, logFile });
  }
  const shim = identify(ports, started.value.pid);
  const pids = await findPids(context, place, spec, () => shimExit !== undefined);
  if (pids === undefined) {
    await killTree(ports, { instance, main: shim, shim });
    return fail(`its shim ended or stuck before it could start it; see ${logFile}`);
  }
  const main = identify(ports, pids.pid);
  const ids = { pid: main.pid, shimPid: shim.pid, main, shim };
  const about = { component, instance, token, logFile, startedMs, version, launch };
  const life: Life = { ...about, ...ids };
  amend(context, life, { phase: 'running', pids: pidsOf(life) });
  watching = watch(context, life, onExit);
  if (shimExit !== undefined) watching.shimExited(shimExit.status);
  return ok(life);
}

async function spawnAlone(
  context: Context,
  spec: SpawnSpec,
  onExit: (exit: Exit) => void,
): Promise<Result<Life>> {
  const place = placeOf(context, spec.component);
  const isRecorded = typeof readRecord(context.ports.files, place.dir) === 'object';
  // Without its record, a child that outlived the last instance would pass for a copy.
  if (!isRecorded) await sweepLeftovers(context, place);
  const found = locate(context.ports, place);
  if (found.kind === 'alive') return fail(`a copy of it already runs as pid ${found.life.pid}`);
  if (found.kind === 'starting') return fail('a copy of it is already starting');
  if (isRecorded) await sweepLeftovers(context, place);
  await spec.beforeStart?.();
  const prepared = prepare(context, spec, place);
  if (!prepared.ok) return prepared;
  const started = await start(context, spec, onExit);
  if (!started.ok) {
    const record = { ...newRecord(spec, context.ports), phase: 'ended' } as const;
    writeRecord(context.ports.files, place.dir, record);
  }
  return started;
}

export async function spawn(
  context: Context,
  spec: SpawnSpec,
  onExit: (exit: Exit) => void,
): Promise<Result<Life>> {
  const { component, instance } = spec;
  if (!NAME.test(component) || !NAME.test(instance)) return fail('its name cannot be a file name');
  const watched = context.watches.get(component);
  if (watched !== undefined) return fail(`a copy of it already runs as pid ${watched.life.pid}`);
  if (context.busy.has(component)) return fail('a copy of it is already starting');
  context.busy.add(component);
  try {
    return await spawnAlone(context, spec, onExit);
  } finally {
    context.busy.delete(component);
  }
}
