// The audit log as whoever checks it sees it, wherever it lies: in the broker's database, in an export, in an answer.
// Each entry carries a hash over itself and the one before, and a signed head names the newest entry, its hash and how
// many there are. So a changed byte breaks the chain, and a cut end or beginning does not fit the head. An older head
// that somebody kept elsewhere proves besides that history up to it is what it was. Pure: it reads nothing.

import { createHash, type KeyObject, sign, verify } from 'node:crypto';
import * as v from 'valibot';
import { parsePublicKey, publicKeyText } from './commands.ts';
import { fail, ok, type Result } from './result.ts';

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const timeMs = v.pipe(v.number(), v.safeInteger());
const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

/** One entry; `detail` is the JSON that was hashed, to the byte. */
export const auditLinkSchema = v.object({
  ...{ id: count, timeMs, operator: v.string(), action: v.string(), subject: v.string() },
  ...{ reason: v.string(), outcome: v.string(), detail: v.string(), hash },
});
export type AuditLink = v.InferOutput<typeof auditLinkSchema>;

export const auditHeadSchema = v.object({
  /** Of the newest entry, and how many there were when it was signed. */
  ...{ id: count, hash: v.union([hash, v.literal('')]), timeMs, count },
  /** Public half of the key that signed, as protocol/commands.ts writes it. */
  key: v.pipe(v.string(), v.maxLength(100)),
  /** Ed25519, base64. */
  signature: v.pipe(v.string(), v.maxLength(100)),
});
export type AuditHead = v.InferOutput<typeof auditHeadSchema>;

/** What was kept long enough and deleted: the last of it. Id 0 and no hash: nothing was. */
export const auditGoneSchema = v.object({
  until: count,
  hash: v.union([hash, v.literal('')]),
});
export type AuditGone = v.InferOutput<typeof auditGoneSchema>;

/** What the broker writes when it finds its own log changed; nobody else can, the action is its own. */
export const BROKEN_ACTION = 'audit.broken';
/** Entries that it did not sign stood behind the newest head. */
export const UNSIGNED_ACTION = 'audit.unsigned';
/** The broker was restored from a backup: what it had written since is not there. Its detail says since when. */
export const RESTORE_ACTION = 'broker.restore';
/** Another key signs from here on; its detail names the one before. */
export const KEY_ACTION = 'audit.key';
const PROBLEMS_MAX = 20;

export const auditHash = (before: string, entry: Omit<AuditLink, 'id' | 'hash'>): string =>
  createHash('sha256')
    .update(
      JSON.stringify([
        ...[before, entry.timeMs, entry.operator, entry.action, entry.subject],
        ...[entry.reason, entry.outcome, entry.detail],
      ]),
    )
    .digest('hex');

/** What is signed; the words in front keep it from being anything else that a key could sign. */
const headBytes = (head: Omit<AuditHead, 'key' | 'signature'>): Buffer =>
  Buffer.from(`tillwatch audit head 1\n${head.id}\n${head.hash}\n${head.timeMs}\n${head.count}\n`);

export function signHead(
  head: Omit<AuditHead, 'key' | 'signature'>,
  privateKey: KeyObject,
): AuditHead {
  const signature = sign(null, headBytes(head), privateKey).toString('base64');
  return { ...head, key: publicKeyText(privateKey), signature };
}

/** @returns why it is not to be believed. */
export function doubtHead(head: AuditHead, keys: readonly string[]): string | undefined {
  if (!keys.includes(head.key)) return `is signed by another key, ${head.key.slice(0, 60)}`;
  const key = parsePublicKey(head.key);
  if (!key.ok) return key.reason;
  const bytes = Buffer.from(head.signature, 'base64');
  // Node reads more than one text as the same bytes.
  if (bytes.toString('base64') !== head.signature) return 'has a changed signature';
  return verify(null, headBytes(head), key.value.key, bytes) ? undefined : 'is not signed as it is';
}

export function readHead(text: string): Result<AuditHead> {
  try {
    const read = v.safeParse(auditHeadSchema, JSON.parse(text));
    if (read.success) return ok(read.output);
  } catch {
    // Told below.
  }
  return fail('this is no head of an audit log: take one with "tillwatch audit head"');
}

/** @param id of the entry, where it is about one. */
export type AuditProblem = { readonly id?: number; readonly sentence: string };
export type AuditProof = {
  readonly entries: number;
  /** The newest entry. */
  readonly id: number;
  readonly hash: string;
  /** The first PROBLEMS_MAX of them; none: nothing was changed. */
  readonly problems: readonly AuditProblem[];
  /** What a person should know and nobody did wrong. */
  readonly notes: readonly string[];
};

export type AuditCheckOptions = {
  readonly gone: AuditGone;
  /** All that lie beside the entries. */
  readonly heads: readonly AuditHead[];
  /** Keys that are believed, in text form. */
  readonly keys: readonly string[];
  /** One that was kept elsewhere. */
  readonly kept?: AuditHead | undefined;
};

type Told = (sentence: string, id?: number) => void;

/** Of two heads of one entry the later one counts fewer: entries went since. */
export const newestHead = (heads: readonly AuditHead[]): AuditHead | undefined =>
  heads.toSorted((a, b) => b.id - a.id || a.count - b.count)[0];

/** What a broker that was restored says of it. */
const restoreSchema = v.object({ backupMs: timeMs, restoredMs: timeMs, newestAudit: count });
type Restore = v.InferOutput<typeof restoreSchema>;

function readRestore({ action, detail }: Pick<AuditLink, 'action' | 'detail'>): Restore[] {
  if (action !== RESTORE_ACTION) return [];
  try {
    const read = v.safeParse(restoreSchema, JSON.parse(detail));
    return read.success ? [read.output] : [];
  } catch {
    return [];
  }
}

const timeOf = (ms: number): string => new Date(ms).toISOString();

/** Of a head that was kept and is of entries that went with the broker of before. */
function lostWith(restores: readonly Restore[], kept: AuditHead | undefined): string | undefined {
  const restore = restores.find(
    ({ newestAudit, restoredMs }) => kept && kept.id > newestAudit && kept.timeMs <= restoredMs,
  );
  if (restore === undefined || kept === undefined) return undefined;
  const { newestAudit, backupMs, restoredMs } = restore;
  return (
    `the head that was kept is of ${timeOf(kept.timeMs)}: the broker was restored at ` +
    `${timeOf(restoredMs)} from a backup of ${timeOf(backupMs)}, and entries ${newestAudit + 1} to ` +
    `${kept.id} of then are lost`
  );
}

const span = (first: number, last: number): string =>
  first === last ? `entry ${first} is` : `entries ${first} to ${last} are`;

function checkHeads(
  { gone, heads, keys, kept }: AuditCheckOptions,
  end: number,
  tell: Told,
  lost: string | undefined,
): void {
  for (const head of kept === undefined ? heads : [...heads, kept]) {
    const doubt = doubtHead(head, keys);
    const name = head === kept ? 'the head that was kept' : 'the head';
    if (doubt !== undefined) tell(`${name} of entry ${head.id} ${doubt}`);
    if (head.id - head.count > gone.until) {
      tell(`entries from before ${head.id - head.count + 1} came back`, head.id);
    }
    if (head.id === gone.until && head.hash !== gone.hash) {
      tell(`${name} of entry ${head.id} says another hash`, head.id);
    }
    if (head === kept && head.id < gone.until) {
      tell(
        `the head that was kept is of entry ${head.id}, which is deleted: it proves nothing now`,
      );
    }
  }
  const newest = newestHead(heads);
  const last = Math.max(newest?.id ?? 0, lost === undefined ? (kept?.id ?? 0) : 0);
  if (lost !== undefined) tell(lost, kept?.id ?? 0);
  if (last > end) tell(`${span(end + 1, last)} missing at the end`, end + 1);
  if (newest === undefined) {
    if (end > 0) tell('there is no signed head');
  } else if (newest.id < end) tell(`${span(newest.id + 1, end)} not signed`, newest.id + 1);
  else if (newest.id === end && newest.count !== end - gone.until) {
    const missing = newest.count - (end - gone.until);
    tell(`the head counts ${newest.count} entries: ${missing} are missing at the beginning`);
  }
}

/** Give it every entry, the oldest first, then ask. */
export function createAuditCheck(options: AuditCheckOptions) {
  const { gone, heads, keys, kept } = options;
  const problems: AuditProblem[] = [];
  const notes: string[] = [];
  const tell: Told = (sentence, id) => {
    if (problems.length < PROBLEMS_MAX)
      problems.push(id === undefined ? { sentence } : { id, sentence });
  };
  const said = new Map<number, AuditHead[]>();
  for (const head of kept === undefined ? heads : [...heads, kept]) {
    said.set(head.id, [...(said.get(head.id) ?? []), head]);
  }
  let at = gone.until;
  let before = gone.hash;
  let entries = 0;
  const restores: Restore[] = [];
  /** What the broker wrote of the log itself. */
  const judgeOwn = ({ id, action, outcome, detail }: AuditLink): void => {
    for (const { backupMs, restoredMs } of readRestore({ action, detail })) {
      notes.push(
        `the broker was restored at ${timeOf(restoredMs)} from a backup of ${timeOf(backupMs)}: ` +
          `what was written between is not here (entry ${id})`,
      );
    }
    if (action === BROKEN_ACTION || action === UNSIGNED_ACTION) {
      tell(`the broker noticed at entry ${id}: ${outcome}`, id);
    } else if (action === KEY_ACTION) {
      const isKnown = keys.some((key) => detail === JSON.stringify({ key }));
      if (isKnown) notes.push(`another key signs since entry ${id}`);
      else tell(`another key signs since entry ${id} (${outcome}): give both with --key`, id);
    }
  };
  return {
    take: (link: AuditLink): void => {
      if (link.id > at + 1) tell(`${span(at + 1, link.id - 1)} missing`, link.id);
      else if (link.id !== at + 1) tell(`entry ${link.id} is out of its order`, link.id);
      if (auditHash(before, link) !== link.hash) {
        tell(`entry ${link.id} was changed, or what stood before it`, link.id);
      }
      restores.push(...readRestore(link));
      for (const head of said.get(link.id) ?? []) {
        if (head.hash === link.hash) continue;
        // Told once, at the end.
        if (head === kept && lostWith(restores, kept) !== undefined) continue;
        const name = head === kept ? 'the head that was kept' : 'its signed head';
        tell(`entry ${link.id} is not the one that ${name} names`, link.id);
      }
      judgeOwn(link);
      at = link.id;
      before = link.hash;
      entries += 1;
    },
    /** A row or line that cannot be read as an entry. */
    unreadable: (id: number): void => tell(`entry ${id} cannot be read`, id),
    end: (): AuditProof => {
      checkHeads(options, at, tell, lostWith(restores, kept));
      return { entries, id: at, hash: before, problems, notes };
    },
  };
}
