// Applies settings to the running agent: checked against their digest, as a whole or not at all, on disk before they are
// in force. Whoever keeps a copy of what changed is told here, so that there is one place that says what a running
// agent can take over.

import { createHash } from 'node:crypto';
import type { Desk, Of } from './types.ts';

export function configure({ id, arguments: args }: Of<'configure'>, desk: Desk): void {
  const { rooms, supervisor, uplink, done } = desk;
  const sha256 = createHash('sha256').update(args.yaml).digest('hex');
  if (sha256 !== args.sha256) {
    done(id, false, `the settings are not what was signed for: their SHA-256 is ${sha256}`);
    return;
  }
  const applied = rooms.settings.apply(args.yaml);
  if (!applied.ok) {
    done(id, false, applied.reason);
    return;
  }
  const { modes } = applied.value;
  for (const { name, policy } of supervisor.components()) {
    // The plan reads it in the policy as well (recovery-glue.ts).
    Object.assign(policy, { mode: modes[name] ?? policy.mode });
  }
  uplink()?.resample();
  done(id, true, 'the settings are in force', { sha256 });
}
