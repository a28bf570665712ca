// The kinds of errors in the rooms of an agent: where their file lies, whom they hear and what they tell. Only wiring.

import { join } from 'node:path';
import type { NewEvent } from '../../../protocol/events.ts';
import type { Log, Ports } from '../../ports.ts';
import { writeDurablyLater } from '../../system/disk.ts';
import type { LogReading } from '../../telemetry/log-samples.ts';
import type { Outbox } from '../../telemetry/types.ts';
import type { Intake } from '../intake/types.ts';
import { type ErrorKinds, openErrorKinds } from './kinds.ts';

type Parts = {
  readonly dataDir: string;
  readonly ports: Pick<Ports, 'clock' | 'timers' | 'files'>;
  readonly outbox: Pick<Outbox, 'addEvent' | 'time'>;
  readonly intake: Pick<Intake, 'listen'>;
  readonly log: Log;
};

export const kindsOf = ({ dataDir, ports, outbox, intake, log }: Parts): ErrorKinds =>
  openErrorKinds({
    path: join(dataDir, 'kinds.json'),
    ...{ read: ports.files.read, write: writeDurablyLater, intake, time: outbox.time },
    ...{ report: (event: NewEvent) => outbox.addEvent(event), ...ports, log },
  });

/** For the series of the agent. */
export const logReading = (rooms: {
  readonly intake: Pick<Intake, 'counts'>;
  readonly errorKinds: ErrorKinds;
}): LogReading => ({
  counts: rooms.intake.counts(),
  kinds: rooms.errorKinds.size(),
  kindsDropped: rooms.errorKinds.dropped(),
});
