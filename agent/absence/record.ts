// What of an absence outlives the agent, as text: checked like anything from a disk, because a power cut may leave
// any of it. Two copies with two purposes: in the run directory, which a reboot empties, some seconds old, for a
// new agent of the same boot; in the data folder, some minutes old, for the power cut.

import * as v from 'valibot';
import { AWAY_REASONS } from '../../protocol/events.ts';
import type { AbsenceModel } from './types.ts';

const RECORD_CHARS_MAX = 16 * 1024;
const ms = v.pipe(v.number(), v.finite());
const length = v.pipe(ms, v.minValue(0));
const maybe = <T extends v.GenericSchema>(schema: T) => v.optional(schema);
const sentence = v.pipe(v.string(), v.maxLength(500));
const reason = v.picklist(AWAY_REASONS);
const byReason = <T extends v.GenericSchema>(schema: T) => v.record(reason, schema);

const away = v.object({
  fromBrokerMs: maybe(ms),
  fromBootMs: maybe(ms),
  parts: byReason(length),
  reachedBootMs: ms,
  gap: maybe(v.picklist(['agent_stopped', 'power'])),
  reason,
  sentences: byReason(sentence),
});
const schema = v.object({
  bootId: v.string(),
  bootMs: length,
  brokerMs: maybe(ms),
  ended: maybe(sentence),
  /** Of absences that are over. */
  totalsMs: byReason(length),
  model: v.object({
    isReached: v.boolean(),
    contactBootMs: maybe(ms),
    upBootMs: maybe(ms),
    away: maybe(away),
    isNetworked: v.boolean(),
  }),
});

export type Totals = Readonly<Partial<Record<(typeof AWAY_REASONS)[number], number>>>;
export type AbsenceRecord = {
  readonly bootId: string;
  /** Last alive. */
  readonly bootMs: number;
  readonly brokerMs: number | undefined;
  readonly ended: string | undefined;
  readonly totalsMs: Totals;
  readonly model: AbsenceModel;
};

/** @returns nothing for a file that is not there, `damaged` for one that cannot be read. */
export function parseRecord(text: string | undefined): AbsenceRecord | 'damaged' | undefined {
  if (text === undefined) return undefined;
  try {
    const read = v.safeParse(schema, JSON.parse(text));
    // What valibot leaves out and what is undefined are the same to whoever reads it.
    return read.success ? (read.output as AbsenceRecord) : 'damaged';
  } catch {
    return 'damaged';
  }
}

export const RECORD_BYTES_MAX = RECORD_CHARS_MAX;
export const formatRecord = (record: AbsenceRecord): string => JSON.stringify(record);

/** The newer of the two: the one of this boot, else whichever is there. */
export function newest(
  run: AbsenceRecord | 'damaged' | undefined,
  kept: AbsenceRecord | 'damaged' | undefined,
  bootId: string,
): AbsenceRecord | undefined {
  const records = [run, kept].filter((one) => one !== undefined && one !== 'damaged');
  const ofBoot = records.filter((one) => one.bootId === bootId);
  const among = ofBoot.length > 0 ? ofBoot : records;
  return among.reduce<AbsenceRecord | undefined>(
    (best, one) => (best === undefined || one.bootMs > best.bootMs ? one : best),
    undefined,
  );
}
