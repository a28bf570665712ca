// Writes an archive so that the same input gives the same bytes, whoever made it and when: entries in order, one
// time for all, owner root by number, modes from a list and not from the maker's disk. Its sums lie inside as well,
// for install.sh to check what arrived, and beside it, for whoever passes it on.

import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Any would do; this one is no till's clock that went wrong. */
const MADE = new Date('2000-01-01T00:00:00Z');

export async function sha256File(path) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

function place(stage, { path, from, text, isProgram }) {
  const to = join(stage, path);
  mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
  if (text === undefined) copyFileSync(from, to);
  else writeFileSync(to, text);
  chmodSync(to, isProgram ? 0o755 : 0o644);
  return to;
}

/** In the order of sha256sum(1), whose `-c` reads it. */
export async function sumsText(named) {
  const lines = [];
  for (const { name, path } of named) lines.push(`${await sha256File(path)}  ${name}\n`);
  return lines.join('');
}

/** What a run that was killed has left; one that still runs keeps its own. */
export function sweepStages(folder) {
  for (const name of readdirSync(folder).filter((left) => left.startsWith('.stage-'))) {
    const [, pid] = name.split('-');
    if (existsSync(`/proc/${pid}`)) continue;
    rmSync(join(folder, name), { recursive: true, force: true });
  }
}

const noteOf = (to) => join(dirname(to), `.${basename(to)}.json`);

/** Of what goes in, with its names and modes: the same digest, the same archive. */
async function digestOf(parts) {
  const hash = createHash('sha256');
  for (const { path, from, text, isProgram } of parts) {
    const sum = text === undefined ? await sha256File(from) : text;
    hash.update(`${JSON.stringify([path, isProgram, sum])}\n`);
  }
  return hash.digest('hex');
}

/** Of an archive that was made, by its own bytes and by what would go into it now. */
export async function isCurrent(to, parts, level) {
  try {
    const made = JSON.parse(readFileSync(noteOf(to), 'utf8'));
    if (made.level < level || made.archive !== (await sha256File(to))) return false;
    return made.parts === (await digestOf(parts));
  } catch {
    return false; // not made yet, or nobody knows from what
  }
}

export async function noteMade(to, parts, level) {
  const made = { level, archive: await sha256File(to), parts: await digestOf(parts) };
  writeFileSync(`${noteOf(to)}.${process.pid}`, JSON.stringify(made));
  renameSync(`${noteOf(to)}.${process.pid}`, noteOf(to));
}

/** @returns nothing; `to` is there as a whole or not at all */
export async function writeArchive({ to, name, parts, level }) {
  const { create } = await import('tar');
  const stage = mkdtempSync(join(dirname(to), `.stage-${process.pid}-`));
  try {
    const inside = join(stage, name);
    const named = parts.map((part) => ({ name: part.path, path: place(inside, part) }));
    const text = await sumsText(named);
    place(inside, { path: 'SHA256SUMS', text, isProgram: false });
    const files = [...parts.map(({ path }) => path), 'SHA256SUMS'].sort();
    // Folders are not entries of their own: whoever unpacks makes them, with the modes that suit there.
    const paths = files.map((path) => `${name}/${path}`);
    const file = join(stage, 'archive');
    const gzip = { level, portable: true };
    const own = { portable: true, mtime: MADE, noDirRecurse: true };
    await create({ file, cwd: stage, gzip, ...own, jobs: 1 }, paths);
    renameSync(file, to);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}
