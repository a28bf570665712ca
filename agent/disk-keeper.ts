// Looks at the file systems of the data folder and of the log folder every five seconds, without ever waiting for
// them, and does what low-disk.ts decides: tells output, evidence and outbox how much room is theirs, keeps a
// reserve that can be released for events, and reports each change of level once. Where logs have a disk of their
// own, it only decides about logs.

import type { NewEvent } from '../protocol/events.ts';
import {
  type DiskLevel,
  type DiskLimits,
  type DiskModel,
  type DiskReading,
  type Judged,
  judgeDisk,
  LEVEL_REASONS,
  NEW_DISK,
} from './low-disk.ts';
import type { OutputRoom } from './output-types.ts';
import type { Clock, Log, Timers } from './ports.ts';
import type { Reserve } from './reserve.ts';
import type { OutboxRoom } from './telemetry/types.ts';

export const DISK_LOOK_MS = 5_000;
/** On a full disk: a few bundles, for whoever stands before it. */
const EVIDENCE_BYTES_LEAST = 1024 * 1024;
/** A disk that has not answered for so long is named. */
const SILENT_MS = 30_000;

export type SpaceReading = DiskReading & {
  /** Equal for two folders on the same file system. */
  readonly device: number;
};

export type DiskKeeperOptions = {
  readonly dataDir: string;
  readonly logDir: string;
  readonly limits: DiskLimits;
  /** Of the ring of evidence, as configured. */
  readonly evidenceBytesMax: number;
  readonly readSpace: (folder: string) => Promise<SpaceReading | undefined>;
  readonly reserve: Reserve;
  readonly output: { readonly setRoom: (room: OutputRoom) => void };
  readonly outbox: { readonly setRoom: (room: OutboxRoom) => void };
  readonly evidence: { readonly shed: (bytesMax: number) => Promise<void> };
  /** Lines that tell nothing wrong are not written. */
  readonly hush: (on: boolean) => void;
  readonly report: (event: NewEvent) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
};

export type DiskKeeper = {
  readonly level: () => DiskLevel;
  /** Levels since the agent began, this one included. */
  readonly levels: () => readonly DiskLevel[];
  /** One look, done; joins one that is under way. */
  readonly look: () => Promise<void>;
  readonly stop: () => void;
};

class RealDiskKeeper implements DiskKeeper {
  readonly #o: DiskKeeperOptions;
  readonly #seen = new Set<DiskLevel>(['normal']);
  readonly #cancel: () => void;
  #data: DiskModel = NEW_DISK;
  #logs: DiskModel = NEW_DISK;
  #level: DiskLevel = 'normal';
  #evidence: Judged['shed']['evidence'] = 'all';
  #looking: Promise<void> | undefined;
  #askedAtMs = 0;
  #isSilent = false;

  constructor(options: DiskKeeperOptions) {
    this.#o = options;
    this.#cancel = options.timers.every(DISK_LOOK_MS, () => void this.look());
    void this.look();
  }

  level(): DiskLevel {
    return this.#level;
  }

  levels(): readonly DiskLevel[] {
    return [...this.#seen];
  }

  stop(): void {
    this.#cancel();
  }

  look(): Promise<void> {
    const { clock, log } = this.#o;
    if (this.#looking !== undefined) {
      if (!this.#isSilent && clock.monotonicMs() - this.#askedAtMs > SILENT_MS) {
        this.#isSilent = true;
        log.error('the disk does not answer', { sinceMs: SILENT_MS });
      }
      return this.#looking;
    }
    this.#askedAtMs = clock.monotonicMs();
    this.#looking = this.#look()
      // Only a bug gets here; the next look must still come.
      .catch((error: unknown) => log.error('disk not looked at', { reason: String(error) }))
      .finally(() => {
        this.#looking = undefined;
        this.#isSilent = false;
      });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { dataDir, logDir, readSpace, limits, clock } = this.#o;
    const data = await readSpace(dataDir);
    if (data === undefined) return;
    const logs = await readSpace(logDir);
    const now = clock.monotonicMs();
    const judged = judgeDisk(this.#data, data, limits, now);
    this.#data = judged.model;
    let { level, shed } = judged;
    if (logs !== undefined && logs.device !== data.device) {
      const apart = judgeDisk(this.#logs, logs, limits, now);
      this.#logs = apart.model;
      shed = { ...shed, journal: apart.shed.journal };
      if (level === 'normal' && apart.level !== 'normal') level = 'journal';
    }
    this.#do(shed, judged);
    this.#tell(level, data.freeBytes);
    await this.#keepReserve(judged);
  }

  #do(shed: Judged['shed'], { model }: Judged): void {
    const { output, outbox, evidence, evidenceBytesMax, hush } = this.#o;
    output.setRoom(shed.journal);
    outbox.setRoom(shed.outbox);
    if (shed.evidence !== this.#evidence) {
      const quarter = evidenceBytesMax / 4;
      const share = { all: Infinity, quarter, least: Math.min(quarter, EVIDENCE_BYTES_LEAST) };
      this.#evidence = shed.evidence;
      void evidence.shed(share[shed.evidence]);
    }
    hush(model.stage === 'reserve');
  }

  #tell(level: DiskLevel, freeBytes: number): void {
    if (level === this.#level) return;
    const { report, log } = this.#o;
    this.#level = level;
    this.#seen.add(level);
    const reason = LEVEL_REASONS[level];
    report({ kind: 'disk', component: '', fields: { level, freeBytes, reason } });
    log.warn(reason, { level, freeBytes });
  }

  async #keepReserve({ mayReserve, reserveBytes }: Judged): Promise<void> {
    if (mayReserve && reserveBytes > 0) await this.#o.reserve.make(reserveBytes);
  }
}

export const keepDisk = (options: DiskKeeperOptions): DiskKeeper => new RealDiskKeeper(options);
