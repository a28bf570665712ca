import { expect, it } from 'vitest';
import { openAudit } from '../../broker/audit.ts';
import { auditTold } from '../../broker/audit-told.ts';
import { happened, rig, START_MS } from './fleet-rig.ts';

it('a command that a terminal refused stands in the audit log, and nothing else that it tells', () => {
  const { fleet, time, metrics, terminals } = rig();
  const audit = openAudit(fleet.database, time.clock, metrics);
  fleet.onNews(auditTold(audit));
  const fields = { why: 'unsigned', reason: 'signed by nobody', command: 'c-1', count: 3 } as const;
  terminals.events(
    'lane-1',
    happened(START_MS, { kind: 'command_refused', component: '', fields }),
    happened(START_MS, {
      kind: 'version_changed',
      component: '',
      fields: { what: 'os', name: 'Linux', from: '1', to: '2' },
    }),
  );
  fleet.drain();
  expect(audit.list(9)).toMatchObject([
    {
      ...{ operator: 'lane-1', action: 'terminal.command_refused', subject: 'lane-1' },
      ...{ reason: 'signed by nobody', outcome: 'refused unsigned' },
      detail: { count: 3, command: 'c-1' },
    },
  ]);
});
